// The routine "logcumsumexp": log(exp(x0) + … + exp(xi)) for every i along an axis, without
// overflow.
//
// operands: x, result (row-major). dims: axis. float32 and float64, accumulated in float64.
#include <cmath>
#include <limits>

#include "errors.h"
#include "library.h"
#include "rows.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr int64_t kTaskWork = 1 << 11;  // elements that make a task
constexpr double kNanoseconds = 15;     // per element

// The sum so far is total * exp(top), where top is the greatest element so far.
template <class T>
void accumulate(const T* x, int64_t stride, T* y, int64_t step, int64_t length) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double top = -kInfinity, total = 0;
  for (int64_t i = 0; i < length; ++i) {
    const double value = x[i * stride];
    if (value > top) {
      total = total * std::exp(top - value) + 1;
      top = value;
    } else if (std::abs(value) != kInfinity) {
      total += std::exp(value - top);  // NaN stays from here on
    }
    y[i * step] = static_cast<T>(top + std::log(total));
  }
}

template <class T>
void run(const RoutineCall& call, const Rows& x, const Rows& y) {
  const int64_t tasks = row_tasks(x.count(), x.length, kTaskWork, 0);
  parallel_for(tasks, [&](int64_t task) {
    const int64_t end = (task + 1) * x.count() / tasks;
    for (int64_t row = task * x.count() / tasks; row < end; ++row) {
      accumulate(reinterpret_cast<const T*>(call.pointers[0]) + x.offset(row), x.stride,
                 reinterpret_cast<T*>(call.pointers[1]) + y.offset(row), y.stride, x.length);
    }
  });
}

bool prepare(const RoutineGeometry& g, RoutinePlan& plan) {
  const bool fits =
      g.operands.size() == 2 && g.dims.size() == 1 && g.operands[0].dtype == g.operands[1].dtype &&
      (g.operands[0].dtype == DType::kFloat32 || g.operands[0].dtype == DType::kFloat64) &&
      same_sizes(*g.operands[0].layout, *g.operands[1].layout);
  if (!fits) {
    raise("ValueError", "logcumsumexp: operands are x and a result like it; the plan gives others");
    return false;
  }
  plan.nanoseconds = kNanoseconds * static_cast<double>(g.operands[0].layout->numel);
  return true;
}

void execute(const RoutineCall& call) {
  const RoutineGeometry& g = call.geometry;
  if (g.operands[0].layout->numel == 0) return;
  const Rows x(*g.operands[0].layout, g.dims[0]), y(*g.operands[1].layout, g.dims[0]);
  if (g.operands[0].dtype == DType::kFloat32) {
    run<float>(call, x, y);
  } else {
    run<double>(call, x, y);
  }
}

const RegisterRoutine registered({.name = "logcumsumexp", .prepare = prepare, .execute = execute});

}  // namespace

}  // namespace gleed
