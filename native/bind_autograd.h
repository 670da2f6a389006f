// The part of gleed._C about autograd.
#pragma once

#include <nanobind/nanobind.h>

namespace gleed {

// After bind_tensor. Throws nanobind::python_error if the types cannot be made.
void bind_autograd(nanobind::module_& m);

// Its parts: each puts types and functions into the module, or returns false with an exception set.

bool init_node_type(PyObject* module);        // node_object.cpp
bool init_grad_modes(PyObject* module);       // grad_mode.cpp
bool init_function(PyObject* module);         // function_node.cpp
bool init_tensor_autograd(PyObject* module);  // tensor_autograd.cpp: adds to TensorType
bool init_module_base(PyObject* module);      // module_base.cpp
PyObject* tensor_backward(PyObject* self, PyObject* args, PyObject* kwargs);  // bind_autograd.cpp
void forget_function_node(PyObject* context);  // function_node.cpp: the context's node is gone

}  // namespace gleed
