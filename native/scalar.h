// Single elements: from memory to Python objects and back.
#pragma once

#include "tensor.h"

namespace gleed {

// The Python number (float, int, bool, complex) stored at `p`; new reference.
PyObject* load_element(const char* p, DType dtype);

// Stores a Python number, NumPy scalar or one-element tensor at `p`. False with an exception set if
// the value has no place in the dtype; `op` begins the message.
bool store_element(char* p, DType dtype, PyObject* value, const char* op);

// Copies a layout's elements, the first of which is at `from`, to packed memory, converting between
// dtypes as C does. In convert.cpp.
void copy_to_packed(char* to, DType to_dtype, const char* from, DType from_dtype,
                    const Layout& from_layout);

}  // namespace gleed
