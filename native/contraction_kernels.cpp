#define PY_SSIZE_T_CLEAN  // before any header that includes Python.h
#include "contraction_kernels.h"

#include <nanobind/nanobind.h>

#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "errors.h"
#include "machine_code.h"

namespace nb = nanobind;

namespace gleed {

namespace {

// compile(kind, dtype, *shape) -> (object bytes, symbol). Kept until the process ends.
PyObject* compiler = nullptr;

constexpr const char* kKinds[] = {"tile",           "ragged",          "dot",
                                  "copy",           "transpose",       "plane",
                                  "plane_weight",   "pixel",           "pixel_weight",
                                  "winograd_input", "winograd_weight", "winograd_output"};

MicroKernel compiled(void** slot, const char* kind, DType dtype, const std::vector<int64_t>& shape,
                     bool now = false) {
  if (!compiler) {
    raise("RuntimeError",
          "matmul: no compiler of micro-kernels is set; import gleed, not gleed._C");
    return nullptr;
  }
  if (*slot) return reinterpret_cast<MicroKernel>(*slot);
  nb::list arguments;
  arguments.append(kind);
  arguments.append(info(dtype).kernel_name);
  for (const int64_t number : shape) arguments.append(number);
  void* code = machine_code(slot, compiler, nb::tuple(arguments).release().ptr(), now);
  return reinterpret_cast<MicroKernel>(code);
}

}  // namespace

bool has_micro_kernels(DType dtype) { return info(dtype).floating; }

const TileFamily* tile_family(DType dtype) {
  static std::optional<TileFamily> families[kDTypeCount];
  std::optional<TileFamily>& family = families[static_cast<int>(dtype)];
  if (!family) {
    void* slot = nullptr;
    const MicroKernel describe = compiled(&slot, "family", dtype, {}, true);
    if (!describe) return nullptr;
    describe(&family.emplace());
  }
  return &*family;
}

MicroKernel micro_kernel(Micro kind, DType dtype, const std::vector<int64_t>& shape) {
  static std::map<std::tuple<Micro, DType, std::vector<int64_t>>, void*> known;
  return compiled(&known[{kind, dtype, shape}], kKinds[static_cast<int>(kind)], dtype, shape);
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
