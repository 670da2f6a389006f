// From a kernel over an iteration space to loops of machine code: staging, order and collapse of
// axes, orientation, variant, division between threads.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "binding.h"

namespace gleed {

// One operand over the iteration space.
struct Access {
  Place place;
  DType dtype;
  bool value;  // memory; not an "index" or "status" operand
  bool writes;
  bool element = false;  // moves along reduced axes, or would if their sizes were not 1
  std::array<int64_t, kMaxAxes> strides = {};  // per axis, in bytes ("index": plain numbers)
};

// A kernel over a concrete iteration space: parallel axes first, then reduced ones.
struct Launch {
  Kernel* kernel;
  int parallel = 0, reduced = 0;
  std::array<int64_t, kMaxAxes> sizes = {};
  std::vector<Access> operands;
  // If any, the loops run as if these were the operands that are read, which decides in which order
  // a reduction adds.
  std::vector<Access> guides;
  std::vector<uint64_t> params;
  std::vector<std::pair<int, int>> scalars;

  int axes() const { return parallel + reduced; }
  int64_t count(int from, int to) const;  // product of sizes, saturating
  // Whether two operands in one memory are at the same place at every point.
  bool same_access(const Access& a, const Access& b) const;
};

void swap_axes(Launch& launch, int i, int j);
void remove_axis(Launch& launch, int axis);

// Makes one axis of neighbours among some that every operand and every guide walks through as one.
void collapse(Launch& launch, int from, int to);

// Drops axes of one point, orders the others as memory is, and makes one of those that can be.
void simplify(Launch& launch);

// The launch as its guides have it: what decides how its loops run.
Launch guided(const Launch& launch);

// What launches are bound into.
struct LaunchTarget {
  std::vector<BoundStep>* steps;
  // Memory that lives during the steps being added; false with an exception set.
  std::function<bool(int64_t bytes, Place& place)> scratch;
};

// Adds the steps that run a launch. False with an exception set.
bool bind_launch(Launch launch, LaunchTarget& target);

// Adds a launch to what a routine runs for blocks of its result, which is read as an operand of the
// launch; or, with `before`, of its own operand of that number, which is a temporary and the last
// operand of the launch. `joined` is false if it had better wait for all of the result, or come
// before the routine, or must. False with an exception set.
bool join_blocks(Launch launch, int operand, bool before, BoundRoutine& routine, bool& joined);

// Kernels that copy, by dtype: for staging operands, and registered from Python.
void set_identity_kernel(DType dtype, Kernel* kernel);
Kernel* identity_kernel(DType dtype);  // borrowed; null with an exception set

}  // namespace gleed
