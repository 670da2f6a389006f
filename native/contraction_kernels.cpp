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

constexpr const char* kKinds[] = {"tile",           "ragged",         "dot",
                                  "copy",           "transpose",      "plane",
                                  "plane_weight",   "winograd_input", "winograd_weight",
                                  "winograd_output"};

MicroKernel compile(const char* kind, DType dtype, const std::vector<int64_t>& shape) {
  if (!compiler) {
    raise("RuntimeError",
          "matmul: no compiler of micro-kernels is set; import gleed, not gleed._C");
    return nullptr;
  }
  nb::list arguments;
  arguments.append(kind);
  arguments.append(info(dtype).kernel_name);
  for (const int64_t number : shape) arguments.append(number);
  PyObject* made = PyObject_CallObject(compiler, nb::tuple(arguments).ptr());
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

bool TileSet::add(DType dtype, int64_t least_rows, int64_t most_rows, int64_t columns) {
  const TileFamily* family = tile_family(dtype);
  if (!family) return false;
  kernels_.resize((family->rows + 1) * kMostColumns);
  const Micro kind = columns % family->lanes ? Micro::kRagged : Micro::kTile;
  const int64_t vectors = (columns + family->lanes - 1) / family->lanes;
  for (int64_t rows = least_rows; rows <= most_rows && columns; ++rows) {
    const MicroKernel kernel = micro_kernel(kind, dtype, rows, vectors);
    if (!kernel) return false;
    kernels_[rows * kMostColumns + columns] = kernel;
  }
  return true;
}

void bind_contraction(nb::module_& m) {
  m.def(
      "set_contraction_compiler", [](nb::callable compile) { compiler = compile.release().ptr(); },
      nb::arg("compile"),
      "Set what compiles micro-kernels of matrix multiplication: compile(kind, dtype, "
      "*shape) returns (object bytes, symbol).");
}

}  // namespace gleed
