#include "kernel.h"

#include "machine_code.h"

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

}  // namespace gleed
