// View steps: what a movement makes of a layout, and whether its arguments lie within it.
#pragma once

#include "steps.h"

namespace gleed {

// The layout of a view, for all movements but as_strided; `expected` has its sizes. False with an
// exception set.
bool apply_movement(const ViewStep& step, const std::vector<int64_t>& cells, const Layout& in,
                    const Layout& expected, Layout& out);

// Raises that a part of a dimension is not inside; false.
bool outside(const char* op, int64_t start, int64_t length, int64_t size);

}  // namespace gleed
