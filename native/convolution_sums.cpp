// Convolution, and its gradient for the input. Both sum over windows: those of x, and those
// of y where the outputs of every axis are taken apart by their remainder modulo the stride, for
// these meet different taps.
#include <algorithm>
#include <cstring>
#include <vector>

#include "contraction.h"
#include "contraction_kernels.h"
#include "convolution.h"
#include "convolution_windows.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr int64_t kDepth = 512;         // rows of columns multiplied at once
constexpr int64_t kPanels = 4;          // panels of columns that lie in cache
constexpr int64_t kLeastDivided = 256;  // outputs that a task walks if others walk more of them
constexpr int64_t kLeastOutputs = 64;   // of a slab
constexpr int64_t kMostOutputs = 1024;
constexpr int64_t kPadded = 384 << 10;  // bytes of a slab's input
constexpr int64_t kFewUnits = 4;        // of work that there should be at least
constexpr int64_t kMaxTasks = 16;

// Outputs that meet the same taps: every `step`-th of each axis.
struct Phase {
  WindowAxes axes;
  std::array<int64_t, 3> first, step;
  std::vector<int64_t> weights;  // bytes from w[k, c] to each tap

  std::vector<Windows> windows;  // one
  int64_t chunk = 0;             // rows of columns multiplied at once
  int64_t packed = 0;            // elements of packed weights before this phase's
  int64_t units = 0;
};

// What a task does at a time.
struct Unit {
  const Phase& phase;
  int64_t group;
  Range tiles;
  Slab slab;
};

class WindowSums final : public Convolver {
 public:
  explicit WindowSums(const Convolution& c) : c_(c) {}
  bool init();
  void run(const ConvolutionPointers& at) const override;

 private:
  void find_phases();
  void add_phase(const std::array<AxisPhase, 3>& axes);
  void choose_windows(Phase& phase);
  bool find_tiles();
  void choose_tasks();
  Unit unit(int64_t number) const;

  void pack_weights(const ConvolutionPointers& at) const;
  void fill_biases(const ConvolutionPointers& at) const;
  void run_unit(const Unit& unit, const ConvolutionPointers& at, char* scratch) const;
  const char* weights(const Unit& unit, const ConvolutionPointers& at, int64_t row,
                      int64_t tile) const;
  void multiply(const Unit& unit, const ConvolutionPointers& at, Range rows, Range outputs,
                const char* columns, char* c, int64_t c_row) const;
  void spread(const Unit& unit, const char* stage, int64_t stage_row, char* output) const;
  void tell(const Unit& unit, const ConvolutionPointers& at) const;

  bool in_place(const Unit& unit) const {
    const auto& step = unit.phase.step;
    return step[0] * step[1] * step[2] == 1 && itemsize(c_.numbers) == c_.item &&
           c_.to.axes[2] == c_.item && unit.slab.images.end - unit.slab.images.begin == 1;
  }
  int64_t place(const Phase& phase, int64_t n, int64_t k, int64_t i, int64_t j, int64_t l) const {
    return n * c_.to.first + k * c_.to.second +
           (phase.first[0] + i * phase.step[0]) * c_.to.axes[0] +
           (phase.first[1] + j * phase.step[1]) * c_.to.axes[1] +
           (phase.first[2] + l * phase.step[2]) * c_.to.axes[2];
  }
  Range channels_of(const Unit& unit) const {  // of its group
    return {part(c_.outputs, tiles_, unit.tiles.begin).begin,
            part(c_.outputs, tiles_, unit.tiles.end - 1).end};
  }
  int64_t depth(const Phase& phase) const { return c_.channels * phase.weights.size(); }
  int64_t width() const { return vectors_ * family_.lanes; }
  // Not a power of two, so that rows do not share sets of the cache.
  int64_t stage_row(int64_t outputs) const {
    return round_up(outputs, family_.lanes) * c_.item + family_.lanes * c_.item;
  }

  Convolution c_;
  bool direct_;
  TileFamily family_;
  int64_t vectors_, tiles_, most_divided_ = 1, divided_ = 1, units_ = 0, tasks_ = 1;
  std::vector<Phase> phases_;
  TileSet kernels_;
  size_t biases_at_ = 0, tasks_at_ = 0, padded_ = 0, columns_ = 0, scratch_ = 0;
};

bool WindowSums::init() {
  const TileFamily* family = tile_family(c_.dtype);
  if (!family) return false;
  family_ = *family;
  vectors_ = family_.vectors * (c_.outputs <= 2 ? 2 : 1);
  has_blocks = std::all_of(c_.phases.begin(), c_.phases.end(),
                           [](const auto& axis) { return axis.size() == 1 && axis[0].every == 1; });
  tiles_ = ceil_div(c_.outputs, family_.rows);
  // Few images with many outputs: tasks may walk all of them, but only a part of the weights.
  if (c_.groups == 1) most_divided_ = std::clamp<int64_t>(c_.outputs / kLeastDivided, 1, kFewUnits);
  find_phases();
  if (!find_tiles()) return false;
  choose_tasks();
  return true;
}

void WindowSums::find_phases() {
  for (const AxisPhase& i : c_.phases[0]) {
    for (const AxisPhase& j : c_.phases[1]) {
      for (const AxisPhase& k : c_.phases[2]) add_phase({i, j, k});
    }
  }
  // Weights that lie in the order of the columns' rows are read where they are.
  const Phase& one = phases_.front();
  direct_ = phases_.size() == 1 && c_.w_elements.same() &&
            (c_.channels == 1 || c_.w.second == c_.taps * c_.item);
  for (size_t t = 0; t < one.weights.size(); ++t) {
    direct_ = direct_ && one.weights[t] == static_cast<int64_t>(t) * c_.item;
  }
}

void WindowSums::add_phase(const std::array<AxisPhase, 3>& axes) {
  Phase phase;
  phase.weights = {0};
  for (int a = 0; a < 3; ++a) {
    const AxisPhase& axis = axes[a];
    phase.axes[a] = window_axis(c_, a, axis);
    phase.first[a] = axis.first;
    phase.step[a] = axis.every;
    std::vector<int64_t> weights;
    for (const int64_t before : phase.weights) {
      for (int64_t t = 0; t < axis.taps; ++t) {
        weights.push_back(before + (axis.tap + t * axis.tap_step) * c_.w.axes[a]);
      }
    }
    phase.weights = weights;
  }
  if (!phases_.empty()) {
    phase.packed = phases_.back().packed + c_.groups * c_.outputs * depth(phases_.back());
  }
  choose_windows(phase);
  phases_.push_back(std::move(phase));
}

void WindowSums::choose_windows(Phase& phase) {
  const int64_t taps = std::max<size_t>(1, phase.weights.size());
  const int64_t fit = std::max<int64_t>(1, kDepth / taps);
  const int64_t chunks = std::max<int64_t>(1, ceil_div(c_.channels, fit));
  const int64_t together = std::max<int64_t>(1, ceil_div(c_.channels, chunks));
  phase.chunk = std::min(kDepth, taps) == kDepth ? kDepth : together * taps;
  int64_t each = together * c_.item;
  for (const WindowAxis& axis : phase.axes) each *= axis.step;
  // All threads get some of few outputs.
  int64_t outputs = c_.images;
  for (const WindowAxis& axis : phase.axes) outputs *= axis.outputs;
  const int64_t fair = ceil_div(outputs * most_divided_, kFewUnits);
  const int64_t least = 2 * width();
  const int64_t most =
      std::min(std::clamp(kPadded / each, kLeastOutputs, kMostOutputs), std::max(fair, least));
  phase.windows.emplace_back(c_, phase.axes, most, family_.lanes, together);
  padded_ = std::max<size_t>(padded_, phase.windows[0].padded_bytes());
  columns_ = std::max<size_t>(columns_, kPanels * width() * phase.chunk * c_.item);
}

// Tiles for every number of columns that a panel of a slab has.
bool WindowSums::find_tiles() {
  const int64_t least = c_.outputs / tiles_, most = ceil_div(c_.outputs, tiles_);
  for (const Phase& phase : phases_) {
    const Windows& windows = phase.windows[0];
    const int64_t slabs = windows.slabs();
    for (int64_t i = 0; i < slabs; i += std::max<int64_t>(1, slabs - 1)) {
      const int64_t outputs = windows.outputs(windows.slab(i));
      if (outputs >= width() && !kernels_.add(c_.dtype, least, most, width())) return false;
      if (!kernels_.add(c_.dtype, least, most, outputs % width())) return false;
    }
  }
  return true;
}

void WindowSums::choose_tasks() {
  int64_t most = 0, slabs = 0;
  for (const Phase& phase : phases_) {
    const Windows& windows = phase.windows[0];
    if (windows.slabs()) most = std::max(most, windows.outputs(windows.slab(0)));
    slabs += windows.slabs();
  }
  if (slabs) divided_ = std::min(ceil_div(kFewUnits, slabs), most_divided_);
  for (Phase& phase : phases_) {
    phase.units = phase.windows[0].slabs() * c_.groups * divided_;
    units_ += phase.units;
  }
  tasks_ = std::min({task_count(c_.work), units_, kMaxTasks});
  int64_t weights =
      direct_ ? 0 : phases_.back().packed + c_.groups * c_.outputs * depth(phases_.back());
  biases_at_ = round_up(weights * c_.item, 64);
  tasks_at_ = biases_at_ + (c_.bias ? c_.groups * c_.outputs * width() * c_.item : 0);
  padded_ = round_up(padded_, 64);
  columns_ = round_up(columns_, 64) + 64;  // of which the last is written too far
  scratch_ = padded_ + columns_ + round_up(c_.outputs * stage_row(most), 64);
  workspace = tasks_at_ + tasks_ * scratch_;
}

Unit WindowSums::unit(int64_t number) const {
  const Phase* phase = phases_.data();
  for (; number >= phase->units; ++phase) number -= phase->units;
  const Windows& windows = phase->windows[0];
  const int64_t share = number / windows.slabs();
  return {*phase, share / divided_, part(tiles_, divided_, share % divided_),
          windows.slab(number % windows.slabs())};
}

void WindowSums::run(const ConvolutionPointers& at) const {
  if (biases_at_) pack_weights(at);
  if (tasks_at_ > biases_at_) fill_biases(at);
  parallel_for(tasks_, [&](int64_t task) {
    const Range mine = part(units_, tasks_, task);
    for (int64_t number = mine.begin; number < mine.end; ++number) {
      char* scratch = at.workspace + tasks_at_ + task * scratch_;
      run_unit(unit(number), at, scratch);
    }
  });
}

// As [tile][depth][rows of the tile]. Some tiles are packed together, for their weights are
// neighbours where x is the result.
void WindowSums::pack_weights(const ConvolutionPointers& at) const {
  constexpr int64_t kTogether = 8;
  const int64_t item = c_.item, blocks = ceil_div(tiles_, kTogether);
  const auto pack = [&](const Elements& elements, const Phase& phase, int64_t group, int64_t c,
                        int64_t tile) {
    const auto [begin, end] = part(c_.outputs, tiles_, tile);
    const char* from = at.second + group * c_.w_group + begin * c_.w.first + c * c_.w.second;
    const int64_t before = (group * c_.outputs + begin) * depth(phase);
    char* to =
        at.workspace + (phase.packed + before + c * phase.weights.size() * (end - begin)) * item;
    for (const int64_t tap : phase.weights) {
      elements.read_line(from + tap, c_.w.first, end - begin, to);
      to += (end - begin) * item;
    }
  };
  parallel_for(c_.groups * blocks, [&](int64_t i) {
    const Range tiles = part(tiles_, blocks, i % blocks);
    for (const Phase& phase : phases_) {
      c_.w_elements.each({0, c_.channels}, [&](const Elements& elements, Range channels) {
        for (int64_t c = channels.begin; c < channels.end; ++c) {
          for (int64_t t = tiles.begin; t < tiles.end; ++t) {
            pack(elements, phase, i / blocks, c, t);
          }
        }
      });
    }
  });
}

// Tiles add what was summed before: at first, the bias in every column.
void WindowSums::fill_biases(const ConvolutionPointers& at) const {
  char* to = at.workspace + biases_at_;
  for (int64_t k = 0; k < c_.groups * c_.outputs; ++k) {
    for (int64_t i = 0; i < width(); ++i, to += c_.item) {
      std::memcpy(to, at.bias + k * c_.bias_stride, c_.item);
    }
  }
}

void WindowSums::run_unit(const Unit& unit, const ConvolutionPointers& at, char* scratch) const {
  const Windows& windows = unit.phase.windows[0];
  const int64_t outputs = windows.outputs(unit.slab), taps = windows.taps(),
                all = depth(unit.phase);
  char *padded = scratch, *columns = scratch + padded_, *c = columns + columns_;
  int64_t c_row = stage_row(outputs);
  if (in_place(unit)) {
    c_row = c_.to.second;
    windows.each_row(unit.slab, {0, 1}, [&](int64_t n, int64_t i, int64_t j, int64_t k, auto...) {
      c = at.result + place(unit.phase, n, unit.group * c_.outputs, i, j, k);
    });
  }
  int64_t row = 0;
  do {
    const int64_t channel = taps ? row / taps : 0;
    const int64_t end = taps > unit.phase.chunk ? (channel + 1) * taps : all;
    const Range rows = {row, std::min(row + unit.phase.chunk, end)};
    const Range channels = {channel, taps ? ceil_div(rows.end, taps) : 0};
    windows.pad(at.first + unit.group * c_.from_group, unit.slab, channels, padded);
    for (int64_t begin = 0; begin < outputs; begin += kPanels * width()) {
      const Range block = {begin, std::min(outputs, begin + kPanels * width())};
      for (int64_t i = block.begin; i < block.end; i += width()) {
        char* panel = columns + (i - begin) * (rows.end - rows.begin) * c_.item;
        windows.pack(padded, windows.runs(unit.slab, {i, std::min(i + width(), block.end)}),
                     {rows.begin - channel * taps, rows.end - channel * taps}, panel,
                     width() * c_.item);
      }
      multiply(unit, at, rows, block, columns, c, c_row);
    }
    row = rows.end;
  } while (row < all);
  if (!in_place(unit)) spread(unit, c, c_row, at.result);
  if (at.epilogue) tell(unit, at);
}

// That all results of a unit are finished.
void WindowSums::tell(const Unit& unit, const ConvolutionPointers& at) const {
  const Windows& windows = unit.phase.windows[0];
  const Range channels = channels_of(unit), images = unit.slab.images;
  const int64_t each = windows.outputs(unit.slab) / (images.end - images.begin);
  windows.each_row(unit.slab, {0, 1}, [&](int64_t n, int64_t i, int64_t j, int64_t l, auto...) {
    const int64_t k = unit.group * c_.outputs + channels.begin;
    const char* block = at.result + place(unit.phase, n, k, i, j, l);
    for (; n < images.end; ++n, block += c_.to.first) {
      at.finish(c_, block, channels.end - channels.begin, each);
    }
  });
}

const char* WindowSums::weights(const Unit& unit, const ConvolutionPointers& at, int64_t row,
                                int64_t tile) const {
  const auto [begin, end] = part(c_.outputs, tiles_, tile);
  if (direct_) return at.second + unit.group * c_.w_group + begin * c_.w.first + row * c_.item;
  const int64_t before = (unit.group * c_.outputs + begin) * depth(unit.phase);
  return at.workspace + (unit.phase.packed + before + row * (end - begin)) * c_.item;
}

void WindowSums::multiply(const Unit& unit, const ConvolutionPointers& at, Range rows,
                          Range outputs, const char* columns, char* c, int64_t c_row) const {
  TileArguments t = {};
  t.steps = rows.end - rows.begin;
  t.raw = true;  // float32 sums of bfloat16
  t.b_step = width() * c_.item;
  t.c_row = c_row;
  for (int64_t tile = unit.tiles.begin; tile < unit.tiles.end; ++tile) {
    const Range mine = part(c_.outputs, tiles_, tile);
    const int64_t many = mine.end - mine.begin, output = unit.group * c_.outputs + mine.begin;
    t.a_row = direct_ ? c_.w.first : c_.item;
    t.a_step = direct_ ? c_.item : many * c_.item;
    t.a = weights(unit, at, rows.begin, tile);
    for (int64_t i = outputs.begin; i < outputs.end; i += width()) {
      const int64_t left = std::min(width(), outputs.end - i);
      const int64_t vectors = ceil_div(left, family_.lanes);
      t.columns = left - (vectors - 1) * family_.lanes;
      t.b = columns + (i - outputs.begin) * t.steps * c_.item;
      t.c = c + mine.begin * c_row + i * c_.item;
      t.before = rows.begin ? t.c
                 : c_.bias  ? at.workspace + biases_at_ + output * width() * c_.item
                            : nullptr;
      t.before_row = rows.begin ? c_row : width() * c_.item;
      kernels_(many, left)(&t);
    }
  }
}

void WindowSums::spread(const Unit& unit, const char* stage, int64_t stage_row,
                        char* output) const {
  const Windows& windows = unit.phase.windows[0];
  const Range rows = channels_of(unit);
  const int64_t step = unit.phase.step[2] * c_.to.axes[2];
  windows.each_row(unit.slab, {0, windows.outputs(unit.slab)},
                   [&](int64_t n, int64_t i, int64_t j, int64_t l, int64_t count, int64_t at) {
                     const int64_t k = unit.group * c_.outputs + rows.begin;
                     char* to = output + place(unit.phase, n, k, i, j, l);
                     const char* from = stage + rows.begin * stage_row + at * c_.item;
                     write_block(c_.numbers, from, stage_row, c_.item, to, c_.to.second, step,
                                 rows.end - rows.begin, count);
                   });
}

}  // namespace

std::unique_ptr<Convolver> make_windowed(const Convolution& c) {
  auto sums = std::make_unique<WindowSums>(c);
  if (!sums->init()) return nullptr;
  return sums;
}

}  // namespace gleed
