// The part of gleed._C about tensors, dtypes, memory and exchange with other libraries.
#pragma once

#include <nanobind/nanobind.h>

namespace gleed {

// Throws nanobind::python_error if the types cannot be made.
void bind_tensor(nanobind::module_& m);

}  // namespace gleed
