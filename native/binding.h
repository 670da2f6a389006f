// A plan with concrete geometry: sizes are known, views are laid out, loops are collapsed, machine
// code is found. Running it takes no decisions.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "steps.h"

namespace gleed {

// Memory is addressed as a byte offset from a root: one of a few pointers that each run fills in.
enum Root : int32_t {
  kNoRoot,      // the offset is the value itself ("index" operands)
  kStatusRoot,  // the status cell
  kArenaRoot,   // temporaries, in one block
  kFirstRoot,   // then the inputs, the starts of the inputs' storages, fresh storages, and cursors
};

struct Place {
  int32_t root = kNoRoot;
  int64_t offset = 0;
};

struct BoundKernel {
  KernelFunction function = nullptr;
  std::vector<Place> places;      // one per operand
  std::vector<int64_t> geometry;  // as the machine-code interface has it
  std::vector<uint64_t> params;
  std::vector<std::pair<int, int>> scalars;  // (param, run-time scalar of the call)
  // Parallel axes that the core walks, outermost first; strides has one row of operands per axis.
  std::vector<int64_t> outer_sizes, outer_strides;
  // Division: axis (0…2 a loop of the geometry, 3+k an outer axis) into `tasks` parts of `chunk`.
  int64_t tasks = 1, chunk = 0;
  int axis = 0;
  bool tiled = false;  // n1 and n2 in tiles, for operands that disagree on what is innermost
  double nanoseconds = 0;
};

struct BoundRoutine {
  const Routine* routine;
  RoutinePlan plan;
  std::vector<Layout> layouts;
  std::vector<RoutineOperand> operands;
  std::vector<int64_t> dims;
  std::vector<Place> places;
  std::vector<int> scalars;
  Place workspace;
  std::vector<int> dynamic;  // values whose memory this makes: numbers of dynamic outputs
  // What follows block by block, and what computes operands that have no memory, which are the last
  // ones of its kernels; each with the operand of the kernel, or of this, that leads. Of geometry,
  // the loops n1 and n2 run over rows and columns.
  std::vector<std::pair<int, BoundKernel>> epilogue, prologue;
};

struct BoundLoop;
struct BoundChoice;
using BoundStep = std::variant<BoundKernel, BoundRoutine, std::unique_ptr<BoundLoop>,
                               std::unique_ptr<BoundChoice>>;

// A root that moves: in turn t it is `stride * t` bytes behind `start`.
struct Cursor {
  int32_t root;
  Place start;
  int64_t stride;
};

struct BoundLoop {
  int64_t count;
  std::vector<Cursor> cursors;
  std::vector<BoundStep> steps;
};

struct BoundChoice {
  Place predicate;
  bool repeats;
  std::vector<BoundStep> steps[2];
};

double nanoseconds(const BoundStep& step);  // estimated, on one thread

struct BoundOutput {
  enum class Kind : uint8_t {
    kFresh,    // a tensor over fresh storage number `source`
    kView,     // a view of input `source`
    kSame,     // input `source` itself
    kDynamic,  // made by a routine; `source` counts these
  };
  Kind kind;
  int source;
  bool absolute = false;  // kView: the layout's offset counts from the start of the storage
  DType dtype;
  Layout layout;
};

// as_strided views must stay inside a storage whose size no signature tells: bytes [lo, hi) from
// the root must.
struct ReachCheck {
  int input;
  bool absolute;
  int64_t lo, hi;
};

constexpr double kWorthReleasing = 50e3;  // nanoseconds of work for which the GIL is released
constexpr int kFewInputs = 8;             // of a simple binding

struct Binding {
  Plan* plan = nullptr;         // counted
  PyObject* explain = nullptr;  // counted; or null
  std::vector<uint64_t> key;    // what a call must be to use this binding
  std::vector<BoundStep> steps;
  std::vector<size_t> fresh;         // bytes of each fresh storage
  int cursors = 0;                   // of all loops
  size_t arena = 0;                  // bytes of all temporaries together
  std::vector<BoundOutput> outputs;  // residuals follow
  int dynamic = 0;                   // outputs that routines make
  int inputs = 0;
  std::vector<ReachCheck> reaches;
  double nanoseconds = 0;  // of all steps
  // One small kernel with one result and few inputs, as nearly every call of eager code.
  bool simple = false;
  mutable int pins = 0;  // runs in progress
  // For each written input and each other input: whether it may be the very same memory in the same
  // layout, because every kernel reads and writes both alike. Indexed by write * inputs + input.
  std::vector<uint8_t> alike;

  int input_root(int k) const { return kFirstRoot + k; }
  int storage_root(int k) const { return kFirstRoot + inputs + k; }
  int fresh_root(int k) const { return kFirstRoot + 2 * inputs + k; }
  int cursor_root(int k) const { return fresh_root(static_cast<int>(fresh.size())) + k; }
  bool is_simple() const;
  int roots() const { return cursor_root(cursors); }

  Binding() = default;
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;
  ~Binding();
};

// The plan for the geometry of a call, its dims already evaluated. Null with an exception set.
std::unique_ptr<Binding> bind(Plan* plan, PyObject* explain, const Call& call,
                              const std::vector<int64_t>& cells);

}  // namespace gleed
