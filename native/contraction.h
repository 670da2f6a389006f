// Matrix multiplication: the routine "matmul".
//
//   ("library", "matmul", (a, b, out), (), ())
//   ("library", "matmul", (a, b, bias, out), (relu,), ())
//
// multiplies a [..., m, k] by b [..., k, n] into out [..., m, n], with equal leading (batch) axes
// and one dtype. Strides of a and b are arbitrary: transposed, broadcast (0), negative. `out` is
// fresh and row-major. The second form adds bias [n] to every row and, if the dim cell `relu` is
// not zero, replaces negative results by zero; 16-bit results are rounded once, after that.
//
// float32 and float64 are multiplied as they are; float16 and bfloat16 with float32 sums; integers
// wrap around; bool is any(and). The order in which an element's products are summed depends on
// sizes and strides only: results are the same bits for any number of threads.
//
// How: `prepare` reduces the operands to a Product and a batch, and picks a Multiplier,
//   contraction_blocked   register tiles over packed or direct operands (most products)
//   contraction_dot       dot products, where one side is very thin and both are contiguous in
//   depth contraction_plain     plain loops for integers, bool and complex numbers
// The machine code of tiles, dot products and packing is generated (contraction_kernels).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "dtype.h"
#include "library.h"

namespace gleed {

// c[m, n] = a[m, k] · b[k, n]; strides in bytes; c has unit stride along n. The stride of an axis
// of size 1 is that of a contiguous one.
struct Product {
  DType dtype;
  int64_t m, n, k;
  int64_t a_row, a_depth;
  int64_t b_depth, b_column;
  int64_t c_row;
  bool bias = false, relu = false;
  bool b_fixed = false;     // many products with one b will follow one another
  bool a_computed = false;  // a may have no memory

  // Multiplications, with thin products counted as what reading their operands costs.
  double work() const;
};

struct ProductPointers {
  const char* a;
  const char* b;
  char* c;
  const char* bias;  // n neighbours, or null
  char* workspace;   // 64-byte aligned
  bool again;        // where b is fixed: not the first product, the workspace is as it was left
  const Epilogue* epilogue = nullptr;  // is told of every block of c that is finished
  const Prologue *a_prologue = nullptr, *b_prologue = nullptr;  // null: the operand has memory

  void finish(const char* block, int64_t rows, int64_t columns) const {
    if (epilogue) (*epilogue)(block, rows, columns);
  }
};

// A way to compute one Product, ready to run; it divides large ones between threads.
class Multiplier {
 public:
  virtual ~Multiplier() = default;
  virtual void run(const ProductPointers& at) const = 0;

  size_t workspace = 0;  // bytes
  // How often `run` computes each element of an operand that has no memory; 0: it must have some.
  int64_t computes_a = 0, computes_b = 0;
};

// A block of an operand, as rows of a or columns of b: lane i at depth k lies `i * lane + k * step`
// bytes behind `at`.
struct Lanes {
  const char* at;
  int64_t lane, step;

  // The same of what may have no memory, whose depth has unit stride then: it is computed into
  // `kScratch` bytes that the thread has for that.
  Lanes fetched(const Prologue* prologue, int64_t lanes, int64_t depth) const;
};

constexpr int64_t kScratch = 512 << 10;
// Bytes of a lane that is computed that way. They begin at different places of the sets of a cache.
int64_t scratch_pitch(int64_t depth, int64_t item);

// Null with a Python exception set when a micro-kernel cannot be had.
std::unique_ptr<Multiplier> make_blocked(const Product& product);
std::unique_ptr<Multiplier> make_dot(const Product& product);
std::unique_ptr<Multiplier> make_deep(const Product& product);
std::unique_ptr<Multiplier> make_plain(const Product& product);

// The best of them for a product.
std::unique_ptr<Multiplier> make_multiplier(const Product& product);

// Whether make_dot, make_deep serve a product, and better than tiles would.
bool suits_dot(const Product& product);
bool suits_deep(const Product& product);

// Part `i` of `parts` of `count` things: [begin, end).
struct Range {
  int64_t begin, end;
};
inline Range part(int64_t count, int64_t parts, int64_t i) {
  return {count * i / parts, count * (i + 1) / parts};
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// Into how many tasks so much work is divided. By size only, so that results do not depend on the
// number of threads, and into no more than a queue needs to be fair.
int64_t task_count(double work);

}  // namespace gleed
