// How elements lie in a storage, and the movements that only change that: no data is touched here.
#pragma once

#include <cstdint>
#include <span>

namespace gleed {

constexpr int kMaxDims = 16;

struct Layout {
  int32_t ndim = 0;
  bool contiguous = true;  // row-major without gaps; kept up to date by every function below
  int64_t numel = 1;
  int64_t offset = 0;  // in elements from the start of the storage
  int64_t sizes[kMaxDims];
  int64_t strides[kMaxDims];  // in elements; may be negative

  Layout() {}  // leaves sizes and strides unset: there are ndim of them, and setting all costs
  Layout(const Layout& other) { *this = other; }
  Layout& operator=(const Layout& other) {  // copies ndim entries only
    ndim = other.ndim;
    contiguous = other.contiguous;
    numel = other.numel;
    offset = other.offset;
    for (int i = 0; i < ndim; ++i) sizes[i] = other.sizes[i];
    for (int i = 0; i < ndim; ++i) strides[i] = other.strides[i];
    return *this;
  }

  std::span<const int64_t> shape() const { return {sizes, static_cast<size_t>(ndim)}; }
};

// The product of sizes; INT64_MAX if it does not fit. An allocation of so much fails clearly.
int64_t count(std::span<const int64_t> sizes);
// Row-major layout of the given sizes.
Layout contiguous_layout(std::span<const int64_t> sizes);
// Recomputes numel and contiguous from sizes and strides.
void refresh(Layout& layout);
// Whether two layouts describe the same sizes.
bool same_sizes(const Layout& a, const Layout& b);
// Whether elements of different indices never share memory (an expanded layout is not injective).
// May say false for exotic strides that are.
bool injective(const Layout& layout);

// Movements. Arguments are already normalised and checked (axes in range, bounds kept); those that
// can be impossible for given strides return false and leave `out` unspecified.
Layout permute(const Layout& in, std::span<const int64_t> axes);
Layout expand(const Layout& in, std::span<const int64_t> sizes);  // aligns trailing axes
bool reshape(const Layout& in, std::span<const int64_t> sizes, Layout& out);
Layout slice(const Layout& in, int axis, int64_t start, int64_t step, int64_t length);
Layout select(const Layout& in, int axis, int64_t index);
Layout diagonal(const Layout& in, int64_t offset, int axis1, int axis2);
Layout window(const Layout& in, int axis, int64_t size, int64_t step);  // Tensor.unfold
Layout as_strided(std::span<const int64_t> sizes, std::span<const int64_t> strides, int64_t offset);
// The extent [lo, hi) of elements, relative to the storage, that a layout may touch. Saturates, so
// a comparison with the size of a storage is right even for absurd strides.
void extent(const Layout& layout, int64_t* lo, int64_t* hi);

}  // namespace gleed
