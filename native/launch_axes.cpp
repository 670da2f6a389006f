#include <algorithm>
#include <cstdlib>

#include "launch.h"

namespace gleed {

namespace {

// Whether axis j should lie outside of axis i, by the first operand that tells: written ones first.
bool belongs_outside(const Launch& launch, int i, int j) {
  for (bool writes : {true, false}) {
    const bool guided = !writes && !launch.guides.empty();
    for (const Access& access : guided ? launch.guides : launch.operands) {
      if (!access.value || access.writes != writes) continue;
      const int64_t a = std::abs(access.strides[i]), b = std::abs(access.strides[j]);
      if (a && b && a != b) return b > a;
    }
  }
  return false;
}

void sort_axes(Launch& launch, int from, int to) {
  for (int i = from + 1; i < to; ++i) {
    for (int j = i; j > from && belongs_outside(launch, j - 1, j); --j) swap_axes(launch, j - 1, j);
  }
}

}  // namespace

void swap_axes(Launch& launch, int i, int j) {
  std::swap(launch.sizes[i], launch.sizes[j]);
  for (auto* accesses : {&launch.operands, &launch.guides}) {
    for (Access& access : *accesses) std::swap(access.strides[i], access.strides[j]);
  }
}

void remove_axis(Launch& launch, int axis) {
  for (int i = axis; i + 1 < launch.axes(); ++i) swap_axes(launch, i, i + 1);
  --(axis < launch.parallel ? launch.parallel : launch.reduced);
}

void collapse(Launch& launch, int from, int to) {
  for (int i = to - 1; i > from; --i) {
    const auto joins = [&](const Access& access) {
      int64_t step;
      return !__builtin_mul_overflow(access.strides[i], launch.sizes[i], &step) &&
             access.strides[i - 1] == step;
    };
    if (!std::all_of(launch.operands.begin(), launch.operands.end(), joins) ||
        !std::all_of(launch.guides.begin(), launch.guides.end(), joins)) {
      continue;
    }
    launch.sizes[i - 1] *= launch.sizes[i];
    for (auto* accesses : {&launch.operands, &launch.guides}) {
      for (Access& access : *accesses) access.strides[i - 1] = access.strides[i];
    }
    remove_axis(launch, i);
  }
}

void simplify(Launch& launch) {
  for (int i = launch.axes() - 1; i >= 0; --i) {
    if (launch.sizes[i] == 1) remove_axis(launch, i);
  }
  const Kernel& kernel = *launch.kernel;
  if (!kernel.sequential) sort_axes(launch, 0, launch.parallel);
  if (!kernel.ordered) sort_axes(launch, launch.parallel, launch.axes());
  collapse(launch, launch.parallel, launch.axes());
  collapse(launch, 0, launch.parallel);
}

Launch guided(const Launch& launch) {
  Launch shape = launch;
  shape.operands.swap(shape.guides);
  shape.guides.clear();
  for (const Access& access : launch.operands) {
    if (access.writes) shape.operands.push_back(access);
  }
  simplify(shape);
  return shape;
}

}  // namespace gleed
