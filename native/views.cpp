#include "views.h"

#include "errors.h"

namespace gleed {

static bool expand_to(const Layout& in, const Layout& expected, Layout& out) {
  for (int i = 0; i < in.ndim; ++i) {
    const int64_t to = expected.sizes[expected.ndim - in.ndim + i];
    if (in.sizes[i] == to || in.sizes[i] == 1) continue;
    raise("ShapeError", "expand: only dimensions of size 1 can be repeated; size %lld to %lld",
          static_cast<long long>(in.sizes[i]), static_cast<long long>(to));
    return false;
  }
  out = expand(in, expected.shape());
  return true;
}

bool outside(const char* op, int64_t start, int64_t length, int64_t size) {
  raise("BoundsError", "%s: it must lie inside the dimension; start %lld, length %lld, size %lld",
        op, static_cast<long long>(start), static_cast<long long>(length),
        static_cast<long long>(size));
  return false;
}

bool apply_movement(const ViewStep& step, const std::vector<int64_t>& cells, const Layout& in,
                    const Layout& expected, Layout& out) {
  const std::vector<int>& a = step.arguments;
  switch (step.movement) {
    case Movement::kPermute: {
      const std::vector<int64_t> axes(a.begin(), a.end());
      out = permute(in, axes);
      return true;
    }
    case Movement::kReshape:
      if (expected.numel == in.numel && reshape(in, expected.shape(), out)) return true;
      raise("ShapeError",
            "view: the new shape must be reachable without copying; the strides do not allow it; "
            "use reshape()");
      return false;
    case Movement::kExpand:
      return expand_to(in, expected, out);
    case Movement::kSlice: {
      const int64_t start = cells[a[1]], length = cells[a[3]], size = in.sizes[a[0]];
      const int64_t last = start + (length - 1) * a[2];
      const bool inside = start >= 0 && start <= size && length >= 0 && length <= size &&
                          (length == 0 || (start < size && last >= 0 && last < size));
      if (!inside) return outside("slice", start, length, size);
      out = slice(in, a[0], start, a[2], length);
      return true;
    }
    case Movement::kDiagonal:
      out = diagonal(in, cells[a[2]], a[0], a[1]);
      return true;
    default: {
      const int64_t size = cells[a[1]], length = cells[a[2]];
      if (size < 0 || size > in.sizes[a[0]] || length <= 0) {
        return outside("unfold", length, size, in.sizes[a[0]]);
      }
      out = window(in, a[0], size, length);
      return true;
    }
  }
}

}  // namespace gleed
