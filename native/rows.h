// The rows of a tensor along one axis, for routines that treat each by itself.
#pragma once

#include <algorithm>
#include <cstdint>

#include "layout.h"

namespace gleed {

struct Rows {
  Layout outer;  // all axes but one
  int64_t length, stride;

  Rows(const Layout& x, int64_t axis) {
    length = x.ndim ? x.sizes[axis] : 1;
    stride = x.ndim ? x.strides[axis] : 1;
    outer.ndim = 0;
    outer.numel = 1;
    for (int a = 0; a < x.ndim; ++a) {
      if (a == axis) continue;
      outer.sizes[outer.ndim] = x.sizes[a];
      outer.strides[outer.ndim++] = x.strides[a];
      outer.numel *= x.sizes[a];
    }
  }
  int64_t count() const { return outer.numel; }
  // Where row number `row` begins, in elements.
  int64_t offset(int64_t row) const {
    int64_t at = 0;
    for (int a = outer.ndim - 1; a >= 0; --a) {
      at += row % outer.sizes[a] * outer.strides[a];
      row /= outer.sizes[a];
    }
    return at;
  }
};

// How rows are divided into tasks: by sizes only. `work` elements make a task worth its while, and
// `bytes` of workspace are needed by each.
inline int64_t row_tasks(int64_t rows, int64_t length, int64_t work, size_t bytes) {
  constexpr int64_t kMaxTasks = 64;
  constexpr size_t kWorkspace = 32 << 20;
  const int64_t fit = std::max<int64_t>(2, static_cast<int64_t>(kWorkspace / (bytes + 1)));
  const int64_t wanted = rows * std::max<int64_t>(length, 1) / work;
  return std::clamp<int64_t>(wanted, 1, std::min({std::max<int64_t>(rows, 1), kMaxTasks, fit}));
}

}  // namespace gleed
