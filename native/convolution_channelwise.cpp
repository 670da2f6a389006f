// Convolution where every group has one channel: planes of outputs are summed one by one from
// planes of the input, by kernels made for the taps (gleed/compiler/convolution_plane.py).
#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "contraction.h"
#include "contraction_kernels.h"
#include "convolution.h"
#include "convolution_windows.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr int64_t kFewOutputs = 2;  // of a group
constexpr int64_t kMostTaps = 49;   // of a kernel; more are summed in several turns
constexpr int64_t kUnit = 1 << 14;  // outputs that a task walks at a time
constexpr int64_t kMaxTasks = 64;
constexpr int64_t kVector = 64;  // bytes
constexpr int64_t kParts = 16;   // of a sum over few planes

// The taps of the last two axes, in turns of as many rows as a kernel takes.
struct Turns {
  int64_t rows, at_once;
  MicroKernel most, last;

  bool init(Micro kind, DType dtype, const AxisPhase& row, const AxisPhase& column);
  template <class Use>
  void each(Use&& use) const {  // use(first row, kernel)
    for (int64_t t = 0; t < rows; t += at_once) use(t, t + at_once > rows ? last : most);
  }
};

bool Turns::init(Micro kind, DType dtype, const AxisPhase& row, const AxisPhase& column) {
  rows = column.taps ? row.taps : 0;
  at_once = std::max<int64_t>(1, std::min(rows, kMostTaps / std::max<int64_t>(1, column.taps)));
  const auto kernel = [&](int64_t taps) {
    return micro_kernel(kind, dtype,
                        {taps, column.taps, row.step, column.step, row.distance, column.distance});
  };
  most = kernel(rows ? at_once : 0);
  last = rows % at_once ? kernel(rows % at_once) : most;
  return most && last;
}

// A plane with neighbours in its rows: itself, or a copy.
struct Plane {
  const char* at;
  int64_t row;
};

Plane neighbours(const char* from, const ConvolutionStrides& strides, int64_t rows, int64_t columns,
                 int64_t item, char* copy) {
  const auto [row, column] = std::array{strides.axes[1], strides.axes[2]};
  if (column == item || columns == 1) return {from, row};
  for (int64_t i = 0; i < rows; ++i) {
    copy_elements(from + i * row, column, copy + i * columns * item, item, columns, item);
  }
  return {copy, columns * item};
}

// Rows of outputs that a task walks at a time, out of `blocks` parts of equal size.
int64_t row_blocks(int64_t rows, int64_t columns) {
  return std::clamp<int64_t>(rows * columns / kUnit, 1, std::max<int64_t>(1, rows / 8));
}

class Sums final : public Convolver {
 public:
  bool init(const Convolution& c, bool transposed);
  void run(const ConvolutionPointers& at) const override;

 private:
  struct Phase {
    std::array<AxisPhase, 3> axes;
    Turns turns;
    int64_t blocks, units;
  };
  void run_unit(const Phase& phase, int64_t unit, const ConvolutionPointers& at,
                char* scratch) const;
  void sum(const Phase& phase, int64_t plane, int64_t i, Range rows, const ConvolutionPointers& at,
           PlaneArguments p, char* copy) const;

  DType dtype_;
  int64_t item_, images_, groups_, outputs_;
  ConvolutionStrides x_, w_, y_;  // what is read, and the result; w by output of a group
  int64_t w_group_, bias_stride_;
  std::array<int64_t, 3> inputs_;
  std::vector<Phase> phases_;
  MicroKernel fill_;  // has no taps
  int64_t units_ = 0, tasks_, stage_ = 0, copy_ = 0, scratch_;
};

bool Sums::init(const Convolution& c, bool transposed) {
  dtype_ = c.dtype;
  item_ = c.itemsize;
  images_ = c.images;
  groups_ = c.groups;
  outputs_ = transposed ? c.channels : c.outputs;
  x_ = transposed ? c.y : c.x;
  y_ = transposed ? c.x : c.y;
  w_ = c.w;
  w_group_ = c.outputs * c.w.first;
  if (transposed) std::swap(w_.first, w_.second);
  bias_stride_ = c.bias_stride;
  std::array<std::vector<AxisPhase>, 3> of_axes;
  for (int a = 0; a < 3; ++a) {
    inputs_[a] = transposed ? c.axes[a].output : c.axes[a].input;
    of_axes[a] = axis_phases(c.axes[a], transposed);
  }
  const bool copied = x_.axes[2] != item_ && inputs_[2] > 1;
  if (copied) copy_ = round_up(inputs_[1] * inputs_[2] * item_, kVector);
  for (const AxisPhase& i : of_axes[0]) {
    for (const AxisPhase& j : of_axes[1]) {
      for (const AxisPhase& k : of_axes[2]) {
        Phase phase = {{i, j, k}, {}, copied ? 1 : row_blocks(j.outputs, k.outputs), 0};
        if (!phase.turns.init(Micro::kPlane, dtype_, j, k)) return false;
        phase.units = images_ * groups_ * outputs_ * phase.blocks;
        units_ += phase.units;
        const int64_t rows = ceil_div(j.outputs, phase.blocks);
        if (k.every > 1) stage_ = std::max(stage_, round_up(rows * k.outputs * item_, kVector));
        phases_.push_back(phase);
      }
    }
  }
  fill_ = micro_kernel(Micro::kPlane, dtype_, {0, 0, 1, 1, 1, 1});
  tasks_ = std::min({task_count(4 * c.work()), units_, kMaxTasks});
  scratch_ = copy_ + stage_;
  workspace = round_up((inputs_[2] + 1) * item_, kVector) + tasks_ * scratch_;
  return fill_;
}

void Sums::run(const ConvolutionPointers& at) const {
  const int64_t zeros = round_up((inputs_[2] + 1) * item_, kVector);  // and one for a bias
  std::memset(at.workspace, 0, zeros);
  parallel_for(tasks_, [&](int64_t task) {
    char* scratch = at.workspace + zeros + task * scratch_;
    const Range mine = part(units_, tasks_, task);
    for (int64_t number = mine.begin; number < mine.end; ++number) {
      const Phase* phase = phases_.data();
      int64_t unit = number;
      for (; unit >= phase->units; ++phase) unit -= phase->units;
      run_unit(*phase, unit, at, scratch);
    }
  });
}

void Sums::run_unit(const Phase& phase, int64_t unit, const ConvolutionPointers& at,
                    char* scratch) const {
  const auto& [first, second, third] = phase.axes;
  const int64_t plane = unit / phase.blocks, k = plane % (groups_ * outputs_);
  const Range rows = part(second.outputs, phase.blocks, unit % phase.blocks);
  PlaneArguments p = {};
  p.zeros = at.workspace;
  p.bias = at.bias ? at.bias + k * bias_stride_ : at.workspace;
  p.y_rows = rows.end - rows.begin;
  p.y_columns = third.outputs;
  const int64_t row = y_.axes[1] * second.every, column = y_.axes[2] * third.every;
  for (int64_t i = 0; i < first.outputs; ++i) {
    char* to = at.result + plane / (groups_ * outputs_) * y_.first + k * y_.second +
               (first.first + i * first.every) * y_.axes[0] +
               (second.first + rows.begin * second.every) * y_.axes[1] + third.first * y_.axes[2];
    p.y = third.every > 1 ? scratch + copy_ : to;
    p.y_row = third.every > 1 ? p.y_columns * item_ : row;
    sum(phase, plane, i, rows, at, p, scratch);
    if (third.every == 1) continue;
    for (int64_t j = 0; j < p.y_rows; ++j) {
      copy_elements(p.y + j * p.y_row, item_, to + j * row, column, p.y_columns, item_);
    }
  }
}

void Sums::sum(const Phase& phase, int64_t plane, int64_t i, Range rows,
               const ConvolutionPointers& at, PlaneArguments p, char* copy) const {
  const auto& [first, second, third] = phase.axes;
  const int64_t k = plane % (groups_ * outputs_), group = k / outputs_;
  const char* image = at.first + plane / (groups_ * outputs_) * x_.first + group * x_.second;
  p.w_row = second.tap_step * w_.axes[1];
  p.w_column = third.tap_step * w_.axes[2];
  p.x_rows = inputs_[1];
  p.x_columns = inputs_[2];
  p.left = third.position;
  for (int64_t t = 0; t < first.taps; ++t) {
    const int64_t place = first.position + i * first.step + t * first.distance;
    if (place < 0 || place >= inputs_[0]) continue;
    const Plane x = neighbours(image + place * x_.axes[0], x_, inputs_[1], inputs_[2], item_, copy);
    p.x = x.at;
    p.x_row = x.row;
    const char* w = at.second + group * w_group_ + k % outputs_ * w_.first +
                    (first.tap + t * first.tap_step) * w_.axes[0] + second.tap * w_.axes[1] +
                    third.tap * w_.axes[2];
    phase.turns.each([&](int64_t tap, MicroKernel kernel) {
      p.top = second.position + rows.begin * second.step + tap * second.distance;
      p.w = const_cast<char*>(w) + tap * p.w_row;
      kernel(&p);
      p.bias = p.zeros;
      p.add = 1;
    });
  }
  if (!p.add) fill_(&p);
}

// Sums for the taps of a plane, over the images and blocks of rows in one of several parts.
class Weight final : public Convolver {
 public:
  bool init(const Convolution& c);
  void run(const ConvolutionPointers& at) const override;

 private:
  void run_unit(int64_t unit, const ConvolutionPointers& at, char* sums, char* scratch) const;
  template <class T>
  void finish(int64_t plane, const char* sums, char* result) const;

  Convolution c_;
  std::array<AxisPhase, 3> axes_;
  Turns turns_;
  int64_t lanes_, planes_, blocks_, parts_, tasks_, zeros_, sums_, x_copy_, scratch_;
};

bool Weight::init(const Convolution& c) {
  c_ = c;
  for (int a = 0; a < 3; ++a) axes_[a] = axis_phases(c.axes[a], false)[0];
  const TileFamily* family = tile_family(c.dtype);
  if (!family || !turns_.init(Micro::kPlaneWeight, c.dtype, axes_[1], axes_[2])) return false;
  lanes_ = family->lanes;
  const auto &x = c.axes[1], &y = c.axes[2];
  const bool copied = c.x.axes[2] != c.itemsize || c.y.axes[2] != c.itemsize;
  planes_ = c.groups * c.outputs;
  blocks_ = copied ? 1 : row_blocks(x.output, y.output);
  parts_ = std::clamp<int64_t>(kParts / planes_, 1, std::max<int64_t>(1, c.images * blocks_));
  tasks_ = std::min({task_count(4 * c.work()), planes_ * parts_, kMaxTasks});
  zeros_ = round_up(y.input * c.itemsize, kVector);
  sums_ = round_up(c.taps() * lanes_ * c.itemsize, kVector);
  x_copy_ = copied ? round_up(x.input * y.input * c.itemsize, kVector) : 0;
  scratch_ = x_copy_ + (copied ? round_up(x.output * y.output * c.itemsize, kVector) : 0);
  workspace = zeros_ + planes_ * parts_ * sums_ + tasks_ * scratch_;
  return true;
}

void Weight::run(const ConvolutionPointers& at) const {
  char *sums = at.workspace + zeros_, *scratch = sums + planes_ * parts_ * sums_;
  std::memset(at.workspace, 0, zeros_);
  parallel_for(tasks_, [&](int64_t task) {
    const Range mine = part(planes_ * parts_, tasks_, task);
    for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
      run_unit(unit, at, sums + unit * sums_, scratch + task * scratch_);
    }
  });
  for (int64_t plane = 0; plane < planes_; ++plane) {
    const char* of_plane = sums + plane * parts_ * sums_;
    if (c_.itemsize == 4) {
      finish<float>(plane, of_plane, at.result);
    } else {
      finish<double>(plane, of_plane, at.result);
    }
  }
}

void Weight::run_unit(int64_t unit, const ConvolutionPointers& at, char* sums,
                      char* scratch) const {
  const int64_t k = unit / parts_, item = c_.itemsize;
  const auto& [first, second, third] = axes_;
  const Range mine = part(c_.images * blocks_, parts_, unit % parts_);
  PlaneArguments p = {};
  p.zeros = at.workspace;
  p.x_rows = c_.axes[1].input;
  p.x_columns = c_.axes[2].input;
  p.y_columns = third.outputs;
  p.left = third.position;
  std::memset(sums, 0, sums_);
  for (int64_t number = mine.begin; number < mine.end; ++number) {
    const int64_t n = number / blocks_;
    const Range rows = part(second.outputs, blocks_, number % blocks_);
    p.y_rows = rows.end - rows.begin;
    for (int64_t i = 0; i < first.outputs; ++i) {
      const char* of_y = at.second + n * c_.y.first + k * c_.y.second + i * c_.y.axes[0];
      const Plane y =
          neighbours(of_y, c_.y, second.outputs, third.outputs, item, scratch + x_copy_);
      p.y = const_cast<char*>(y.at) + rows.begin * y.row;
      p.y_row = y.row;
      for (int64_t t = 0; t < first.taps; ++t) {
        const int64_t place = first.position + i * first.step + t * first.distance;
        if (place < 0 || place >= c_.axes[0].input) continue;
        const char* of_x =
            at.first + n * c_.x.first + k / c_.outputs * c_.x.second + place * c_.x.axes[0];
        const Plane x = neighbours(of_x, c_.x, p.x_rows, p.x_columns, item, scratch);
        p.x = x.at;
        p.x_row = x.row;
        turns_.each([&](int64_t tap, MicroKernel kernel) {
          p.top = second.position + rows.begin * second.step + tap * second.distance;
          p.w = sums + (t * second.taps + tap) * third.taps * lanes_ * item;
          kernel(&p);
        });
      }
    }
  }
}

// Adds the parts and the lanes of each tap's vector.
template <class T>
void Weight::finish(int64_t plane, const char* sums, char* result) const {
  T* to = reinterpret_cast<T*>(result) + plane * c_.taps();
  for (int64_t tap = 0; tap < c_.taps(); ++tap) {
    T total = 0;
    for (int64_t i = 0; i < parts_; ++i) {
      const T* vector = reinterpret_cast<const T*>(sums + i * sums_) + tap * lanes_;
      total += std::accumulate(vector, vector + lanes_, T{});
    }
    to[tap] = total;
  }
}

}  // namespace

bool suits_channelwise(const Convolution& c, bool transposed) {
  const bool single = transposed ? c.outputs == 1 && c.channels <= kFewOutputs
                                 : c.channels == 1 && c.outputs <= kFewOutputs;
  return single && c.axes[2].kernel <= kMostTaps;
}

std::unique_ptr<Convolver> make_channelwise(const Convolution& c, bool transposed) {
  auto sums = std::make_unique<Sums>();
  if (!sums->init(c, transposed)) return nullptr;
  return sums;
}

std::unique_ptr<Convolver> make_channelwise_weight(const Convolution& c) {
  auto weight = std::make_unique<Weight>();
  if (!weight->init(c)) return nullptr;
  return weight;
}

}  // namespace gleed
