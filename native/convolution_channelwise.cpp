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
constexpr int64_t kMostStep = 4;    // between neighbours in a row of windows, or of results
constexpr int64_t kMostTaps = 49;   // of a kernel; more are summed in several turns
constexpr int64_t kUnit = 1 << 14;  // outputs that a task walks at a time
constexpr int64_t kMaxTasks = 64;
constexpr int64_t kVector = 64;  // bytes
constexpr int64_t kParts = 16;   // of a sum over few planes

// The taps of the last two axes, in turns of as many rows as a kernel takes.
struct Turns {
  int64_t rows, at_once;
  MicroKernel none, most, last;

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
    return micro_kernel(
        kind, dtype,
        {taps, column.taps, row.step, column.step, row.distance, column.distance, column.every});
  };
  none = kernel(0);
  most = kernel(rows ? at_once : 0);
  last = rows % at_once ? kernel(rows % at_once) : most;
  return none && most && last;
}

// Sums over planes, or where the taps are the result, of vectors whose lanes share their sums.
class Planes final : public Convolver {
 public:
  explicit Planes(const Convolution& c) : c_(c) {}
  bool init(bool weight);
  void run(const ConvolutionPointers& at) const override;

 private:
  // Planes of outputs are walked in `blocks` of their rows, which with the images are divided
  // into `parts`, each of which has a result of its own.
  struct Phase {
    std::array<AxisPhase, 3> axes;
    Turns turns;
    int64_t blocks, parts;
  };
  bool add_phase(const std::array<AxisPhase, 3>& axes);
  void run_unit(int64_t unit, const ConvolutionPointers& at, char* scratch) const;
  void walk(const Phase& phase, Range rows, const char* x, char* y, PlaneArguments p,
            char* scratch) const;
  template <class T>
  void add_parts(const char* sums, char* result) const;

  Convolution c_;
  int64_t lanes_;
  std::vector<Phase> phases_;
  int64_t units_ = 0, tasks_, zeros_, sums_ = 0, copy_ = 0, stage_ = 0;
};

bool Planes::init(bool weight) {
  const TileFamily* family = tile_family(c_.dtype);
  if (!family) return false;
  lanes_ = family->lanes;
  if (weight) {
    const int64_t tap = lanes_ * c_.item, row = c_.phases[2][0].taps * tap;
    c_.w.axes = {c_.phases[1][0].taps * row, row, tap};
    sums_ = round_up(c_.taps * tap, kVector);
  }
  if (c_.from.axes[2] != c_.item) copy_ = round_up(c_.inputs[1] * c_.inputs[2] * c_.item, kVector);
  for (const AxisPhase& i : c_.phases[0]) {
    for (const AxisPhase& j : c_.phases[1]) {
      for (const AxisPhase& k : c_.phases[2]) {
        if (!add_phase({i, j, k})) return false;
      }
    }
  }
  tasks_ = std::min({task_count(4 * c_.work), units_, kMaxTasks});
  zeros_ = round_up((c_.inputs[2] + 1) * c_.item, kVector);  // and one for a bias
  workspace = zeros_ + (sums_ ? units_ * sums_ : 0) + tasks_ * (copy_ + stage_);
  return true;
}

bool Planes::add_phase(const std::array<AxisPhase, 3>& axes) {
  const int64_t rows = axes[1].outputs, columns = axes[2].outputs, planes = c_.groups * c_.outputs;
  const int64_t blocks = copy_ ? 1 : std::clamp<int64_t>(rows * columns / kUnit, 1, rows / 8 + 1);
  Phase phase = {axes, {}, blocks, c_.images * blocks};
  if (sums_)
    phase.parts = std::clamp<int64_t>(kParts / planes, 1, std::max<int64_t>(1, phase.parts));
  units_ += planes * phase.parts;
  if (sums_ && c_.to.axes[2] != c_.item) {
    stage_ = std::max(stage_, round_up(ceil_div(rows, blocks) * columns * c_.item, kVector));
  }
  const Micro kind = sums_ ? Micro::kPlaneWeight : Micro::kPlane;
  const bool made = phase.turns.init(kind, c_.dtype, axes[1], axes[2]);
  phases_.push_back(phase);
  return made;
}

void Planes::run(const ConvolutionPointers& at) const {
  std::memset(at.workspace, 0, zeros_);
  char *sums = at.workspace + zeros_, *scratch = sums + (sums_ ? units_ * sums_ : 0);
  parallel_for(tasks_, [&](int64_t task) {
    const Range mine = part(units_, tasks_, task);
    for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
      run_unit(unit, at, scratch + task * (copy_ + stage_));
    }
  });
  if (!sums_) return;
  if (c_.dtype == DType::kFloat32) {
    add_parts<float>(sums, at.result);
  } else {
    add_parts<double>(sums, at.result);
  }
}

void Planes::run_unit(int64_t number, const ConvolutionPointers& at, char* scratch) const {
  const int64_t planes = c_.groups * c_.outputs;
  const Phase* phase = phases_.data();
  int64_t unit = number;
  for (; unit >= planes * phase->parts; ++phase) unit -= planes * phase->parts;
  const auto& [first, second, third] = phase->axes;
  const int64_t k = unit % planes, group = k / c_.outputs;
  PlaneArguments p = {};
  p.zeros = at.workspace;
  p.bias = at.bias ? at.bias + k * c_.bias_stride : at.workspace;
  p.x_rows = c_.inputs[1];
  p.x_columns = c_.inputs[2];
  p.left = third.position;
  p.w_row = second.tap_step * c_.w.axes[1];
  p.w_column = third.tap_step * c_.w.axes[2];
  if (sums_) {
    p.w = at.workspace + zeros_ + number * sums_;
    std::memset(p.w, 0, sums_);
  } else {
    p.w = const_cast<char*>(at.second) + group * c_.w_group + k % c_.outputs * c_.w.first +
          first.tap * c_.w.axes[0] + second.tap * c_.w.axes[1] + third.tap * c_.w.axes[2];
  }
  const Range items = part(c_.images * phase->blocks, phase->parts, unit / planes);
  for (int64_t item = items.begin; item < items.end; ++item) {
    const int64_t n = item / phase->blocks;
    char* y = sums_ ? const_cast<char*>(at.second) : at.result;
    walk(*phase, part(second.outputs, phase->blocks, item % phase->blocks),
         at.first + n * c_.from.first + group * c_.from.second,
         y + n * c_.to.first + k * c_.to.second, p, scratch);
  }
}

void Planes::walk(const Phase& phase, Range rows, const char* x, char* y, PlaneArguments p,
                  char* scratch) const {
  const auto& [first, second, third] = phase.axes;
  const int64_t row = c_.to.axes[1] * second.every;
  char* const taps = p.w;
  const char* const bias = p.bias;
  p.y_rows = rows.end - rows.begin;
  p.y_columns = third.outputs;
  for (int64_t i = 0; i < first.outputs; ++i) {
    char* plane = y + (first.first + i * first.every) * c_.to.axes[0] +
                  (second.first + rows.begin * second.every) * c_.to.axes[1] +
                  third.first * c_.to.axes[2];
    p.y = stage_ ? scratch + copy_ : plane;
    p.y_row = stage_ ? p.y_columns * c_.item : row;
    p.add = 0;
    p.bias = bias;
    for (int64_t j = 0; stage_ && j < p.y_rows; ++j) {
      copy_elements(plane + j * row, c_.to.axes[2], p.y + j * p.y_row, c_.item, p.y_columns,
                    c_.item);
    }
    for (int64_t t = 0; t < first.taps; ++t) {
      const int64_t place = first.position + i * first.step + t * first.distance;
      if (place < 0 || place >= c_.inputs[0]) continue;
      p.x = x + place * c_.from.axes[0];
      p.x_row = c_.from.axes[1];
      if (copy_) p.x_row = c_.inputs[2] * c_.item;
      for (int64_t j = 0; copy_ && j < c_.inputs[1]; ++j) {
        copy_elements(x + place * c_.from.axes[0] + j * c_.from.axes[1], c_.from.axes[2],
                      scratch + j * p.x_row, c_.item, c_.inputs[2], c_.item);
      }
      if (copy_) p.x = scratch;
      phase.turns.each([&](int64_t tap, MicroKernel kernel) {
        p.top = second.position + rows.begin * second.step + tap * second.distance;
        p.w = taps + t * first.tap_step * c_.w.axes[0] + tap * p.w_row;
        kernel(&p);
        p.bias = p.zeros;
        p.add = 1;
      });
    }
    if (!sums_ && !p.add) phase.turns.none(&p);
  }
}

// Of the vectors of each tap, and their lanes.
template <class T>
void Planes::add_parts(const char* sums, char* result) const {
  const int64_t planes = c_.groups * c_.outputs, parts = phases_[0].parts;
  T* to = reinterpret_cast<T*>(result);
  for (int64_t k = 0; k < planes; ++k) {
    for (int64_t tap = 0; tap < c_.taps; ++tap) {
      T total = 0;
      for (int64_t i = 0; i < parts; ++i) {
        const char* of_part = sums + (i * planes + k) * sums_;
        const T* vector = reinterpret_cast<const T*>(of_part) + tap * lanes_;
        total += std::accumulate(vector, vector + lanes_, T{});
      }
      *to++ = total;
    }
  }
}

std::unique_ptr<Convolver> make_planes(const Convolution& c, bool weight) {
  auto planes = std::make_unique<Planes>(c);
  if (!planes->init(weight)) return nullptr;
  return planes;
}

}  // namespace

bool suits_channelwise(const Convolution& c) {
  bool few = c.channels == 1 && c.outputs <= kFewOutputs;
  for (const AxisPhase& phase : c.phases[2]) {
    few = few && phase.taps <= kMostTaps && std::max(phase.step, phase.every) <= kMostStep;
  }
  return few;
}

std::unique_ptr<Convolver> make_channelwise(const Convolution& c) { return make_planes(c, false); }
std::unique_ptr<Convolver> make_channelwise_weight(const Convolution& c) {
  return make_planes(c, true);
}

}  // namespace gleed
