// The part of gleed._C about op calls, plans, kernels and threads.
#pragma once

#include <nanobind/nanobind.h>

namespace gleed {

// captured.cpp
bool init_entry_type(PyObject* module);  // false with an exception set

// After bind_tensor. Throws nanobind::python_error if the types cannot be made.
void bind_engine(nanobind::module_& m);

}  // namespace gleed
