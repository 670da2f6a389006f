// The Tensor object: a Python object with its layout inline.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "dtype.h"
#include "errors.h"
#include "layout.h"
#include "memory.h"

namespace gleed {

struct AutogradMeta;  // tape.h

struct Tensor {
  PyObject_HEAD;
  Storage* storage;         // null only for stand-ins of the tracer
  AutogradMeta* grad_meta;  // null: takes no part in differentiation
  PyObject* dict;
  PyObject* weakrefs;
  // The tensor whose memory this is a view of (never itself a view); counted; null if it is none.
  // Kept whether or not a gradient is involved, since an in-place write through a view may involve
  // one later.
  Tensor* base;
  DType dtype;
  bool traced;     // a stand-in: calls with it go to the tracer; its sizes are unknown here
  bool inference;  // made under inference_mode
  Layout layout;

  char* data() const { return storage->data + layout.offset * itemsize(dtype); }
};

extern PyTypeObject* TensorType;  // gleed.Tensor; a heap type that may be subclassed
extern PyTypeObject* DTypeType;   // gleed.dtype; one interned object per DType
extern PyTypeObject* SizeType;    // gleed.Size; a subclass of tuple

inline bool is_tensor(PyObject* o) {
  return Py_TYPE(o) == TensorType || PyType_IsSubtype(Py_TYPE(o), TensorType);
}
inline Tensor* as_tensor(PyObject* o) { return reinterpret_cast<Tensor*>(o); }
inline PyObject* object(Tensor* t) { return reinterpret_cast<PyObject*>(t); }

// A new tensor over `storage`, whose reference it takes. From a free list. Never fails for lack of
// anything but memory for the object itself (then the reference is dropped).
Tensor* new_tensor(Storage* storage, const Layout& layout, DType dtype);
// A new contiguous tensor with fresh, uninitialised storage; nullptr with an exception set.
Tensor* empty_tensor(const Layout& contiguous, DType dtype);
// A new tensor over part of `base`'s memory, marked as a view of it. The tape learns of it by
// record_operation or record_view (tape.h), which the caller must see to.
Tensor* new_view(Tensor* base, const Layout& layout);

// Tensors are tracked by the garbage collector only once they can be part of a cycle: call this
// when a tensor comes to hold a Python object (an attribute, a gradient, a hook). Views are tracked
// always.
inline void track(Tensor* t) {
  if (!PyObject_GC_IsTracked(object(t))) PyObject_GC_Track(object(t));
}

// Whether two tensors may have bytes in common.
bool overlap(const Tensor* a, const Tensor* b);

// False with an exception set for a stand-in, of which `what` (a method's name) is not known.
bool concrete(const Tensor* t, const char* what);

// Bytes that a layout's elements need when packed; SIZE_MAX, which allocate() refuses, on overflow.
size_t packed_bytes(const Layout& layout, DType dtype);

PyObject* dtype_object(DType dtype);              // borrowed
bool dtype_from_object(PyObject* o, DType* out);  // false without an exception if it is none

// A Size of the given numbers; new reference.
PyObject* size_object(std::span<const int64_t> sizes);
// Reads sizes (a sequence of ints, or one int) into `out`; returns how many, or -1 with an
// exception. `what` begins the message ("empty: sizes").
int read_ints(PyObject* o, const char* what, int64_t* out);
// As read_ints, and refuses negative numbers.
int read_sizes(PyObject* o, const char* op, int64_t* out);

// -ndim … ndim-1 becomes 0 … ndim-1; anything else a BoundsError. A 0-d tensor has an axis 0 and
// -1.
bool normalize_axis(const char* op, int64_t axis, int ndim, int* out);

// Whether `o` is a number: Python's float, int, bool, complex, or a NumPy scalar.
bool is_number(PyObject* o);
// Whether the type is, or derives from, the one called `name` ("numpy.ndarray"), without importing
// it.
bool derives_from(PyTypeObject* type, const char* name);

}  // namespace gleed
