#include "launch.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace gleed {

namespace {

// Estimates, in nanoseconds on one thread; only sizes enter them, never the number of threads.
constexpr double kPerByte = 0.04;
constexpr double kWorthDividing = 20e3;  // waking a thread costs some 5 µs
constexpr double kPerTask = 10e3;
constexpr int64_t kMaxTasks = 256;
constexpr int64_t kEnoughTasks = 32;   // to keep threads busy without breaking memory into pieces
constexpr int64_t kLineElements = 64;  // chunks of an innermost loop end where cache lines do
constexpr int64_t kMinSplitReduction = 1 << 15;
constexpr int64_t kFewRows = 4;           // gone over once: others keep threads busy as they are
constexpr int64_t kCacheBytes = 1 << 20;  // what a column may walk again and again
constexpr int64_t kWideRow = 2048;        // bytes; more than a column's lanes take at a time
constexpr int64_t kStreams = 32;          // rows that memory delivers side by side
constexpr int64_t kMinTiled = 64;
constexpr int64_t kCaches = 32 << 20;   // bytes; what is larger has left them when it is read
constexpr int64_t kStreamedRow = 4096;  // bytes that lie together in what is written past them
// A loop over fewer elements costs more than memory does, and so many soon are in cache anyway.
constexpr int64_t kShortRow = 16, kSmallBlocks = 1024;
constexpr double kLittle = 0.02;   // of a routine's time, for computing anew instead of storing
constexpr int64_t kLongRow = 512;  // points from which on the first of two passes costs most

int64_t saturating_product(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Row-major byte strides over the axes of a launch that `moves` tells to take part. Returns the
// bytes.
template <class Moves>
int64_t dense_strides(const Launch& launch, Access& access, Moves moves) {
  int64_t bytes = itemsize(access.dtype);
  for (int i = launch.axes() - 1; i >= 0; --i) {
    access.strides[i] = moves(i) ? bytes : 0;
    if (moves(i)) bytes = saturating_product(bytes, launch.sizes[i]);
  }
  return bytes;
}

bool bind_copy(const Launch& shape, Access from, Access to, LaunchTarget& target) {
  Launch copy;
  copy.kernel = identity_kernel(from.dtype);
  if (!copy.kernel) return false;
  copy.parallel = shape.axes();
  copy.sizes = shape.sizes;
  for (int i = 0; i < copy.parallel; ++i) {
    if (from.strides[i] == 0 && to.strides[i] == 0) copy.sizes[i] = 1;
  }
  from.writes = false;
  to.writes = true;
  copy.operands = {from, to};
  return bind_launch(std::move(copy), target);
}

// Loops have room for two reduced axes, and a guided launch has those of its guides. Where more are
// left, operands that move along them are copied into the order of the iteration, in which they
// collapse; written ones are copied back by the caller.
bool stage_reduced(Launch& launch, LaunchTarget& target,
                   std::vector<std::pair<Access, Access>>& written) {
  if (launch.kernel->gathers) {
    raise(
        "RuntimeError",
        "kernel: computed addresses need reduced axes that collapse to two; %d are left; make the "
        "reduced tensor contiguous",
        launch.reduced);
    return false;
  }
  const auto moves = [&](const Access& access) {
    const auto* strides = access.strides.data();
    return std::any_of(strides + launch.parallel, strides + launch.axes(), std::identity());
  };
  const auto stage = [&](const Access& access, Access& staged) {
    return dense_strides(launch, staged,
                         [&](int i) { return i >= launch.parallel || access.strides[i] != 0; });
  };
  if (!launch.guides.empty() && guided(launch).reduced > 2) {
    for (Access& access : launch.guides) {
      if (moves(access)) stage(Access(access), access);
    }
  }
  for (Access& access : launch.operands) {
    if (!moves(access)) continue;
    if (!access.value) {
      raise("RuntimeError", "kernel: %d reduced axes cannot be walked by an index", launch.reduced);
      return false;
    }
    Access staged = access;
    const int64_t bytes = stage(access, staged);
    if (!target.scratch(bytes, staged.place)) return false;
    if (access.writes) {
      written.emplace_back(staged, access);
    } else if (!bind_copy(launch, access, staged, target)) {
      return false;
    }
    access = staged;
  }
  return true;
}

bool is_unit(const Access& access, int axis) {
  return std::abs(access.strides[axis]) == itemsize(access.dtype);
}

// Which way a reduction runs: along rows of the reduced axes, or along columns of parallel ones.
Orientation choose_orientation(const Launch& launch) {
  if (launch.reduced == 0 && !launch.kernel->reduces) return Orientation::kMap;
  if (launch.parallel == 0 || launch.reduced == 0 || launch.kernel->sequential) {
    return Orientation::kRow;
  }
  const int column = launch.parallel - 1, row = launch.axes() - 1;
  const int64_t columns = launch.sizes[column], rows = launch.count(launch.parallel, row + 1);
  bool unit_row = true, unit_column = true;
  int64_t row_stride = 0, column_stride = 0;
  for (const Access& access : launch.operands) {
    if (!access.value || !access.element) continue;
    unit_row &= access.strides[row] == 0 || is_unit(access, row);
    unit_column &= access.strides[column] == 0 || is_unit(access, column);
    row_stride = std::max(row_stride, std::abs(access.strides[row]));
    column_stride = std::max(column_stride, std::abs(access.strides[column]));
  }
  if (rows <= 8 && columns >= 32) return Orientation::kColumn;  // too short to be worth vectors
  if (columns < 8) return Orientation::kRow;
  if (unit_row != unit_column) return unit_row ? Orientation::kRow : Orientation::kColumn;
  return row_stride <= column_stride ? Orientation::kRow : Orientation::kColumn;
}

// Which axis each of the three loops runs along (-1: once), and the parallel axes left to the core.
struct Loops {
  std::array<int, 3> axes = {-1, -1, -1};
  std::vector<int> outer;
};

Loops choose_loops(const Launch& launch, Orientation orientation) {
  Loops loops;
  const int parallel = launch.parallel, last = launch.axes() - 1;
  const auto reduced = [&](int slot) {
    if (launch.reduced > 0) loops.axes[slot] = last;
    if (launch.reduced > 1) loops.axes[slot - 1] = last - 1;
  };
  std::vector<int> inner;
  if (orientation == Orientation::kMap) {
    for (int slot = 2, axis = parallel - 1; slot >= 0 && axis >= 0; --slot, --axis) {
      loops.axes[slot] = axis;
    }
  } else if (orientation == Orientation::kColumn) {
    reduced(1);
    loops.axes[2] = parallel - 1;
  } else {
    reduced(2);
    // The longest loop inside the machine code; in order, though, where order matters.
    int axis = parallel - 1;
    for (int i = 0; i < parallel && !launch.kernel->sequential; ++i) {
      if (launch.sizes[i] > launch.sizes[axis]) axis = i;
    }
    loops.axes[0] = axis;
  }
  for (int i = 0; i < parallel; ++i) {
    if (std::find(loops.axes.begin(), loops.axes.end(), i) == loops.axes.end()) {
      loops.outer.push_back(i);
    }
  }
  return loops;
}

double estimate(const Launch& launch) {
  double bytes = 0;
  uint64_t still = 0;
  for (size_t k = 0; k < launch.operands.size(); ++k) {
    const Access& access = launch.operands[k];
    if (!access.value) continue;
    const auto* strides = access.strides.data();
    const bool moves = std::any_of(strides, strides + launch.axes(), std::identity());
    moves ? bytes += itemsize(access.dtype) : still |= uint64_t{1} << k;
  }
  const double points = static_cast<double>(launch.count(0, launch.axes()));
  return points * (cost_of(launch.kernel, still) + bytes * kPerByte);
}

std::string stride_classes(const Launch& launch, int innermost) {
  std::string classes;
  for (const Access& access : launch.operands) {
    const int64_t stride = innermost < 0 ? 0 : access.strides[innermost];
    const int64_t unit = access.value ? itemsize(access.dtype) : 1;
    const bool reads = access.value && !access.writes;
    const bool skips = reads && unit >= 4 && stride == 2 * unit;
    const bool turned = reads && stride == -unit;
    classes += stride == 0 ? '0' : stride == unit ? '1' : skips ? '2' : turned ? 'r' : 's';
  }
  return classes;
}

// Divides the outermost parallel axis that is long enough, so that a task's memory lies together,
// else the longest.
void divide(const Launch& launch, const Loops& loops, Orientation orientation, BoundKernel& bound) {
  if (bound.nanoseconds < kWorthDividing || launch.kernel->sequential) return;
  const int64_t wanted = std::min(kMaxTasks, static_cast<int64_t>(bound.nanoseconds / kPerTask));
  int64_t best = 1;
  const auto consider = [&](int place, int axis, bool innermost) {
    const int64_t unit = innermost ? kLineElements : 1;
    const int64_t parts = std::min(wanted, ceil_div(launch.sizes[axis], unit));
    if (parts <= best || best >= kEnoughTasks) return;
    const int64_t chunk = ceil_div(ceil_div(launch.sizes[axis], parts), unit) * unit;
    best = parts;
    bound.axis = place;
    bound.chunk = chunk;
    bound.tasks = ceil_div(launch.sizes[axis], chunk);
  };
  for (size_t i = 0; i < loops.outer.size(); ++i) {
    consider(3 + static_cast<int>(i), loops.outer[i], false);
  }
  for (int slot = 0; slot < 3; ++slot) {
    const int axis = loops.axes[slot];
    if (axis < 0 || axis >= launch.parallel) continue;
    consider(slot, axis, slot == 2 && orientation != Orientation::kRow);
  }
}

// Whether operands disagree on which of the two innermost loops has unit strides, as in a
// transposing copy: then cache lines are used up only if both loops are walked in tiles.
bool wants_tiles(const Launch& launch, const Loops& loops, Orientation orientation) {
  if (orientation != Orientation::kMap || launch.kernel->sequential) return false;
  const int n1 = loops.axes[1], n2 = loops.axes[2];
  if (n1 < 0 || launch.sizes[n1] < kMinTiled || launch.sizes[n2] < kMinTiled) return false;
  bool across = false;
  for (const Access& access : launch.operands) {
    const bool unit_n1 = access.value && is_unit(access, n1);
    across |= unit_n1 && std::abs(access.strides[n2]) > 2 * itemsize(access.dtype);
  }
  return across;
}

// The result that is better written past the caches (-1: none): it is larger than all of them, so
// that its lines would be read for nothing before they are overwritten, and pushed out before
// anybody reads them. What is only filled is left to the processor, which notices.
int streamed(const Launch& launch, Orientation orientation, int innermost, bool tiled,
             const std::string& classes) {
  const auto inputs = static_cast<size_t>(launch.kernel->inputs);
  const bool reads = classes.find_first_of("12r") < inputs;
  if (orientation != Orientation::kMap || launch.kernel->sequential || tiled || !reads ||
      classes.find('s') != std::string::npos) {
    return -1;
  }
  for (size_t k = inputs; k < launch.operands.size(); ++k) {
    const Access& result = launch.operands[k];
    if (!result.value || classes[k] != '1') continue;
    const auto in_place = [&](const Access& read) {
      return read.value && !read.writes && read.place.root == result.place.root;
    };
    if (std::any_of(launch.operands.begin(), launch.operands.end(), in_place)) continue;
    const int64_t item = itemsize(result.dtype), points = launch.count(0, launch.axes());
    const bool large = saturating_product(points, item) > kCaches;
    if (large && launch.sizes[innermost] * item >= kStreamedRow) return static_cast<int>(k);
  }
  return -1;
}

// Finds machine code and lays the loops out. False with an exception set.
bool bind_loops(const Launch& launch, const Loops& loops, Kernel* kernel, Orientation orientation,
                const std::string& classes, BoundKernel& bound) {
  bound.function = find_variant(kernel, orientation, classes);
  if (!bound.function) return false;
  const size_t operands = launch.operands.size();
  bound.geometry.assign(3 + 3 * operands, 0);
  for (int slot = 0; slot < 3; ++slot) {
    const int axis = loops.axes[slot];
    bound.geometry[slot] = axis < 0 ? 1 : launch.sizes[axis];
    for (size_t k = 0; axis >= 0 && k < operands; ++k) {
      bound.geometry[3 + 3 * k + slot] = launch.operands[k].strides[axis];
    }
  }
  for (int axis : loops.outer) {
    bound.outer_sizes.push_back(launch.sizes[axis]);
    for (const Access& access : launch.operands) {
      bound.outer_strides.push_back(access.strides[axis]);
    }
  }
  for (const Access& access : launch.operands) bound.places.push_back(access.place);
  bound.params = launch.params;
  bound.scalars = launch.scalars;
  return true;
}

bool add_kernel(const Launch& launch, Orientation orientation, LaunchTarget& target) {
  const Loops loops = choose_loops(launch, orientation);
  BoundKernel bound;
  const bool online = launch.kernel->online && orientation == Orientation::kRow &&
                      launch.count(launch.parallel, launch.axes()) >= kLongRow;
  Kernel* kernel = online ? launch.kernel->online : launch.kernel;
  bound.tiled = wants_tiles(launch, loops, orientation);
  std::string classes = stride_classes(launch, loops.axes[2]);
  const int past = streamed(launch, orientation, loops.axes[2], bound.tiled, classes);
  if (past >= 0) classes[past] = 'n';
  if (!bind_loops(launch, loops, kernel, orientation, classes, bound)) return false;
  if (launch.count(launch.parallel, launch.axes()) == 0) {
    // Neither loop may be entered: what is invariant in the inner one is read in the outer one.
    const int first = orientation == Orientation::kRow ? 1 : 0;
    bound.geometry[first] = bound.geometry[first + 1] = 0;
  }
  bound.nanoseconds = estimate(launch);
  divide(launch, loops, orientation, bound);
  target.steps->emplace_back(std::move(bound));
  return true;
}

// How much of the longest reduced axis to reduce at a time; 0: all.
// * A long reduction to few results would keep only one thread busy.
// * A column kernel takes a few lanes through all rows before it takes the next. Where the rows are
//   wide and do not fit a cache, a few rows at a time are read as so many streams instead.
int64_t chunk_length(const Launch& launch, int axis) {
  if (!launch.kernel->split || launch.kernel->ordered || launch.reduced == 0) return 0;
  const int64_t results = launch.count(0, launch.parallel);
  const int64_t range = launch.count(launch.parallel, launch.axes());
  const Orientation orientation = choose_orientation(launch);
  const bool online = launch.kernel->online && orientation == Orientation::kRow;
  if (range >= kMinSplitReduction && results < (online ? kFewRows : 8 * kLineElements)) {
    const int64_t points = online ? range : saturating_product(results, range);
    const int64_t wanted = std::clamp<int64_t>(points / kMinSplitReduction * 2, 2, 64);
    return ceil_div(ceil_div(launch.sizes[axis], wanted), kLineElements) * kLineElements;
  }
  if (orientation != Orientation::kColumn) return 0;
  const int64_t width = launch.sizes[launch.parallel - 1] * itemsize(launch.operands[0].dtype);
  const bool spills = saturating_product(width, range) > kCacheBytes;
  return width >= kWideRow && spills && launch.sizes[axis] >= 2 * kStreams ? kStreams : 0;
}

int longest_reduced(const Launch& launch) {
  int axis = launch.parallel;
  for (int i = axis; i < launch.axes(); ++i) {
    if (launch.sizes[i] > launch.sizes[axis]) axis = i;
  }
  return axis;
}

Access accumulator(const Launch& partial, DType dtype, int64_t& bytes) {
  Access access{{}, dtype, true, true, false, {}};
  bytes = dense_strides(partial, access, [&](int i) { return i < partial.parallel; });
  return access;
}

// The part of a launch that reduces `chunks` chunks of one reduced axis, from position `start` on.
Launch chunked(const Launch& launch, int axis, int64_t start, int64_t chunks, int64_t length) {
  Launch partial = launch;
  partial.kernel = launch.kernel->split->partial;
  partial.operands.resize(launch.kernel->inputs);
  ++partial.parallel;
  for (int i = launch.axes(); i > 0; --i) partial.sizes[i] = launch.sizes[i - 1];
  partial.sizes[0] = chunks;
  partial.sizes[axis + 1] = length;
  for (auto* accesses : {&partial.operands, &partial.guides}) {
    for (Access& access : *accesses) {
      const int64_t stride = access.strides[axis];
      for (int i = launch.axes(); i > 0; --i) access.strides[i] = access.strides[i - 1];
      access.strides[0] = stride * length;
      access.place.offset += stride * start;
    }
  }
  return partial;
}

bool bind_split(const Launch& launch, int axis, int64_t length, LaunchTarget& target) {
  const Split& split = *launch.kernel->split;
  const int64_t extent = launch.sizes[axis];
  const int64_t chunks = ceil_div(extent, length), whole = extent / length;

  Launch all = chunked(launch, axis, 0, chunks, length);
  std::vector<Access> accumulators;
  for (DType dtype : split.accumulators) {
    int64_t bytes;
    Access access = accumulator(all, dtype, bytes);
    if (!target.scratch(bytes, access.place)) return false;
    accumulators.push_back(access);
  }
  const auto reduce = [&](int64_t first, int64_t count, int64_t size) {
    Launch partial = chunked(launch, axis, first * length, count, size);
    for (Access access : accumulators) {
      access.place.offset += first * access.strides[0];
      partial.operands.push_back(access);
    }
    return bind_launch(std::move(partial), target);
  };
  if (whole > 0 && !reduce(0, whole, length)) return false;
  if (whole < chunks && !reduce(whole, 1, extent - whole * length)) return false;

  Launch finish = launch;
  finish.kernel = split.finish;
  finish.reduced = 1;
  finish.sizes[launch.parallel] = chunks;
  finish.operands.clear();
  finish.guides.clear();
  for (Access access : accumulators) {
    const int64_t stride = access.strides[0];
    for (int i = 0; i < launch.parallel; ++i) access.strides[i] = access.strides[i + 1];
    access.strides[launch.parallel] = stride;
    access.writes = false;
    access.element = true;
    finish.operands.push_back(access);
  }
  if (!launch.guides.empty()) finish.guides = finish.operands;
  const auto keep = [&](const std::vector<Access>& from, std::vector<Access>& to) {
    for (Access access : from) {
      if (access.value && access.element) continue;
      access.strides[launch.parallel] = 0;
      to.push_back(access);
    }
  };
  keep(launch.operands, finish.operands);
  keep(launch.guides, finish.guides);
  return bind_launch(std::move(finish), target);
}

// Puts the axes of a map in the order of an operand that is row-major, with so many elements, and
// makes those that a row consists of the last one. False if there are none such.
bool arrange_rows(Launch& launch, const Access& lead, int64_t elements, int64_t row) {
  for (int i = launch.parallel - 1; i >= 0; --i) {
    if (launch.sizes[i] == 1) remove_axis(launch, i);
  }
  for (int i = 1; i < launch.parallel; ++i) {
    for (int j = i; j > 0 && lead.strides[j - 1] < lead.strides[j]; --j) {
      swap_axes(launch, j - 1, j);
    }
  }
  int first = launch.parallel;
  int64_t inside = 1;
  for (int i = launch.parallel - 1; i >= 0; --i) {
    if (lead.strides[i] != inside * itemsize(lead.dtype)) return false;
    inside *= launch.sizes[i];
    if (inside <= row) first = i;
  }
  if (inside != elements || launch.count(first, launch.parallel) != row) return false;
  collapse(launch, first, launch.parallel);
  if (launch.parallel != first + 1) return false;
  collapse(launch, 0, first);
  return true;
}

int room_for_reduced(const Launch& launch) {
  const bool plain = launch.guides.empty() || launch.kernel->gathers;
  return plain ? 2 : std::min(2, guided(launch).reduced);
}

// Adds the steps of a launch that has no more reduced axes than there is room for; `shape` is the
// launch as its guides have it.
bool add(const Launch& launch, const Launch& shape, LaunchTarget& target) {
  const int64_t length = chunk_length(shape, longest_reduced(shape));
  if (length) return bind_split(launch, longest_reduced(launch), length, target);
  return add_kernel(launch, choose_orientation(shape), target);
}

Kernel* identity_kernels[kDTypeCount] = {};

}  // namespace

int64_t Launch::count(int from, int to) const {
  int64_t product = 1;
  for (int i = from; i < to; ++i) product = saturating_product(product, sizes[i]);
  return product;
}

bool join_blocks(Launch launch, int operand, bool before, BoundRoutine& routine, bool& joined) {
  const RoutinePlan& plan = routine.plan;
  const double once = estimate(launch), times = before ? plan.computed[operand] : 1;
  const int64_t elements = launch.count(0, launch.parallel);
  const int64_t row = before ? plan.computed_row : plan.row;
  const Access& lead = before ? launch.operands.back() : launch.operands[operand];
  BoundKernel bound;
  bound.nanoseconds = once * times;
  // The tasks of a small product would not divide it.
  const bool divided = bound.nanoseconds < kWorthDividing || plan.nanoseconds > kWorthDividing;
  const bool whole = before ? lead.place.root < 0 : elements == routine.layouts.back().numel;
  joined = times > 0 && bound.nanoseconds - once <= kLittle * plan.nanoseconds && whole &&
           row >= kShortRow && elements >= kSmallBlocks && divided &&
           arrange_rows(launch, lead, elements, row);
  // What lies across the rows is better read in tiles, all at once.
  const std::string classes = joined ? stride_classes(launch, launch.parallel - 1) : "";
  joined = joined && (!before || classes.find('s') == std::string::npos);
  if (!joined) return true;
  Loops loops;
  loops.axes = {-1, std::max(launch.parallel - 2, -1), launch.parallel - 1};
  for (int axis = 0; axis < loops.axes[1]; ++axis) loops.outer.push_back(axis);
  if (!bind_loops(launch, loops, launch.kernel, Orientation::kMap, classes, bound)) return false;
  (before ? routine.prologue : routine.epilogue).emplace_back(operand, std::move(bound));
  return true;
}

bool Launch::same_access(const Access& a, const Access& b) const {
  if (a.place.offset != b.place.offset) return false;
  for (int i = 0; i < axes(); ++i) {
    if (sizes[i] != 1 && a.strides[i] != b.strides[i]) return false;
  }
  return true;
}

void set_identity_kernel(DType dtype, Kernel* kernel) {
  Kernel*& slot = identity_kernels[static_cast<int>(dtype)];
  Kernel* old = slot;
  Py_INCREF(kernel);
  slot = kernel;
  Py_XDECREF(old);
}

Kernel* identity_kernel(DType dtype) {
  Kernel* kernel = identity_kernels[static_cast<int>(dtype)];
  if (!kernel) {
    raise("RuntimeError", "copy: no identity kernel is registered for %s; import gleed first",
          info(dtype).name);
  }
  return kernel;
}

double nanoseconds(const BoundStep& step) {
  if (const auto* kernel = std::get_if<BoundKernel>(&step)) return kernel->nanoseconds;
  if (const auto* routine = std::get_if<BoundRoutine>(&step)) {
    double total = routine->plan.nanoseconds;
    for (const auto& [operand, kernel] : routine->epilogue) total += kernel.nanoseconds;
    for (const auto& [operand, kernel] : routine->prologue) total += kernel.nanoseconds;
    return total;
  }
  const auto sum = [](const std::vector<BoundStep>& steps) {
    double total = 0;
    for (const BoundStep& inner : steps) total += nanoseconds(inner);
    return total;
  };
  if (const auto* loop = std::get_if<std::unique_ptr<BoundLoop>>(&step)) {
    return sum((*loop)->steps) * static_cast<double>((*loop)->count);
  }
  const BoundChoice& choice = *std::get<std::unique_ptr<BoundChoice>>(step);
  // How many turns there are nobody knows; there may be no end to them.
  if (choice.repeats) return kWorthReleasing + sum(choice.steps[0]) + sum(choice.steps[1]);
  return std::max(sum(choice.steps[0]), sum(choice.steps[1]));
}

bool bind_launch(Launch launch, LaunchTarget& target) {
  if (launch.count(0, launch.parallel) == 0) return true;
  // An empty reduced range leaves work only for results that do not move along it.
  const bool reduces_nothing = launch.count(launch.parallel, launch.axes()) == 0;
  if (reduces_nothing && std::none_of(launch.operands.begin(), launch.operands.end(),
                                      [](const Access& a) { return a.writes && !a.element; })) {
    return true;
  }
  simplify(launch);
  std::vector<std::pair<Access, Access>> written;
  const Launch before = launch;
  if (launch.reduced > room_for_reduced(launch)) {
    if (!stage_reduced(launch, target, written)) return false;
    simplify(launch);
  }
  const bool added =
      launch.guides.empty() ? add(launch, launch, target) : add(launch, guided(launch), target);
  if (!added) return false;
  for (const auto& [from, to] : written) {
    if (!bind_copy(before, from, to, target)) return false;
  }
  return true;
}

}  // namespace gleed
