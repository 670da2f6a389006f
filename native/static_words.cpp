// Static arguments as words of a signature. Equal words mean equal values, exactly: small values
// are written out, anything else gets a number that is never given to something different.
#include <cstring>

#include "op.h"

namespace gleed {

namespace {

enum Tag : uint64_t {
  kNone,
  kBool,
  kSmallInt,
  kBigInt,
  kDType,
  kString,
  kFloat,
  kSequence,
  kObject,
};
constexpr int kTagBits = 4;
constexpr Py_ssize_t kMaxKnownObjects = 1 << 16;

uint64_t word(Tag tag, uint64_t payload) { return payload << kTagBits | tag; }

bool encode_int(PyObject* value, SmallBuffer<uint64_t, 48>& words) {
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow) {
    raise("OverflowError", "static argument: an integer must fit 64 bits; got %R", value);
    return false;
  }
  const uint64_t bits = static_cast<uint64_t>(number);
  if (static_cast<int64_t>(bits << kTagBits) >> kTagBits == number) {
    words.push(word(kSmallInt, bits));
  } else {
    words.push(word(kBigInt, 0));
    words.push(bits);
  }
  return true;
}

bool encode_string(PyObject* value, SmallBuffer<uint64_t, 48>& words) {
  Py_ssize_t length;
  const char* text = PyUnicode_AsUTF8AndSize(value, &length);
  if (!text) return false;
  words.push(word(kString, static_cast<uint64_t>(length)));
  for (Py_ssize_t i = 0; i < length; i += 8) {
    uint64_t bits = 0;
    std::memcpy(&bits, text + i, static_cast<size_t>(length - i < 8 ? length - i : 8));
    words.push(bits);
  }
  return true;
}

// Numbers hashable objects by type and equality. The table keeps them alive; when it is full, it
// starts anew with new numbers, so an old number never comes to mean something else.
bool encode_object(PyObject* value, SmallBuffer<uint64_t, 48>& words) {
  static PyObject* known = nullptr;
  static uint64_t next = 0;
  if (!known || PyDict_Size(known) >= kMaxKnownObjects) {
    Py_XDECREF(known);
    known = PyDict_New();
    if (!known) return false;
  }
  PyObject* key = PyTuple_Pack(2, Py_TYPE(value), value);
  PyObject* number = key ? PyDict_GetItemWithError(known, key) : nullptr;  // borrowed
  if (number) {
    words.push(word(kObject, PyLong_AsUnsignedLongLong(number)));
    Py_DECREF(key);
    return true;
  }
  PyObject* added = PyErr_Occurred() ? nullptr : PyLong_FromUnsignedLongLong(next);
  const bool stored = key && added && PyDict_SetItem(known, key, added) == 0;
  if (stored) words.push(word(kObject, next++));
  Py_XDECREF(added);
  Py_XDECREF(key);
  return stored;
}

}  // namespace

bool encode_static(PyObject* value, SmallBuffer<uint64_t, 48>& words) {
  if (value == Py_None) {
    words.push(word(kNone, 0));
    return true;
  }
  if (PyBool_Check(value)) {
    words.push(word(kBool, value == Py_True));
    return true;
  }
  if (PyLong_CheckExact(value)) return encode_int(value, words);
  DType dtype;
  if (Py_TYPE(value) == DTypeType && dtype_from_object(value, &dtype)) {
    words.push(word(kDType, static_cast<uint64_t>(dtype)));
    return true;
  }
  if (PyUnicode_Check(value)) return encode_string(value, words);
  if (PyFloat_CheckExact(value)) {
    const double number = PyFloat_AS_DOUBLE(value);
    uint64_t bits;
    std::memcpy(&bits, &number, sizeof bits);
    words.push(word(kFloat, 0));
    words.push(bits);
    return true;
  }
  if (PyTuple_Check(value) || PyList_Check(value)) {
    const Py_ssize_t length = PySequence_Fast_GET_SIZE(value);
    words.push(word(kSequence, static_cast<uint64_t>(length)));
    if (Py_EnterRecursiveCall(" in a static argument")) return false;
    bool encoded = true;
    // The list may change while an item's hash runs Python code, so its length is read every time.
    for (Py_ssize_t i = 0; encoded && i < length && i < PySequence_Fast_GET_SIZE(value); ++i) {
      encoded = encode_static(PySequence_Fast_GET_ITEM(value, i), words);
    }
    Py_LeaveRecursiveCall();
    return encoded;
  }
  if (PyIndex_Check(value) && !is_tensor(value)) {
    PyObject* index = PyNumber_Index(value);
    const bool encoded = index && encode_int(index, words);
    Py_XDECREF(index);
    return encoded;
  }
  return encode_object(value, words);
}

}  // namespace gleed
