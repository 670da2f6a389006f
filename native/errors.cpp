#include "errors.h"

#include <cstdarg>
#include <initializer_list>
#include <string>

namespace gleed {

// New reference; never null: RuntimeError stands in for a name that does not exist.
static PyObject* exception_type(const char* name) {
  for (const char* module_name : {"gleed.errors", "builtins"}) {
    PyObject* module = PyImport_ImportModule(module_name);
    PyObject* type = module ? PyObject_GetAttrString(module, name) : nullptr;
    Py_XDECREF(module);
    if (type) return type;
    PyErr_Clear();
  }
  return Py_NewRef(PyExc_RuntimeError);
}

// PyUnicode_FromFormat takes ASCII only. Other bytes ("…", "×") travel as kMark and two letters.
static constexpr char kMark = '\x1f', kLetter = '@';

static std::string to_ascii(const char* text) {
  std::string ascii;
  for (; *text; ++text) {
    const auto byte = static_cast<unsigned char>(*text);
    if (byte < 0x80) {
      ascii += *text;
    } else {
      ascii += kMark;
      ascii += static_cast<char>(kLetter + (byte >> 4));
      ascii += static_cast<char>(kLetter + (byte & 15));
    }
  }
  return ascii;
}

// Takes the reference to `text`; new reference, or null with an exception set.
static PyObject* from_ascii(PyObject* text) {
  Py_ssize_t size;
  const char* bytes = PyUnicode_AsUTF8AndSize(text, &size);
  std::string decoded;
  for (Py_ssize_t i = 0; bytes && i < size; ++i) {
    if (bytes[i] == kMark && i + 2 < size) {
      decoded += static_cast<char>((bytes[i + 1] - kLetter) << 4 | (bytes[i + 2] - kLetter));
      i += 2;
    } else {
      decoded += bytes[i];
    }
  }
  Py_DECREF(text);
  return bytes ? PyUnicode_DecodeUTF8(decoded.data(), decoded.size(), "replace") : nullptr;
}

PyObject* raise(const char* type, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  PyObject* message = PyUnicode_FromFormatV(to_ascii(format).c_str(), arguments);
  va_end(arguments);
  if (message) message = from_ascii(message);
  if (!message) return nullptr;
  PyObject* exception = exception_type(type);
  PyErr_SetObject(exception, message);
  Py_DECREF(exception);
  Py_DECREF(message);
  return nullptr;
}

}  // namespace gleed
