#include "layout.h"

#include <algorithm>

namespace gleed {

static int64_t saturating_add(int64_t a, int64_t b) {
  int64_t sum;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a < 0 ? INT64_MIN : INT64_MAX;
}

static int64_t saturating_mul(int64_t a, int64_t b) {
  int64_t product;
  if (!__builtin_mul_overflow(a, b, &product)) return product;
  return (a < 0) != (b < 0) ? INT64_MIN : INT64_MAX;
}

int64_t count(std::span<const int64_t> sizes) {
  int64_t product = 1;
  bool empty = false;
  for (int64_t size : sizes) {
    empty |= size == 0;
    product = saturating_mul(product, size);
  }
  return empty ? 0 : product;
}

Layout contiguous_layout(std::span<const int64_t> sizes) {
  Layout out;
  out.ndim = static_cast<int32_t>(sizes.size());
  int64_t stride = 1;
  for (int i = out.ndim - 1; i >= 0; --i) {
    out.sizes[i] = sizes[i];
    out.strides[i] = stride;
    stride = saturating_mul(stride, std::max<int64_t>(sizes[i], 1));
  }
  out.numel = count(sizes);
  return out;
}

void refresh(Layout& layout) {
  layout.numel = count(layout.shape());
  int64_t expected = 1;
  bool contiguous = true;
  for (int i = layout.ndim - 1; i >= 0; --i) {
    if (layout.sizes[i] == 1) continue;
    contiguous &= layout.strides[i] == expected;
    expected = saturating_mul(expected, layout.sizes[i]);
  }
  layout.contiguous = contiguous || layout.numel == 0;
}

bool same_sizes(const Layout& a, const Layout& b) {
  return a.ndim == b.ndim && std::equal(a.sizes, a.sizes + a.ndim, b.sizes);
}

bool injective(const Layout& layout) {
  if (layout.contiguous) return true;
  struct Axis {
    int64_t stride, size;
  } axes[kMaxDims];
  int n = 0;
  for (int i = 0; i < layout.ndim; ++i) {
    const int64_t stride = layout.strides[i];
    if (layout.sizes[i] > 1) axes[n++] = {stride < 0 ? -stride : stride, layout.sizes[i]};
  }
  std::sort(axes, axes + n, [](Axis a, Axis b) { return a.stride < b.stride; });
  int64_t reach = 0;  // the furthest element of the axes so far
  for (int i = 0; i < n; ++i) {
    if (axes[i].stride <= reach) return false;
    reach = saturating_add(reach, saturating_mul(axes[i].stride, axes[i].size - 1));
  }
  return true;
}

Layout permute(const Layout& in, std::span<const int64_t> axes) {
  Layout out;
  out.ndim = in.ndim;
  out.offset = in.offset;
  for (int i = 0; i < in.ndim; ++i) {
    out.sizes[i] = in.sizes[axes[i]];
    out.strides[i] = in.strides[axes[i]];
  }
  refresh(out);
  return out;
}

Layout expand(const Layout& in, std::span<const int64_t> sizes) {
  Layout out;
  out.ndim = static_cast<int32_t>(sizes.size());
  out.offset = in.offset;
  const int added = out.ndim - in.ndim;
  for (int i = 0; i < out.ndim; ++i) {
    const bool kept = i >= added && in.sizes[i - added] == sizes[i];
    out.sizes[i] = sizes[i];
    out.strides[i] = kept ? in.strides[i - added] : 0;
  }
  refresh(out);
  return out;
}

// Neighbouring axes that are dense among themselves are joined into groups, and each group is split
// anew into a run of output axes, from the last on.
bool reshape(const Layout& in, std::span<const int64_t> sizes, Layout& out) {
  if (in.contiguous) {
    const int64_t offset = in.offset;
    out = contiguous_layout(sizes);
    out.offset = offset;
    return true;
  }
  struct Group {
    int64_t size, stride;
  } groups[kMaxDims];
  int n = 0;
  for (int i = 0; i < in.ndim; ++i) {
    const int64_t size = in.sizes[i], stride = in.strides[i];
    if (size == 1) continue;
    if (n > 0 && groups[n - 1].stride == stride * size) {
      groups[n - 1] = {groups[n - 1].size * size, stride};
    } else {
      groups[n++] = {size, stride};
    }
  }
  Layout result;
  result.ndim = static_cast<int32_t>(sizes.size());
  result.offset = in.offset;
  int64_t left = 1, stride = n > 0 ? groups[n - 1].stride : 1;
  for (int i = result.ndim - 1; i >= 0; --i) {
    if (sizes[i] != 1 && left == 1) {
      if (n == 0) return false;
      left = groups[--n].size;
      stride = groups[n].stride;
    }
    if (left % sizes[i] != 0) return false;
    result.sizes[i] = sizes[i];
    result.strides[i] = stride;
    stride *= sizes[i];
    left /= sizes[i];
  }
  refresh(result);
  out = result;
  return true;
}

Layout slice(const Layout& in, int axis, int64_t start, int64_t step, int64_t length) {
  Layout out = in;
  // An empty slice may start beyond the end; its offset must stay inside the storage.
  if (length > 0) out.offset += start * in.strides[axis];
  out.sizes[axis] = length;
  out.strides[axis] = saturating_mul(in.strides[axis], step);
  refresh(out);
  return out;
}

Layout select(const Layout& in, int axis, int64_t index) {
  Layout out;
  out.ndim = in.ndim - 1;
  out.offset = in.offset + index * in.strides[axis];
  for (int i = 0; i < out.ndim; ++i) {
    const int from = i < axis ? i : i + 1;
    out.sizes[i] = in.sizes[from];
    out.strides[i] = in.strides[from];
  }
  refresh(out);
  return out;
}

Layout diagonal(const Layout& in, int64_t offset, int axis1, int axis2) {
  Layout out;
  out.ndim = in.ndim - 1;
  out.offset = in.offset;
  int to = 0;
  for (int i = 0; i < in.ndim; ++i) {
    if (i == axis1 || i == axis2) continue;
    out.sizes[to] = in.sizes[i];
    out.strides[to++] = in.strides[i];
  }
  const int64_t rows = in.sizes[axis1] - (offset < 0 ? -offset : 0);
  const int64_t columns = in.sizes[axis2] - (offset > 0 ? offset : 0);
  const int64_t length = std::max<int64_t>(std::min(rows, columns), 0);
  if (length > 0)
    out.offset += offset < 0 ? -offset * in.strides[axis1] : offset * in.strides[axis2];
  out.sizes[to] = length;
  out.strides[to] = in.strides[axis1] + in.strides[axis2];
  refresh(out);
  return out;
}

Layout window(const Layout& in, int axis, int64_t size, int64_t step) {
  Layout out = in;
  out.ndim = in.ndim + 1;
  out.sizes[axis] = (in.sizes[axis] - size) / step + 1;
  out.strides[axis] = saturating_mul(in.strides[axis], step);
  out.sizes[in.ndim] = size;
  out.strides[in.ndim] = in.strides[axis];
  refresh(out);
  return out;
}

Layout as_strided(std::span<const int64_t> sizes, std::span<const int64_t> strides,
                  int64_t offset) {
  Layout out;
  out.ndim = static_cast<int32_t>(sizes.size());
  out.offset = offset;
  std::copy(sizes.begin(), sizes.end(), out.sizes);
  std::copy(strides.begin(), strides.end(), out.strides);
  refresh(out);
  return out;
}

void extent(const Layout& layout, int64_t* lo, int64_t* hi) {
  *lo = *hi = layout.offset;
  if (layout.numel == 0) return;
  for (int i = 0; i < layout.ndim; ++i) {
    const int64_t reach = saturating_mul(layout.strides[i], layout.sizes[i] - 1);
    int64_t* end = reach < 0 ? lo : hi;
    *end = saturating_add(*end, reach);
  }
  constexpr int64_t kFar = INT64_MAX / 64;  // outside of every storage; its bytes can be counted
  *lo = std::clamp(*lo, -kFar, kFar), *hi = std::clamp(saturating_add(*hi, 1), -kFar, kFar);
}

}  // namespace gleed
