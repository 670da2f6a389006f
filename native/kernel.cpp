#include "kernel.h"

#include "machine_code.h"

namespace gleed {

PyTypeObject* KernelType = nullptr;

namespace {

constexpr double kUnknownCost = 0.1;

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

}  // namespace

KernelFunction find_variant(Kernel* kernel, Orientation orientation, std::string_view classes) {
  std::string key(1, static_cast<char>(orientation));
  key += classes;
  void*& slot = (*kernel->variants)[key];
  if (slot) return reinterpret_cast<KernelFunction>(slot);
  PyObject* arguments = Py_BuildValue("Oss#", kernel->ir, spelling(orientation), classes.data(),
                                      static_cast<Py_ssize_t>(classes.size()));
  return reinterpret_cast<KernelFunction>(machine_code(&slot, kernel->compile, arguments));
}

double cost_of(Kernel* kernel, uint64_t still) {
  const auto [found, fresh] = kernel->costs->try_emplace(still, kUnknownCost);
  if (!fresh) return found->second;
  PyObject* value =
      PyObject_CallMethod(kernel->ir, "cost", "K", static_cast<unsigned long long>(still));
  if (value && PyFloat_Check(value)) found->second = PyFloat_AS_DOUBLE(value);
  Py_XDECREF(value);
  PyErr_Clear();
  return found->second;
}

}  // namespace gleed
