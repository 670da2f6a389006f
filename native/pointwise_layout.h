// The strides of what a pointwise operation returns.
#pragma once

#include <span>

#include "layout.h"

namespace gleed {

// A dense layout of `sizes` whose dimensions lie in memory in the order in which those of `like`
// do, as PyTorch's TensorIterator chooses it: row-major where they are or where they disagree.
// Shapes in `like` are aligned at their trailing dimensions and broadcast.
Layout pointwise_layout(std::span<const int64_t> sizes, std::span<const Layout* const> like);

}  // namespace gleed
