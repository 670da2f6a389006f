// Reading and checking what Python passes in.
#include <cstring>

#include "recording.h"

namespace gleed {

bool normalize_axis(const char* op, int64_t axis, int ndim, int* out) {
  const int bound = ndim > 0 ? ndim : 1;
  if (axis < -bound || axis >= bound) {
    raise("BoundsError",
          "%s: dim out of range; dim %lld for a tensor with %d dimension%s; use %d … %d", op,
          static_cast<long long>(axis), ndim, ndim == 1 ? "" : "s", -bound, bound - 1);
    return false;
  }
  *out = static_cast<int>(axis < 0 ? axis + bound : axis);
  return true;
}

bool derives_from(PyTypeObject* type, const char* name) {
  for (; type; type = type->tp_base) {
    if (std::strcmp(type->tp_name, name) == 0) return true;
  }
  return false;
}

bool is_number(PyObject* o) {
  return PyFloat_Check(o) || PyLong_Check(o) || PyComplex_Check(o) || is_followed(o) ||
         derives_from(Py_TYPE(o), "numpy.generic");
}

static bool read_int(PyObject* o, const char* what, int64_t* out) {
  if (PyLong_CheckExact(o)) [[likely]] {
    int overflow;
    *out = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (!overflow) return true;
  }
  PyObject* number = PyIndex_Check(o) ? PyNumber_Index(o) : nullptr;
  if (!number) {
    if (!PyErr_Occurred()) {
      raise("ArgumentError", "%s: must be whole numbers; a %s came; pass ints", what,
            Py_TYPE(o)->tp_name);
    }
    return false;
  }
  int overflow;
  *out = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow) {
    raise("RangeError", "%s: must fit in 64 bits; %R came; use smaller numbers", what, number);
  }
  Py_DECREF(number);
  return !overflow;
}

int read_ints(PyObject* o, const char* what, int64_t* out) {
  if (PyLong_CheckExact(o) || (PyIndex_Check(o) && !PySequence_Check(o)))
    return read_int(o, what, out) ? 1 : -1;
  // A tuple of its own: reading an item may run code that changes the caller's list.
  PyObject* items = PyTuple_CheckExact(o)                        ? Py_NewRef(o)
                    : PySequence_Check(o) && !PyUnicode_Check(o) ? PySequence_Tuple(o)
                                                                 : nullptr;
  if (!items) {
    if (!PyErr_Occurred()) {
      raise("ArgumentError", "%s: must be whole numbers; a %s came; pass a sequence of ints", what,
            Py_TYPE(o)->tp_name);
    }
    return -1;
  }
  Py_ssize_t n = PyTuple_GET_SIZE(items);
  if (n > kMaxDims) {
    raise("ShapeError", "%s: at most %d dimensions; %zd came; use fewer", what, kMaxDims, n);
    n = -1;
  }
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (!read_int(PyTuple_GET_ITEM(items, i), what, out + i)) n = -1;
  }
  Py_DECREF(items);
  return static_cast<int>(n);
}

int read_sizes(PyObject* o, const char* op, int64_t* out) {
  const int n = read_ints(o, op, out);
  for (int i = 0; i < n; ++i) {
    if (out[i] >= 0) continue;
    raise("ShapeError", "%s: sizes must not be negative; size %lld for axis %d came", op,
          static_cast<long long>(out[i]), i);
    return -1;
  }
  return n;
}

}  // namespace gleed
