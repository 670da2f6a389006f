// The parts of which bind_tensor.cpp makes the type gleed.Tensor, and the module functions beside
// it.
#pragma once

#include "tensor.h"

namespace gleed {

// tensor.cpp: an instance of `cls` without storage.
Tensor* allocate_instance(PyTypeObject* cls);
void tensor_dealloc(PyObject* self);
int tensor_traverse(PyObject* self, visitproc visit, void* arg);
int tensor_clear(PyObject* self);

// tensor_type.cpp
extern PyMethodDef kTensorMethods[];
extern PyGetSetDef kTensorGetters[];
PyObject* item(Tensor* t);
PyObject* tensor_new(PyTypeObject* cls, PyObject* args, PyObject* kwargs);
PyObject* tensor_iter(PyObject* self);
Py_ssize_t tensor_length(PyObject* self);
int tensor_bool(PyObject* self);
PyObject* tensor_int(PyObject* self);
PyObject* tensor_float(PyObject* self);
PyObject* tensor_index(PyObject* self);
bool make_iterator_type();

// indexing.cpp
PyObject* tensor_subscript(PyObject* self, PyObject* index);
int tensor_assign_subscript(PyObject* self, PyObject* index, PyObject* value);

// interop.cpp
int tensor_get_buffer(PyObject* self, Py_buffer* view, int flags);
void tensor_release_buffer(PyObject* self, Py_buffer* view);
PyObject* from_numpy(PyObject* array);
PyObject* to_numpy(Tensor* t);
PyObject* from_buffer(PyObject* buffer, DType dtype, int64_t count, int64_t offset);
PyObject* tensor_array(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names);
PyObject* tensor_array_wrap(PyObject* self, PyObject* const* args, Py_ssize_t n);

// dlpack.cpp
PyObject* tensor_dlpack(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* tensor_dlpack_device(PyObject* self, PyObject*);
PyObject* from_dlpack(PyObject* producer);

// from_data.cpp: `dtype` null means: infer it.
PyObject* tensor_from_data(PyObject* data, const DType* dtype);

// small_types.cpp
bool make_dtype_objects(PyObject* module);
bool make_size_type(PyObject* module);

}  // namespace gleed
