#include "errors.h"

#include <cstdarg>
#include <initializer_list>

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

PyObject* raise(const char* type, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  PyObject* message = PyUnicode_FromFormatV(format, arguments);
  va_end(arguments);
  if (!message) return nullptr;
  PyObject* exception = exception_type(type);
  PyErr_SetObject(exception, message);
  Py_DECREF(exception);
  Py_DECREF(message);
  return nullptr;
}

}  // namespace gleed
