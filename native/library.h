// Routines: what runs in a plan's "library" steps, next to generated kernels (matmul, sort,
// nonzero, random fills …). A routine lives in a file of its own and registers itself by name:
//
//   namespace {
//   bool prepare(const RoutineGeometry& g, RoutinePlan& plan) {
//     plan.workspace = g.operands[0].layout->numel * sizeof(int64_t);
//     plan.nanoseconds = 0.3 * g.operands[0].layout->numel;
//     return true;
//   }
//   void execute(const RoutineCall& c) { … c.pointers[0] … c.workspace … }
//   const RegisterRoutine registered({.name = "sort", .prepare = prepare, .execute = execute});
//   }  // namespace
//
// A plan names it as ("library", "sort", values, dims, scalars): `values` are its operands (earlier
// values to read, allocated ones to write), `dims` dim cells, `scalars` indices of run-time
// numbers. Kernels that follow it point by point may be part of the step: see Epilogue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "dtype.h"
#include "layout.h"

namespace gleed {

struct RoutineOperand {
  DType dtype;
  const Layout* layout;   // sizes and strides; its offset is already in RoutineCall::pointers
  bool fixed = false;     // in a loop: the same elements in all turns
  bool computed = false;  // may have no memory, see RoutinePlan::computed
};

// What is known when a plan is bound to sizes, once for many calls.
struct RoutineGeometry {
  std::span<const RoutineOperand> operands;
  std::span<const int64_t> dims;
};

// What `prepare` decides.
struct RoutinePlan {
  size_t workspace = 0;         // bytes of scratch memory, 64-byte aligned, uninitialised
  double nanoseconds = 0;       // estimated time on one thread; above 50 µs the GIL is released
  std::shared_ptr<void> state;  // anything `execute` should find ready, such as a chosen blocking
  // If `execute` tells of every block of the last operand, which is row-major, that it is finished:
  // how many elements a row of blocks has; else 0.
  int64_t row = 0;
  // Whether `execute` would compute its first operands if they had no memory: each element so many
  // times, in blocks of dense rows of so many elements.
  int64_t computed[2] = {0, 0}, computed_row = 0;
};

// What follows a routine point by point: computed of every block of its result while that lies in
// cache, by the thread that has finished it. A block is told by its first element and its size.
using Epilogue = std::function<void(const char* block, int64_t rows, int64_t columns)>;

// What an operand is that has no memory: computes a block of it, rows of neighbours in the
// operand's order, just before the routine reads it, in the thread that will. `block` is where the
// operand would have it; row i goes to `to + i * to_row`, in bytes.
using Prologue =
    std::function<void(const char* block, int64_t rows, int64_t columns, char* to, int64_t to_row)>;

// One execution. It may run without the GIL, so it must not touch Python.
struct RoutineCall {
  const RoutineGeometry& geometry;
  char* const* pointers;    // first element of each operand
  const uint64_t* scalars;  // run-time numbers: the bits of a double or of an int64 (see Call)
  char* workspace;
  void* state;
  int64_t* status;  // a nonzero value makes the core call the program's `explain`
  bool again;       // in a loop: not the first turn; the workspace is as the one before left it
  const Epilogue* epilogue = nullptr;  // null: nothing follows
  const Prologue* prologues[2] = {};   // of the first operands; null: it has memory
};

struct Routine {
  std::string_view name;
  // Checks the geometry. False with a Python exception set if it cannot be served. The GIL is held.
  bool (*prepare)(const RoutineGeometry& geometry, RoutinePlan& plan);
  void (*execute)(const RoutineCall& call);
  // For sizes that depend on data (nonzero, unique): the last `dynamic` operands are not allocated
  // by the plan and must be outputs of it that no other step uses. `measure` runs before `execute`,
  // with the same workspace, and writes the sizes of those operands, one after another, beginning
  // with what the plan says; the core then allocates them, row-major.
  int dynamic = 0;
  void (*measure)(const RoutineCall& call, int64_t* sizes) = nullptr;
  // How many of the first operands are only read; -1: all but the dynamic ones and the last.
  int inputs = -1;
};

void register_routine(const Routine& routine);
const Routine* find_routine(std::string_view name);  // null: unknown

struct RegisterRoutine {
  explicit RegisterRoutine(const Routine& routine) { register_routine(routine); }
};

}  // namespace gleed
