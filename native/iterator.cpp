// Going through a tensor along its first dimension, one view at a time.
#include "operators.h"
#include "recording.h"
#include "tensor_type.h"

namespace gleed {
namespace {

struct Iterator {
  PyObject_HEAD;
  PyObject* tensor;
  int64_t next;
};

PyTypeObject* IteratorType;

void iterator_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_DECREF(reinterpret_cast<Iterator*>(self)->tensor);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* iterator_next(PyObject* self) {
  Iterator* it = reinterpret_cast<Iterator*>(self);
  const Layout& layout = as_tensor(it->tensor)->layout;
  if (layout.ndim == 0 || it->next >= layout.sizes[0]) return nullptr;
  PyObject* index = PyLong_FromLongLong(it->next++);
  PyObject* row = index ? tensor_subscript(it->tensor, index) : nullptr;
  Py_XDECREF(index);
  return row;
}

PyObject* iterator_length_hint(PyObject* self, PyObject*) {
  Iterator* it = reinterpret_cast<Iterator*>(self);
  const Layout& layout = as_tensor(it->tensor)->layout;
  const int64_t left = layout.ndim > 0 ? layout.sizes[0] - it->next : 0;
  return PyLong_FromLongLong(left > 0 ? left : 0);
}

}  // namespace

PyObject* tensor_iter(PyObject* self) {
  if (!sized(as_tensor(self), "iter")) return nullptr;
  if (as_tensor(self)->layout.ndim == 0) {
    return raise("ArgumentError", "iter: a 0-d tensor has nothing to go through; use item()");
  }
  Iterator* it = PyObject_New(Iterator, IteratorType);
  if (!it) return nullptr;
  it->tensor = Py_NewRef(self);
  it->next = 0;
  return reinterpret_cast<PyObject*>(it);
}

bool make_iterator_type() {
  static PyMethodDef methods[] = {{"__length_hint__", iterator_length_hint, METH_NOARGS, nullptr},
                                  {}};
  PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(iterator_dealloc)},
                         {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
                         {Py_tp_iternext, reinterpret_cast<void*>(iterator_next)},
                         {Py_tp_methods, methods},
                         {0, nullptr}};
  PyType_Spec spec{"gleed.TensorIterator", sizeof(Iterator), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  IteratorType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return IteratorType != nullptr;
}

}  // namespace gleed
