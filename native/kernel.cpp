#include "kernel.h"

#include "errors.h"
#include "objects.h"

namespace gleed {

PyTypeObject* KernelType = nullptr;

namespace {

const char* spelling(Orientation orientation) {
  switch (orientation) {
    case Orientation::kMap:
      return "map";
    case Orientation::kRow:
      return "row";
    default:
      return "column";
  }
}

KernelFunction compile_variant(Kernel* kernel, Orientation orientation, std::string_view classes) {
  PyObject* made = PyObject_CallFunction(kernel->compile, "Oss#", kernel->ir, spelling(orientation),
                                         classes.data(), static_cast<Py_ssize_t>(classes.size()));
  if (!made) return nullptr;
  const char* data = nullptr;
  const char* symbol = nullptr;
  Py_ssize_t size = 0;
  void* address = nullptr;
  if (!PyTuple_Check(made)) {
    raise("TypeError", "Kernel: compile returns (object bytes, symbol); got %s",
          Py_TYPE(made)->tp_name);
  } else if (PyArg_ParseTuple(made, "y#s", &data, &size, &symbol)) {
    std::string error;
    address = load_object({data, static_cast<size_t>(size)}, symbol, error);
    if (!address) raise("RuntimeError", "Kernel: the object cannot be loaded; %s", error.c_str());
  }
  Py_DECREF(made);
  return reinterpret_cast<KernelFunction>(address);
}

}  // namespace

KernelFunction find_variant(Kernel* kernel, Orientation orientation, std::string_view classes) {
  std::string key(1, static_cast<char>(orientation));
  key += classes;
  const auto known = kernel->variants->find(key);
  if (known != kernel->variants->end()) return known->second;
  const KernelFunction function = compile_variant(kernel, orientation, classes);
  if (function) (*kernel->variants)[key] = function;
  return function;
}

}  // namespace gleed
