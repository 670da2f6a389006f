// What both routines of attention are made of: sizes, panels, products of tiles, kernels.
#define PY_SSIZE_T_CLEAN  // before any header that includes Python.h
#include <nanobind/nanobind.h>

#include <algorithm>

#include "attention.h"
#include "errors.h"

namespace nb = nanobind;

namespace gleed {

namespace {

constexpr int64_t kKeyBlock = 384;       // whole tiles as rows and as columns
constexpr int64_t kBlockBytes = 400000;  // of keys and values of a block, at most
constexpr int64_t kEnoughItems = 16;     // fewer are divided themselves
constexpr size_t kWorkspace = 8 << 20;
constexpr int kMaxOperands = 8;

PyObject* provider = nullptr;  // find(name, sums, other) -> Kernel. Kept until the process ends.

char stride_class(int64_t stride, int64_t item) {
  return stride == item ? '1' : stride == 0 ? '0' : 's';
}

bool reject(const char* rule) {
  raise("ValueError", "attention: %s; the plan gives other operands", rule);
  return false;
}

}  // namespace

int64_t AttentionShape::key_block() const {
  const int64_t most = kBlockBytes / ((depth + columns + 1) * wide);
  return std::clamp(most / kQueryBlock * kQueryBlock, kQueryBlock, kKeyBlock);
}

double AttentionShape::work() const {
  const double pairs = static_cast<double>(queries) * keys * (causal ? 0.5 : 1);
  return heads * pairs * (depth + columns);
}

bool describe_attention(const RoutineGeometry& g, std::string_view kinds, AttentionShape& shape) {
  const size_t given = g.operands.size(), mask = kinds.find('m');
  const bool masked = given == kinds.size();
  if (!masked && given + 1 != kinds.size()) return reject("an operand is missing or too many");
  if (g.dims.size() != 1) return reject("there is one dim, causal");
  const DType dtype = g.operands[0].dtype;
  if (!info(dtype).floating) return reject("real numbers");
  const DType sums = dtype == DType::kFloat64 ? dtype : DType::kFloat32;
  for (size_t i = 0; i < given; ++i) {
    const char kind = kinds[i < mask || masked ? i : i + 1];
    const DType own = g.operands[i].dtype;
    const bool fits = own == (kind == 'w' ? sums : dtype);
    if (!fits && (kind != 'm' || (own != DType::kBool && own != sums))) return reject("dtypes");
  }
  const Layout &q = *g.operands[0].layout, &k = *g.operands[1].layout, &v = *g.operands[2].layout;
  const int d = q.ndim;
  if (d < 2 || k.ndim != d || v.ndim != d) return reject("q, k and v have as many axes");
  shape = {
      dtype,          sums,           itemsize(dtype), itemsize(sums), 1,     1, q.sizes[d - 2],
      k.sizes[d - 2], q.sizes[d - 1], v.sizes[d - 1],  g.dims[0] != 0, masked};
  if (k.sizes[d - 1] != shape.depth || v.sizes[d - 2] != shape.keys) return reject("sizes agree");
  for (int i = 0; i < d - 2; ++i) {
    if (i == d - 3 && k.sizes[i]) shape.group = q.sizes[i] / k.sizes[i];
    const int64_t shared = i == d - 3 ? shape.group : 1;
    if (k.sizes[i] * shared != q.sizes[i] || v.sizes[i] != k.sizes[i]) return reject("heads agree");
    shape.heads *= q.sizes[i];
  }
  if (shape.masked) {
    const Layout& m = *g.operands[mask].layout;
    if (m.ndim != d || m.sizes[d - 2] != shape.queries || m.sizes[d - 1] != shape.keys) {
      return reject("the mask has the shape of the weights");
    }
  }
  return true;
}

AttentionTasks::AttentionTasks(const AttentionShape& shape, int64_t count, int64_t blocks,
                               size_t bytes) {
  const int64_t wanted = task_count(shape.work()), items = std::max<int64_t>(1, count);
  parts =
      std::clamp<int64_t>(std::min(wanted, kEnoughItems) / items, 1, std::max<int64_t>(1, blocks));
  each = round_up(bytes, 64);
  const int64_t fit = std::max<int64_t>(2, kWorkspace / each);
  tasks = std::min({wanted, items * parts, fit});
}

Matrix matrix_of(const RoutineCall& call, size_t operand, int64_t head, int axes) {
  const Layout& x = *call.geometry.operands[operand].layout;
  const int64_t item = itemsize(call.geometry.operands[operand].dtype);
  int64_t at = 0;
  for (int a = x.ndim - axes - 1; a >= 0; --a) {
    at += head % x.sizes[a] * x.strides[a];
    head /= x.sizes[a];
  }
  return {call.pointers[operand] + at * item, item * x.strides[x.ndim - axes],
          axes == 2 ? item * x.strides[x.ndim - 1] : 0};
}

bool Rows::init(const AttentionShape& shape, const Layout& x, int64_t rows, int64_t columns) {
  const TileFamily* family = tile_family(shape.dtype);
  if (!family) return false;
  const int64_t stride = shape.item * x.strides[x.ndim - 1];
  const bool pairs = family->pairs && columns % 2 == 0 && stride == shape.item;
  tiles_ = pairs ? shape.dtype : shape.sums;
  if (tiles_ == shape.dtype) return true;
  columns_ = columns;
  wide_ = shape.wide;
  bytes_ = rows * columns * wide_;
  const char classes[] = {stride_class(stride, shape.item), '1', 0};
  widen_ = attention_kernel("widen", shape.sums, Orientation::kMap, classes, shape.dtype);
  return widen_ != nullptr;
}

Matrix Rows::operator()(Matrix x, int64_t rows, char* copy) const {
  if (!widen_) return x;
  const Matrix wide = {copy, columns_ * wide_, wide_};
  launch(widen_, rows, columns_, {x, wide});
  return wide;
}

bool Panels::init(DType dtype, DType tiles, int64_t lane_stride, int64_t step_stride, int64_t lanes,
                  int64_t steps) {
  const TileFamily* family = tile_family(tiles);
  if (!family) return false;
  item_ = packed_size(tiles);
  lane_stride_ = lane_stride;
  step_stride_ = step_stride;
  width_ = family->lanes * std::clamp<int64_t>(ceil_div(lanes, family->lanes), 1, family->vectors);
  stride_ = width_ * round_up(packed_steps(*family, steps), 16) * item_;
  bytes_ = ceil_div(lanes, width_) * stride_;
  return pack_.init(dtype, *family, lane_stride, step_stride, width_);
}

void Panels::pack(const char* source, int64_t lanes, int64_t steps, char* target) const {
  for (int64_t lane = 0; lane < lanes; lane += width_, target += stride_) {
    pack_({source + lane * lane_stride_, lane_stride_, step_stride_, target, steps,
           std::min(width_, lanes - lane)});
  }
}

bool TileProduct::init(DType dtype, std::span<const int64_t> rows, int64_t columns, bool padded) {
  const TileFamily* family = tile_family(dtype);
  if (!family) return false;
  family_ = *family;
  item_ = packed_size(dtype);
  padded_ = padded;
  for (int64_t count : rows) {
    if (count >= family_.rows && !find(dtype, family_.rows, columns)) return false;
    if (count % family_.rows && !find(dtype, count % family_.rows, columns)) return false;
  }
  return true;
}

// Padded products may have fewer columns, too.
bool TileProduct::find(DType dtype, int64_t rows, int64_t columns) {
  const int64_t last = ceil_div(columns, family_.lanes);
  for (int64_t vectors = 1; vectors <= std::min(last, family_.vectors); ++vectors) {
    const bool is_last = (last - vectors) % family_.vectors == 0;
    const bool is_whole = vectors == family_.vectors;
    const bool ragged = !padded_ && is_last && columns % family_.lanes;
    if (padded_ || is_whole || is_last) {
      tiles_[rows][vectors] = micro_kernel(Micro::kTile, dtype, rows, vectors);
      if (!tiles_[rows][vectors]) return false;
    }
    if (ragged) {
      ragged_[rows][vectors] = micro_kernel(Micro::kRagged, dtype, rows, vectors);
      if (!ragged_[rows][vectors]) return false;
    }
  }
  return true;
}

void TileProduct::run(Matrix a, const Panels& panels, const char* b, char* c, int64_t c_row,
                      int64_t rows, int64_t columns, int64_t depth, bool add) const {
  TileArguments t = {};
  t.a_row = a.row;
  t.a_step = family_.pairs ? 2 * a.column : a.column;
  t.b_step = panels.width() * item_;
  t.c_row = t.before_row = c_row;
  t.steps = packed_steps(family_, depth);
  t.raw = true;
  for (int64_t column = 0; column < columns; column += panels.width(), b += panels.stride()) {
    const int64_t here = std::min(panels.width(), columns - column);
    const int64_t vectors = ceil_div(here, family_.lanes);
    t.b = b;
    t.columns = here - (vectors - 1) * family_.lanes;
    const auto& tiles = !padded_ && t.columns != family_.lanes ? ragged_ : tiles_;
    for (int64_t row = 0; row < rows; row += family_.rows) {
      t.a = a.to(row);
      t.c = c + row * c_row + column * item_;
      t.before = add ? t.c : nullptr;
      tiles[std::min(family_.rows, rows - row)][vectors](&t);
    }
  }
}

KernelFunction attention_kernel(const char* name, DType sums, Orientation orientation,
                                const char* classes, DType other) {
  if (!provider) {
    raise("RuntimeError", "attention: no kernels are set; import gleed, not gleed._C");
    return nullptr;
  }
  PyObject* kernel =
      PyObject_CallFunction(provider, "sss", name, info(sums).kernel_name, info(other).kernel_name);
  if (!kernel) return nullptr;
  KernelFunction function = nullptr;
  if (Py_TYPE(kernel) == KernelType) {
    function = find_variant(reinterpret_cast<Kernel*>(kernel), orientation, classes);
  } else {
    raise("TypeError", "attention: %R is no Kernel", kernel);
  }
  Py_DECREF(kernel);
  return function;
}

KernelFunction mask_kernel(const AttentionShape& shape, const RoutineOperand& mask) {
  const int64_t item = itemsize(mask.dtype), last = mask.layout->ndim - 1;
  const char classes[] = {'1', '0', stride_class(item * mask.layout->strides[last], item), '1', 0};
  return attention_kernel("shift", shape.sums, Orientation::kMap, classes, mask.dtype);
}

void launch(KernelFunction kernel, int64_t rows, int64_t columns,
            std::initializer_list<Matrix> operands) {
  char* pointers[kMaxOperands];
  int64_t geometry[3 + 3 * kMaxOperands] = {rows, 1, columns};
  int64_t* strides = geometry + 3;
  char** pointer = pointers;
  for (const Matrix& x : operands) {
    *pointer++ = x.at;
    *strides++ = x.row;
    *strides++ = 0;
    *strides++ = x.column;
  }
  kernel(pointers, geometry, nullptr);
}

void clear(Matrix x, int64_t rows, int64_t row_bytes) {
  for (int64_t i = 0; i < rows; ++i) std::memset(x.to(i), 0, row_bytes);
}

const char* one_of(DType dtype) {
  static constexpr float kSingle = 1;
  static constexpr double kDouble = 1;
  return dtype == DType::kFloat64 ? reinterpret_cast<const char*>(&kDouble)
                                  : reinterpret_cast<const char*>(&kSingle);
}

void bind_attention(nb::module_& m) {
  m.def(
      "set_attention_kernels", [](nb::callable find) { provider = find.release().ptr(); },
      nb::arg("find"),
      "Set what finds the kernels of attention: find(name, sums, other) returns a Kernel.");
}

}  // namespace gleed
