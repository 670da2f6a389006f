#include "pointwise_layout.h"

#include <cstdlib>
#include <utility>

namespace gleed {

namespace {

// The stride along dimension `d` of the result; 0 where the operand is broadcast.
int64_t stride_at(const Layout& layout, std::span<const int64_t> sizes, int d) {
  const int own = d - (static_cast<int>(sizes.size()) - layout.ndim);
  if (own < 0 || (layout.sizes[own] == 1 && sizes[d] != 1)) return 0;
  return std::abs(layout.strides[own]);
}

// -1: dimension a lies inside of b; 1: outside; 0: nobody tells.
int compare(std::span<const int64_t> sizes, std::span<const Layout* const> like, int a, int b) {
  for (const Layout* layout : like) {
    const int64_t x = stride_at(*layout, sizes, a), y = stride_at(*layout, sizes, b);
    if (x == 0 || y == 0) continue;
    if (x != y) return x < y ? -1 : 1;
    if (sizes[a] > sizes[b]) return 1;
  }
  return 0;
}

bool all_contiguous(std::span<const int64_t> sizes, std::span<const Layout* const> like) {
  for (const Layout* layout : like) {
    if (!layout->contiguous || layout->ndim != static_cast<int>(sizes.size())) return false;
  }
  return true;
}

}  // namespace

Layout pointwise_layout(std::span<const int64_t> sizes, std::span<const Layout* const> like) {
  Layout result = contiguous_layout(sizes);
  if (all_contiguous(sizes, like)) return result;
  const int ndim = result.ndim;
  int order[kMaxDims];  // innermost first
  for (int i = 0; i < ndim; ++i) order[i] = ndim - 1 - i;
  for (int i = 1; i < ndim; ++i) {
    int moving = i;
    for (int other = i - 1; other >= 0; --other) {
      const int decided = compare(sizes, like, order[other], order[moving]);
      if (decided < 0) break;
      if (decided > 0) {
        std::swap(order[other], order[moving]);
        moving = other;
      }
    }
  }
  int64_t stride = 1;
  for (int i = 0; i < ndim; ++i) {
    result.strides[order[i]] = stride;
    if (__builtin_mul_overflow(stride, sizes[order[i]] ? sizes[order[i]] : 1, &stride)) break;
  }
  refresh(result);
  return result;
}

}  // namespace gleed
