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
constexpr int64_t kFewUnits = 8;        // of work that there should be at least
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
  bool init(const Convolution& c, bool transposed);
  void run(const ConvolutionPointers& at) const override;

 private:
  void find_phases(const Convolution& c, bool transposed);
  void add_phase(const Convolution& c, bool transposed, const std::array<AxisPhase, 3>& axes);
  void choose_windows(Phase& phase);
  bool find_tiles();
  bool find_tiles(int64_t outputs);
  void choose_tasks(double work);
  Unit unit(int64_t number) const;

  void pack_weights(const ConvolutionPointers& at) const;
  void fill_biases(const ConvolutionPointers& at) const;
  void run_unit(const Unit& unit, const ConvolutionPointers& at, char* scratch) const;
  void multiply(const Unit& unit, const ConvolutionPointers& at, Range rows, Range outputs,
                const char* columns, char* c, int64_t c_row) const;
  void spread(const Unit& unit, const char* stage, int64_t stage_row, char* output) const;

  bool in_place(const Unit& unit) const {
    const auto& step = unit.phase.step;
    return step[0] * step[1] * step[2] == 1 && unit.slab.images.end - unit.slab.images.begin == 1;
  }
  int64_t place(const Phase& phase, int64_t n, int64_t k, int64_t i, int64_t j, int64_t l) const {
    return n * y_.first + k * y_.second + (phase.first[0] + i * phase.step[0]) * y_.axes[0] +
           (phase.first[1] + j * phase.step[1]) * y_.axes[1] +
           (phase.first[2] + l * phase.step[2]) * y_.axes[2];
  }
  int64_t depth(const Phase& phase) const { return channels_ * phase.weights.size(); }
  int64_t width() const { return vectors_ * family_.lanes; }
  size_t kernel_index(int64_t rows, int64_t vectors, bool ragged) const {
    return ((rows - outputs_ / tiles_) * vectors_ + vectors - 1) * 2 + ragged;
  }

  DType dtype_;
  int64_t item_, groups_, channels_, outputs_;
  int64_t w_group_, w_output_, w_channel_, bias_stride_;
  bool bias_, direct_;
  ConvolutionStrides y_;
  WindowInput input_;
  TileFamily family_;
  int64_t vectors_, tiles_, divided_ = 1, units_ = 0, tasks_ = 1;
  std::vector<Phase> phases_;
  std::vector<MicroKernel> kernels_;
  size_t biases_at_ = 0, tasks_at_ = 0, padded_ = 0, columns_ = 0, scratch_ = 0;
};

bool WindowSums::init(const Convolution& c, bool transposed) {
  dtype_ = c.dtype;
  item_ = c.itemsize;
  groups_ = c.groups;
  channels_ = transposed ? c.outputs : c.channels;
  outputs_ = transposed ? c.channels : c.outputs;
  w_group_ = c.outputs * c.w.first;
  w_output_ = transposed ? c.w.second : c.w.first;
  w_channel_ = transposed ? c.w.first : c.w.second;
  bias_ = c.bias;
  bias_stride_ = c.bias_stride;
  y_ = transposed ? c.x : c.y;
  const ConvolutionStrides& x = transposed ? c.y : c.x;
  input_ = {c.itemsize, c.images, x.first, groups_ * channels_, x.second};
  const TileFamily* family = tile_family(dtype_);
  if (!family) return false;
  family_ = *family;
  vectors_ = family_.vectors * (outputs_ <= 2 ? 2 : 1);
  tiles_ = ceil_div(outputs_, family_.rows);
  // Few images with many outputs: tasks walk all of them, but only a part of the weights.
  const int64_t positions = c.images * (transposed ? c.image_inputs() : c.image_outputs());
  if (groups_ == 1 && positions < kFewUnits * kMostOutputs) {
    divided_ = std::clamp<int64_t>(outputs_ / kLeastDivided, 1, kFewUnits);
  }
  find_phases(c, transposed);
  if (!find_tiles()) return false;
  choose_tasks(c.work());
  return true;
}

void WindowSums::find_phases(const Convolution& c, bool transposed) {
  std::array<std::vector<AxisPhase>, 3> of_axes;
  for (int a = 0; a < 3; ++a) of_axes[a] = axis_phases(c.axes[a], transposed);
  for (const AxisPhase& i : of_axes[0]) {
    for (const AxisPhase& j : of_axes[1]) {
      for (const AxisPhase& k : of_axes[2]) add_phase(c, transposed, {i, j, k});
    }
  }
  // Weights that lie in the order of the columns' rows are read where they are.
  const Phase& one = phases_.front();
  direct_ = phases_.size() == 1 && (channels_ == 1 || w_channel_ == c.taps() * item_);
  for (size_t t = 0; t < one.weights.size(); ++t) {
    direct_ = direct_ && one.weights[t] == static_cast<int64_t>(t) * item_;
  }
}

void WindowSums::add_phase(const Convolution& c, bool transposed,
                           const std::array<AxisPhase, 3>& axes) {
  Phase phase;
  phase.weights = {0};
  for (int a = 0; a < 3; ++a) {
    const AxisPhase& axis = axes[a];
    const int64_t inputs = transposed ? c.axes[a].output : c.axes[a].input;
    phase.axes[a] = {axis.outputs, axis.step, inputs, transposed ? c.y.axes[a] : c.x.axes[a], {}};
    phase.first[a] = axis.first;
    phase.step[a] = axis.every;
    std::vector<int64_t> weights;
    for (const int64_t before : phase.weights) {
      for (int64_t t = 0; t < axis.taps; ++t) {
        weights.push_back(before + (axis.tap + t * axis.tap_step) * c.w.axes[a]);
      }
    }
    phase.weights = weights;
    for (int64_t t = 0; t < axis.taps; ++t) {
      phase.axes[a].positions.push_back(axis.position + t * axis.distance);
    }
  }
  if (!phases_.empty()) {
    phase.packed = phases_.back().packed + groups_ * outputs_ * depth(phases_.back());
  }
  choose_windows(phase);
  phases_.push_back(std::move(phase));
}

void WindowSums::choose_windows(Phase& phase) {
  const int64_t taps = std::max<size_t>(1, phase.weights.size());
  const int64_t fit = std::max<int64_t>(1, kDepth / taps);
  const int64_t chunks = std::max<int64_t>(1, ceil_div(channels_, fit));
  const int64_t together = std::max<int64_t>(1, ceil_div(channels_, chunks));
  phase.chunk = std::min(kDepth, taps) == kDepth ? kDepth : together * taps;
  int64_t each = together * item_;
  for (const WindowAxis& axis : phase.axes) each *= axis.step;
  // All threads get some of few outputs.
  int64_t outputs = input_.images;
  for (const WindowAxis& axis : phase.axes) outputs *= axis.outputs;
  const int64_t fair = ceil_div(outputs * divided_, kFewUnits);
  const int64_t least = 2 * width();
  const int64_t most =
      std::min(std::clamp(kPadded / each, kLeastOutputs, kMostOutputs), std::max(fair, least));
  phase.windows.emplace_back(input_, phase.axes, most, together);
  padded_ = std::max<size_t>(padded_, phase.windows[0].padded_bytes());
  columns_ = std::max<size_t>(columns_, kPanels * width() * phase.chunk * item_);
}

// Tiles for every number of columns that the last panel of a slab has.
bool WindowSums::find_tiles() {
  kernels_.resize(4 * vectors_);
  for (const Phase& phase : phases_) {
    const Windows& windows = phase.windows[0];
    if (windows.slabs() == 0) continue;
    if (!find_tiles(windows.outputs(windows.slab(0))) ||
        !find_tiles(windows.outputs(windows.slab(windows.slabs() - 1)))) {
      return false;
    }
  }
  return true;
}

bool WindowSums::find_tiles(int64_t outputs) {
  const int64_t last = outputs % width();
  for (const int64_t columns : {outputs >= width() ? width() : 0, last}) {
    const int64_t vectors = ceil_div(columns, family_.lanes);
    const bool ragged = columns % family_.lanes;
    for (int64_t rows = outputs_ / tiles_; columns && rows <= ceil_div(outputs_, tiles_); ++rows) {
      MicroKernel& kernel = kernels_[kernel_index(rows, vectors, ragged)];
      if (!kernel)
        kernel = micro_kernel(ragged ? Micro::kRagged : Micro::kTile, dtype_, rows, vectors);
      if (!kernel) return false;
    }
  }
  return true;
}

void WindowSums::choose_tasks(double work) {
  int64_t most = 0;
  for (const Phase& phase : phases_) {
    const Windows& windows = phase.windows[0];
    if (windows.slabs()) most = std::max(most, windows.outputs(windows.slab(0)));
  }
  for (Phase& phase : phases_) {
    phase.units = phase.windows[0].slabs() * groups_ * divided_;
    units_ += phase.units;
  }
  tasks_ = std::min({task_count(work), units_, kMaxTasks});
  int64_t weights =
      direct_ ? 0 : phases_.back().packed + groups_ * outputs_ * depth(phases_.back());
  biases_at_ = round_up(weights * item_, 64);
  tasks_at_ = biases_at_ + (bias_ ? groups_ * outputs_ * width() * item_ : 0);
  padded_ = round_up(padded_, 64);
  columns_ = round_up(columns_, 64) + 64;  // of which the last is written too far
  scratch_ = padded_ + columns_ + round_up(outputs_ * round_up(most, family_.lanes) * item_, 64);
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

// As [tile][depth][rows of the tile].
void WindowSums::pack_weights(const ConvolutionPointers& at) const {
  const auto pack = [&](auto* target, const Phase& phase, int64_t group, int64_t tile) {
    using T = std::remove_pointer_t<decltype(target)>;
    const Range mine = part(outputs_, tiles_, tile);
    const int64_t rows = mine.end - mine.begin;
    target += phase.packed + (group * outputs_ + mine.begin) * depth(phase);
    for (int64_t c = 0; c < channels_; ++c) {
      const char* from = at.second + group * w_group_ + mine.begin * w_output_ + c * w_channel_;
      for (const int64_t tap : phase.weights) {
        for (int64_t row = 0; row < rows; ++row) {
          std::memcpy(target++, from + row * w_output_ + tap, sizeof(T));
        }
      }
    }
  };
  parallel_for(groups_ * tiles_, [&](int64_t i) {
    for (const Phase& phase : phases_) {
      if (item_ == 4) {
        pack(reinterpret_cast<float*>(at.workspace), phase, i / tiles_, i % tiles_);
      } else {
        pack(reinterpret_cast<double*>(at.workspace), phase, i / tiles_, i % tiles_);
      }
    }
  });
}

// Tiles add what was summed before: at first, the bias in every column.
void WindowSums::fill_biases(const ConvolutionPointers& at) const {
  char* to = at.workspace + biases_at_;
  for (int64_t k = 0; k < groups_ * outputs_; ++k) {
    for (int64_t i = 0; i < width(); ++i, to += item_) {
      std::memcpy(to, at.bias + k * bias_stride_, item_);
    }
  }
}

void WindowSums::run_unit(const Unit& unit, const ConvolutionPointers& at, char* scratch) const {
  const Windows& windows = unit.phase.windows[0];
  const int64_t outputs = windows.outputs(unit.slab), taps = windows.taps(),
                all = depth(unit.phase);
  char *padded = scratch, *columns = scratch + padded_, *c = columns + columns_;
  int64_t c_row = round_up(outputs, family_.lanes) * item_;
  if (in_place(unit)) {
    c_row = y_.second;
    windows.each_row(unit.slab, {0, 1}, [&](int64_t n, int64_t i, int64_t j, int64_t k, auto...) {
      c = at.result + place(unit.phase, n, unit.group * outputs_, i, j, k);
    });
  }
  int64_t row = 0;
  do {
    const int64_t channel = taps ? row / taps : 0;
    const int64_t end = taps > unit.phase.chunk ? (channel + 1) * taps : all;
    const Range rows = {row, std::min(row + unit.phase.chunk, end)};
    const Range channels = {channel, taps ? ceil_div(rows.end, taps) : 0};
    const int64_t first = unit.group * channels_;
    windows.pad(at.first, unit.slab, {first + channels.begin, first + channels.end}, padded);
    for (int64_t begin = 0; begin < outputs; begin += kPanels * width()) {
      const Range block = {begin, std::min(outputs, begin + kPanels * width())};
      for (int64_t i = block.begin; i < block.end; i += width()) {
        char* panel = columns + (i - begin) * (rows.end - rows.begin) * item_;
        windows.pack(padded, unit.slab, {i, std::min(i + width(), block.end)},
                     {rows.begin - channel * taps, rows.end - channel * taps}, panel,
                     width() * item_);
      }
      multiply(unit, at, rows, block, columns, c, c_row);
    }
    row = rows.end;
  } while (row < all);
  if (!in_place(unit)) spread(unit, c, c_row, at.result);
}

void WindowSums::multiply(const Unit& unit, const ConvolutionPointers& at, Range rows,
                          Range outputs, const char* columns, char* c, int64_t c_row) const {
  TileArguments t = {};
  t.steps = rows.end - rows.begin;
  t.b_step = width() * item_;
  t.c_row = c_row;
  for (int64_t tile = unit.tiles.begin; tile < unit.tiles.end; ++tile) {
    const Range mine = part(outputs_, tiles_, tile);
    const int64_t many = mine.end - mine.begin, output = unit.group * outputs_ + mine.begin;
    t.a_row = direct_ ? w_output_ : item_;
    t.a_step = direct_ ? item_ : many * item_;
    const int64_t before =
        unit.group * outputs_ * depth(unit.phase) + mine.begin * depth(unit.phase);
    t.a = direct_ ? at.second + unit.group * w_group_ + mine.begin * w_output_ + rows.begin * item_
                  : at.workspace + (unit.phase.packed + before + rows.begin * many) * item_;
    for (int64_t i = outputs.begin; i < outputs.end; i += width()) {
      const int64_t left = std::min(width(), outputs.end - i);
      const int64_t vectors = ceil_div(left, family_.lanes);
      t.columns = left - (vectors - 1) * family_.lanes;
      t.b = columns + (i - outputs.begin) * t.steps * item_;
      t.c = c + mine.begin * c_row + i * item_;
      t.before = rows.begin ? t.c
                 : bias_    ? at.workspace + biases_at_ + output * width() * item_
                            : nullptr;
      t.before_row = rows.begin ? c_row : width() * item_;
      kernels_[kernel_index(many, vectors, left % family_.lanes)](&t);
    }
  }
}

void WindowSums::spread(const Unit& unit, const char* stage, int64_t stage_row,
                        char* output) const {
  const Windows& windows = unit.phase.windows[0];
  const Range rows = {part(outputs_, tiles_, unit.tiles.begin).begin,
                      part(outputs_, tiles_, unit.tiles.end - 1).end};
  const int64_t step = unit.phase.step[2] * item_;
  windows.each_row(unit.slab, {0, windows.outputs(unit.slab)},
                   [&](int64_t n, int64_t i, int64_t j, int64_t l, int64_t count, int64_t at) {
                     for (int64_t k = rows.begin; k < rows.end; ++k) {
                       char* to = output + place(unit.phase, n, unit.group * outputs_ + k, i, j, l);
                       const char* from = stage + k * stage_row + at * item_;
                       if (step == item_) {
                         std::memcpy(to, from, count * item_);
                       } else {
                         copy_elements(from, item_, to, step, count, item_);
                       }
                     }
                   });
}

}  // namespace

std::unique_ptr<Convolver> make_windowed(const Convolution& c, bool transposed) {
  auto sums = std::make_unique<WindowSums>();
  if (!sums->init(c, transposed)) return nullptr;
  return sums;
}

}  // namespace gleed
