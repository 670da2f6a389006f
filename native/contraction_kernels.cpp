#define PY_SSIZE_T_CLEAN  // before any header that includes Python.h
#include "contraction_kernels.h"

#include <nanobind/nanobind.h>

#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "errors.h"
#include "objects.h"

namespace nb = nanobind;

namespace gleed {

namespace {

// compile(kind, dtype, *shape) -> (object bytes, symbol). Kept until the process ends.
PyObject* compiler = nullptr;

constexpr const char* kKinds[] = {"tile",      "ragged", "dot",         "copy",
                                  "transpose", "plane",  "plane_weight"};

// The arguments of `compiler`, or null with a Python exception set.
PyObject* compiler_arguments(const char* kind, DType dtype, const std::vector<int64_t>& shape) {
  PyObject* arguments = PyTuple_New(2 + shape.size());
  if (!arguments) return nullptr;
  PyTuple_SET_ITEM(arguments, 0, PyUnicode_FromString(kind));
  PyTuple_SET_ITEM(arguments, 1, PyUnicode_FromString(info(dtype).kernel_name));
  for (size_t i = 0; i < shape.size(); ++i) {
    PyTuple_SET_ITEM(arguments, 2 + i, PyLong_FromLongLong(shape[i]));
  }
  if (!PyErr_Occurred()) return arguments;
  Py_DECREF(arguments);
  return nullptr;
}

MicroKernel compile(const char* kind, DType dtype, const std::vector<int64_t>& shape) {
  if (!compiler) {
    raise("RuntimeError",
          "matmul: no compiler of micro-kernels is set; import gleed, not gleed._C");
    return nullptr;
  }
  PyObject* arguments = compiler_arguments(kind, dtype, shape);
  PyObject* made = arguments ? PyObject_CallObject(compiler, arguments) : nullptr;
  Py_XDECREF(arguments);
  if (!made) return nullptr;
  const char* data = nullptr;
  const char* symbol = nullptr;
  Py_ssize_t size = 0;
  void* address = nullptr;
  if (!PyTuple_Check(made)) {
    raise("TypeError", "matmul: the compiler returns (object bytes, symbol); got %s",
          Py_TYPE(made)->tp_name);
  } else if (PyArg_ParseTuple(made, "y#s", &data, &size, &symbol)) {
    std::string error;
    address = load_object({data, static_cast<size_t>(size)}, symbol, error);
    if (!address) {
      raise("RuntimeError", "matmul: the micro-kernel %s cannot be loaded; %s", symbol,
            error.c_str());
    }
  }
  Py_DECREF(made);
  return reinterpret_cast<MicroKernel>(address);
}

}  // namespace

bool has_micro_kernels(DType dtype) { return info(dtype).floating; }

const TileFamily* tile_family(DType dtype) {
  static std::optional<TileFamily> families[kDTypeCount];
  std::optional<TileFamily>& family = families[static_cast<int>(dtype)];
  if (!family) {
    const MicroKernel describe = compile("family", dtype, {});
    if (!describe) return nullptr;
    describe(&family.emplace());
  }
  return &*family;
}

MicroKernel micro_kernel(Micro kind, DType dtype, const std::vector<int64_t>& shape) {
  static std::map<std::tuple<Micro, DType, std::vector<int64_t>>, MicroKernel> known;
  const auto key = std::make_tuple(kind, dtype, shape);
  const auto found = known.find(key);
  if (found != known.end()) return found->second;
  const MicroKernel kernel = compile(kKinds[static_cast<int>(kind)], dtype, shape);
  if (kernel) known.emplace(key, kernel);
  return kernel;
}

void bind_contraction(nb::module_& m) {
  m.def(
      "set_contraction_compiler", [](nb::callable compile) { compiler = compile.release().ptr(); },
      nb::arg("compile"),
      "Set what compiles micro-kernels of matrix multiplication: compile(kind, dtype, "
      "*shape) returns (object bytes, symbol).");
}

}  // namespace gleed
