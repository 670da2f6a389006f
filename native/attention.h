// Attention by blocks: the routines "attention" and "attention_gradient".
//
//   ("library", "attention", (q, k, v, scale[, mask], out, lse), (causal,), ())
//   ("library", "attention_gradient",
//    (q, k, v, scale, g, lse, delta[, mask], dq, dk, dv), (causal,), ())
//
// q is [..., L, E], k [..., S, E], v [..., S, Ev], mask [..., L, S] with equal leading axes (a pair
// of matrices for each is a *head*) and any strides; scale is a number. Of the weights
//   p = softmax(q · kᵀ · scale + mask)     (causal: query i sees keys 0 … i)
// only a block exists at a time. out = p · v; lse [..., L] is the logarithm of what softmax divides
// by, +inf for a query that sees nothing. From these the gradient computes its block of p again:
//   dv = pᵀ · g    s = p ∘ (g · vᵀ − delta) · scale    dq = s · k    dk = sᵀ · q
// where delta [..., L] is the sum of g ∘ out over a row.
//
// Products run on the register tiles of matrix multiplication, what is between them on kernels of
// gleed/compiler/attention.py. Keys are taken `block` at a time, which fit the second-level cache
// with their values, and against them queries 48 at a time. Results depend on sizes only.
// Source: T. Dao et al., "FlashAttention", 2022.
#pragma once

#include <span>

#include "contraction_pack.h"
#include "kernel.h"
#include "library.h"

namespace gleed {

constexpr int64_t kQueryBlock = 48;  // rows of whole tiles

struct AttentionShape {
  DType dtype;
  int64_t item;
  int64_t heads, queries, keys, depth, columns;
  bool causal, masked;

  int64_t key_block() const;
  double work() const;  // multiplications of q · kᵀ and p · v
};

// Reads and checks the operands, of which there are `count` without a mask, whose place is `mask`.
// False with an exception set.
bool describe_attention(const RoutineGeometry& g, size_t count, size_t mask, AttentionShape& shape);

// How items, each a head or one of the equal `parts` of it, are divided into tasks.
struct AttentionTasks {
  int64_t parts, tasks;
  size_t each;  // bytes of workspace of a task

  AttentionTasks() = default;
  AttentionTasks(const AttentionShape& shape, int64_t blocks, size_t each);
};

// A matrix of one head; strides in bytes. A vector is a column.
struct Matrix {
  char* at;
  int64_t row, column;

  char* to(int64_t i) const { return at + i * row; }
};
Matrix matrix_of(const RoutineCall& call, size_t operand, int64_t head, int axes = 2);
void clear(Matrix x, int64_t rows, int64_t row_bytes);

// An operand b of a product, packed in panels: lanes are its columns.
class Panels {
 public:
  // For strides in bytes and up to so many lanes and steps; false with an exception set.
  bool init(DType dtype, int64_t lane_stride, int64_t step_stride, int64_t lanes, int64_t steps);
  void pack(const char* source, int64_t lanes, int64_t steps, char* target) const;
  size_t bytes() const { return bytes_; }
  int64_t width() const { return width_; }
  int64_t stride() const { return stride_; }

 private:
  Packer pack_;
  int64_t item_, lane_stride_, step_stride_, width_, stride_;
  size_t bytes_;
};

// c = a · b, or c += a · b, on tiles.
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

// A kernel of gleed/compiler/attention.py for these classes of strides; null with an exception set.
KernelFunction attention_kernel(const char* name, DType dtype, Orientation orientation,
                                const char* classes);
// The class of a stride, in bytes.
char stride_class(int64_t stride, int64_t item);

// Runs a kernel over rows × columns of its operands.
void launch(KernelFunction kernel, int64_t rows, int64_t columns,
            std::initializer_list<Matrix> operands);

// The number one of a dtype.
const char* one_of(DType dtype);

void bind_attention(nanobind::module_& m);  // set_attention_kernels(find)

}  // namespace gleed
