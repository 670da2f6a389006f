// Attention by blocks: the routines "attention" and "attention_gradient".
//
//   ("library", "attention", (q, k, v, scale[, mask], out, lse[, rest]), (causal,), ())
//   ("library", "attention_gradient",
//    (q, k, v, scale, g, lse, delta[, mask], dq, dk, dv), (causal,), ())
//
// q is [..., L, E], k [..., S, E], v [..., S, Ev], mask [..., L, S] with any strides and equal
// leading axes (a q for each is a *head*), but that the last of them may be smaller in k and v, of
// which each then serves a *group* of neighbouring heads. scale is a number. Of the weights
//   p = softmax(q · kᵀ · scale + mask)     (causal: query i sees keys 0 … i)
// only a block exists at a time. out = p · v; lse [..., L] is the logarithm of what softmax divides
// by, +inf for a query that sees nothing. From these the gradient computes its block of p again:
//   dv = pᵀ · g    s = p ∘ (g · vᵀ − delta) · scale    dq = s · k    dk = sᵀ · q
// where delta [..., L] is the sum of g ∘ out over a row.
//
// A mask of bools says what is seen. Where q, k and v are 16-bit floats so are results, g and what
// gradients are of; the other operands, and all that is computed, are float32. Numbers are widened
// as they are packed, or read in pairs where tiles multiply bfloat16; results are rounded once. The
// rest, which `out` lost then, makes for an exact delta.
//
// Products run on the register tiles of matrix multiplication, what is between them on kernels of
// gleed/compiler/attention.py. Keys are taken `block` at a time, which fit the second-level cache
// with their values, and against them queries 48 at a time, or 24 where the diagonal divides keys.
// Results depend on sizes only.
// Source: T. Dao et al., "FlashAttention", 2022.
#pragma once

#include <span>
#include <string_view>
#include <utility>

#include "contraction.h"
#include "contraction_pack.h"
#include "kernel.h"
#include "library.h"

namespace gleed {

constexpr int64_t kQueryBlock = 48;  // rows of whole tiles
constexpr int64_t kDiagonal = 24;    // beside the diagonal, where the next rows see more keys

struct AttentionShape {
  DType dtype, sums;   // of q, k and v; of what is computed
  int64_t item, wide;  // their bytes
  int64_t heads, group, queries, keys, depth, columns;
  bool causal, masked;

  bool narrow() const { return dtype != sums; }
  int64_t key_block() const;
  // The queries that go from `i` on through keys from `first` on together, if there are so many.
  int64_t together(int64_t i, int64_t first, int64_t count) const {
    return causal && i < first + count ? kDiagonal : kQueryBlock;
  }
  double work() const;  // multiplications of q · kᵀ and p · v
};

// Reads and checks the operands, whose dtypes `kinds` tells: "n" that of q, "w" that of sums, "m"
// the mask, which may be missing. False with an exception set.
bool describe_attention(const RoutineGeometry& g, std::string_view kinds, AttentionShape& shape);

// How items, each one of `count` or one of the equal `parts` of it, are divided into tasks.
struct AttentionTasks {
  int64_t parts, tasks;
  size_t each;  // bytes of workspace of a task

  AttentionTasks() = default;
  AttentionTasks(const AttentionShape& shape, int64_t count, int64_t blocks, size_t each);
};

// Places in the workspace of a task, one after another.
struct Places {
  size_t used = 0;  // bytes

  size_t take(size_t bytes) { return std::exchange(used, used + round_up(bytes, 64)); }
};

// A matrix of one head; strides in bytes. A vector is a column.
struct Matrix {
  char* at;
  int64_t row, column;

  char* to(int64_t i) const { return at + i * row; }
};
Matrix matrix_of(const RoutineCall& call, size_t operand, int64_t head, int axes = 2);
void clear(Matrix x, int64_t rows, int64_t row_bytes);

// Rows of an operand a, some at a time: where they lie, or copies as wide as sums.
class Rows {
 public:
  // For an operand and up to so many rows of so many columns; false with an exception set.
  bool init(const AttentionShape& shape, const Layout& x, int64_t rows, int64_t columns);
  // `copy` has room for bytes().
  Matrix operator()(Matrix x, int64_t rows, char* copy) const;
  size_t bytes() const { return bytes_; }
  DType tiles() const { return tiles_; }  // the dtype of the tiles that read them

 private:
  DType tiles_;
  KernelFunction widen_ = nullptr;
  int64_t columns_, wide_;
  size_t bytes_ = 0;
};

// An operand b of a product, packed in panels for the tiles of a dtype: lanes are its columns.
class Panels {
 public:
  // For strides in bytes and up to so many lanes and steps; false with an exception set.
  bool init(DType dtype, DType tiles, int64_t lane_stride, int64_t step_stride, int64_t lanes,
            int64_t steps);
  void pack(const char* source, int64_t lanes, int64_t steps, char* target) const;
  size_t bytes() const { return bytes_; }
  int64_t width() const { return width_; }
  int64_t stride() const { return stride_; }

 private:
  Packer pack_;
  int64_t item_, lane_stride_, step_stride_, width_, stride_;
  size_t bytes_;
};

// c = a · b, or c += a · b, on tiles. c has the dtype of their sums.
class TileProduct {
 public:
  // `rows`, `columns`: what the sizes of products may be, but for whole blocks less. `padded`: c
  // has room for whole vectors.
  bool init(DType dtype, std::span<const int64_t> rows, int64_t columns, bool padded);
  void run(Matrix a, const Panels& panels, const char* b, char* c, int64_t c_row, int64_t rows,
           int64_t columns, int64_t depth, bool add) const;

 private:
  static constexpr int kMaxRows = 8, kMaxVectors = 4;
  bool find(DType dtype, int64_t rows, int64_t columns);

  TileFamily family_;
  int64_t item_;
  bool padded_;
  MicroKernel tiles_[kMaxRows + 1][kMaxVectors + 1] = {};  // the last row: of ragged tiles
  MicroKernel ragged_[kMaxRows + 1][kMaxVectors + 1] = {};
};

// A kernel of gleed/compiler/attention.py on sums for these classes of strides; `other` is the
// dtype of what it reads or writes besides. Null with an exception set.
KernelFunction attention_kernel(const char* name, DType sums, Orientation orientation,
                                const char* classes, DType other);
inline KernelFunction attention_kernel(const char* name, DType sums, Orientation orientation,
                                       const char* classes) {
  return attention_kernel(name, sums, orientation, classes, sums);
}
// The one that adds a mask to scores.
KernelFunction mask_kernel(const AttentionShape& shape, const RoutineOperand& mask);

// Runs a kernel over rows × columns of its operands.
void launch(KernelFunction kernel, int64_t rows, int64_t columns,
            std::initializer_list<Matrix> operands);

// The number one of a dtype.
const char* one_of(DType dtype);

void bind_attention(nanobind::module_& m);  // set_attention_kernels(find)

}  // namespace gleed
