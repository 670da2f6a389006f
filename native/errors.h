// Raising the exceptions of gleed.errors from the core.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace gleed {

// Raises `gleed.errors.<type>`, or the builtin exception of that name, with a message formatted as
// by PyErr_Format, and returns nullptr. Messages read "op: rule; what came; likely fix".
PyObject* raise(const char* type, const char* format, ...);

}  // namespace gleed
