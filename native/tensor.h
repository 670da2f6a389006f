// The Tensor object: a Python object with its layout inline.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "dtype.h"
#include "layout.h"
#include "memory.h"

namespace gleed {

struct AutogradMeta;  // tape.h

struct Tensor {
  PyObject_HEAD;
  Storage* storage;  // null only for stand-ins of the tracer
  AutogradMeta* grad_meta;  // null: takes no part in differentiation
  PyObject* dict;
  PyObject* weakrefs;
  DType dtype;
  bool traced;     // a stand-in: calls with it go to the tracer
  bool inference;  // made under inference_mode
  Layout layout;

  char* data() const { return storage->data + layout.offset * itemsize(dtype); }
};

extern PyTypeObject* TensorType;  // gleed.Tensor; a heap type that may be subclassed
extern PyTypeObject* DTypeType;   // gleed.dtype; one interned object per DType

inline bool is_tensor(PyObject* o) {
  return Py_TYPE(o) == TensorType || PyType_IsSubtype(Py_TYPE(o), TensorType);
}
inline Tensor* as_tensor(PyObject* o) { return reinterpret_cast<Tensor*>(o); }
inline PyObject* object(Tensor* t) { return reinterpret_cast<PyObject*>(t); }

// A new tensor over `storage`, whose reference it takes. From a free list. Never fails for lack of
// anything but memory for the object itself.
Tensor* new_tensor(Storage* storage, const Layout& layout, DType dtype);
// A new contiguous tensor with fresh, uninitialised storage; nullptr with an exception set.
Tensor* empty_tensor(const Layout& contiguous, DType dtype);

PyObject* dtype_object(DType dtype);               // borrowed
bool dtype_from_object(PyObject* o, DType* out);   // false without an exception if it is none

// A Size (tuple subclass) of the given numbers; new reference.
PyObject* size_object(std::span<const int64_t> sizes);

// Raises `gleed.errors.<type>` with a formatted message and returns nullptr.
PyObject* raise(const char* type, const char* format, ...);

}  // namespace gleed
