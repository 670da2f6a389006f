// Python tuples of what the core has in a row: new references, or null with an exception set.
#pragma once

#include <cstdint>
#include <span>

#include "tensor.h"

namespace gleed {

// `convert` makes a new reference of an item, or null with an exception set.
template <class T, class Convert>
PyObject* tuple_of(std::span<T> items, Convert&& convert) {
  PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(items.size()));
  for (size_t i = 0; tuple && i < items.size(); ++i) {
    PyObject* item = convert(items[i]);
    if (!item) Py_CLEAR(tuple);
    if (tuple) PyTuple_SET_ITEM(tuple, i, item);
  }
  return tuple;
}

inline PyObject* tuple_of(std::span<const int64_t> numbers) {
  return tuple_of(numbers, [](int64_t number) { return PyLong_FromLongLong(number); });
}

inline PyObject* tuple_of(std::span<const uint64_t> words) {
  return tuple_of(words, [](uint64_t word) { return PyLong_FromUnsignedLongLong(word); });
}

// None for null.
inline PyObject* tuple_of(std::span<Tensor* const> tensors) {
  return tuple_of(tensors, [](Tensor* t) { return Py_NewRef(t ? object(t) : Py_None); });
}

}  // namespace gleed
