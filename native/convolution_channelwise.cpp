// Convolution where every group has one channel: planes of outputs are summed one by one from
// planes of the input, or where channels are neighbours many of them together, by kernels made for
// the taps (gleed/compiler/convolution_plane.py, gleed/compiler/convolution_pixel.py).
#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "contraction.h"
#include "contraction_kernels.h"
#include "contraction_pack.h"
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
constexpr int64_t kVector = 64;       // bytes
constexpr int64_t kParts = 16;        // of a sum over few planes
constexpr int64_t kNear = 24 << 10;   // bytes of taps and pixels that lie in cache
constexpr int64_t kLeastVectors = 6;  // of channels of a unit

// The taps of the last two axes, in turns of as many rows as a kernel takes.
struct Turns {
  int64_t rows, at_once;
  MicroKernel none, most, last;

  // `more` are the numbers of a kernel beside those of its taps.
  bool init(Micro kind, DType dtype, const AxisPhase& row, const AxisPhase& column,
            const std::vector<int64_t>& more);
  template <class Use>
  void each(Use&& use) const {  // use(first row, kernel)
    for (int64_t t = 0; t < rows; t += at_once) use(t, t + at_once > rows ? last : most);
  }
};

bool Turns::init(Micro kind, DType dtype, const AxisPhase& row, const AxisPhase& column,
                 const std::vector<int64_t>& more) {
  rows = column.taps ? row.taps : 0;
  at_once = std::max<int64_t>(1, std::min(rows, kMostTaps / std::max<int64_t>(1, column.taps)));
  const auto kernel = [&](int64_t taps) {
    std::vector<int64_t> shape = {taps,        column.taps,  row.step,
                                  column.step, row.distance, column.distance};
    shape.insert(shape.end(), more.begin(), more.end());
    return micro_kernel(kind, dtype, shape);
  };
  none = kernel(0);
  most = kernel(rows ? at_once : 0);
  last = rows % at_once ? kernel(rows % at_once) : most;
  return none && most && last;
}

// How many neighbours in a row are computed at once: pixels that are left over cost more.
int64_t best_block(int64_t columns) {
  constexpr int64_t kLeast = 4, kMost = 8;
  int64_t best = 1, least = 3 * columns;
  for (int64_t n = std::min(columns, kMost); n >= std::min(columns, kLeast) && n > 1; --n) {
    const int64_t cost = columns / n * (n + 1) + columns % n * 2;
    if (cost >= least) continue;
    least = cost;
    best = n;
  }
  return best;
}

// Sums over planes, or over pixels: lanes are neighbours in a row, or channels of which many are
// one unit of work. Where the taps are the result, planes have vectors whose lanes share a sum.
class Channelwise final : public Convolver {
 public:
  Channelwise(const Convolution& c, bool weight)
      : c_(c), pixels_(suits_pixels(c, weight)), weight_(weight) {}
  bool init();
  void run(const ConvolutionPointers& at) const override;

 private:
  // Planes of outputs are walked in `blocks` of their rows, which with the images are divided
  // into `parts`, each of which has a result of its own.
  struct Phase {
    std::array<AxisPhase, 3> axes;
    Turns turns;
    int64_t blocks, parts;
  };
  void lay_out_taps();
  bool add_phase(const std::array<AxisPhase, 3>& axes);
  void pack_taps(const ConvolutionPointers& at) const;
  void run_unit(int64_t unit, const ConvolutionPointers& at) const;
  void clear_sums(char* sums, int64_t plane) const;
  void walk(const Phase& phase, Range rows, const char* x, char* y, PlaneArguments p,
            const Epilogue* epilogue) const;
  template <class T>
  void add_parts(char* sums, char* result) const;

  Convolution c_;
  bool pixels_, weight_;
  int64_t lanes_, many_ = 1, planes_;  // of `many_` channels each
  // Bytes of taps, or of sums, as they are laid out: from a plane to the next, a tap, all of them.
  int64_t plane_ = 0, tap_ = 0, laid_ = 0;
  ConvolutionStrides given_;  // strides of w
  std::vector<Phase> phases_;
  int64_t units_ = 0, tasks_, zeros_;
};

bool Channelwise::init() {
  const TileFamily* family = tile_family(c_.dtype);
  if (!family) return false;
  lanes_ = family->lanes;
  c_.item = packed_size(c_.dtype);  // of sums
  planes_ = c_.groups * c_.outputs;
  if (pixels_ || weight_) lay_out_taps();
  for (const AxisPhase& i : c_.phases[0]) {
    for (const AxisPhase& j : c_.phases[1]) {
      for (const AxisPhase& k : c_.phases[2]) {
        if (!add_phase({i, j, k})) return false;
      }
    }
  }
  has_blocks = !weight_ && c_.phases[1][0].every * c_.phases[2][0].every == 1;
  tasks_ = std::min({task_count(4 * c_.work), units_, kMaxTasks});
  // As many as a kernel reads beside x, and one for a bias.
  zeros_ = round_up(pixels_ ? tap_ : (c_.inputs[2] + 1) * c_.item, kVector);
  workspace = zeros_ + round_up(laid_ * (weight_ ? phases_[0].parts : 1), kVector);
  return true;
}

// As [plane][tap][lanes], or [tap][channel] and then the bias.
void Channelwise::lay_out_taps() {
  given_ = c_.w;
  if (pixels_) {
    // About two pixels are read for every tap.
    const int64_t fit = std::max(kNear / (3 * c_.taps * c_.item * lanes_), kLeastVectors),
                  vectors = ceil_div(c_.groups, lanes_);
    many_ = ceil_div(vectors, ceil_div(vectors, fit)) * lanes_;
    planes_ = ceil_div(c_.groups, many_);
    plane_ = many_ * c_.item;
    tap_ = (vectors | 1) * lanes_ * c_.item;  // so that taps do not share sets of the cache
    laid_ = (c_.taps + 1) * tap_;
  } else {
    tap_ = lanes_ * c_.item;
    plane_ = c_.taps * tap_;
    laid_ = planes_ * plane_;
  }
  const int64_t row = c_.kernel[2] * tap_;
  c_.w.axes = {c_.kernel[1] * row, row, tap_};
}

bool Channelwise::add_phase(const std::array<AxisPhase, 3>& axes) {
  const int64_t rows = axes[1].outputs, columns = axes[2].outputs;
  const int64_t many = rows * columns * many_ / kUnit;
  const int64_t blocks = std::clamp<int64_t>(many, 1, rows / 8 + 1);
  Phase phase = {axes, {}, blocks, c_.images * blocks};
  if (weight_) {
    phase.parts = std::clamp<int64_t>(kParts / planes_, 1, std::max<int64_t>(1, phase.parts));
  }
  units_ += planes_ * phase.parts;
  std::vector<int64_t> more = {axes[2].every};
  if (pixels_) more = {best_block(columns), c_.groups % lanes_ != 0};
  const Micro kind = pixels_   ? weight_ ? Micro::kPixelWeight : Micro::kPixel
                     : weight_ ? Micro::kPlaneWeight
                               : Micro::kPlane;
  const bool made = phase.turns.init(kind, c_.dtype, axes[1], axes[2], more);
  phases_.push_back(phase);
  return made;
}

void Channelwise::run(const ConvolutionPointers& at) const {
  std::memset(at.workspace, 0, zeros_);
  if (pixels_ && !weight_) pack_taps(at);
  parallel_for(tasks_, [&](int64_t task) {
    const Range mine = part(units_, tasks_, task);
    for (int64_t unit = mine.begin; unit < mine.end; ++unit) run_unit(unit, at);
  });
  if (!weight_) return;
  if (c_.item == sizeof(float)) {
    add_parts<float>(at.workspace + zeros_, at.result);
  } else {
    add_parts<double>(at.workspace + zeros_, at.result);
  }
}

void Channelwise::pack_taps(const ConvolutionPointers& at) const {
  char* to = at.workspace + zeros_;
  std::memset(to, 0, laid_);
  for (int64_t tap = 0; tap < c_.taps; ++tap, to += tap_) {
    const int64_t l = tap % c_.kernel[2], j = tap / c_.kernel[2] % c_.kernel[1],
                  i = tap / c_.kernel[2] / c_.kernel[1];
    const char* from = at.second + i * given_.axes[0] + j * given_.axes[1] + l * given_.axes[2];
    c_.w_elements.read_line(from, c_.w_group, c_.groups, to);
  }
  if (at.bias) copy_elements(at.bias, c_.bias_stride, to, c_.item, c_.groups, c_.item);
}

void Channelwise::run_unit(int64_t unit, const ConvolutionPointers& at) const {
  const Phase* phase = phases_.data();
  for (; unit >= planes_ * phase->parts; ++phase) unit -= planes_ * phase->parts;
  const auto& [first, second, third] = phase->axes;
  const int64_t plane = unit % planes_, k = plane * many_, group = k / c_.outputs;
  char* const taps = at.workspace + zeros_ + plane * plane_;
  PlaneArguments p = {};
  p.zeros = p.bias = at.workspace;
  p.x_rows = c_.inputs[1];
  p.x_columns = c_.inputs[2];
  p.x_column = c_.from.axes[2];
  p.y_column = c_.to.axes[2] * third.every;
  p.channels = std::min(many_, c_.groups * c_.outputs - k);
  p.left = third.position;
  p.w_row = second.tap_step * c_.w.axes[1];
  p.w_column = third.tap_step * c_.w.axes[2];
  if (weight_) {
    p.w = taps + unit / planes_ * laid_;
    clear_sums(p.w, plane);
  } else {
    p.w = pixels_ ? taps
                  : const_cast<char*>(at.second) + group * c_.w_group + k % c_.outputs * c_.w.first;
    p.w += first.tap * c_.w.axes[0] + second.tap * c_.w.axes[1] + third.tap * c_.w.axes[2];
    if (at.bias) p.bias = pixels_ ? taps + c_.taps * tap_ : at.bias + k * c_.bias_stride;
  }
  const Range items = part(c_.images * phase->blocks, phase->parts, unit / planes_);
  for (int64_t item = items.begin; item < items.end; ++item) {
    const int64_t n = item / phase->blocks;
    char* y = weight_ ? const_cast<char*>(at.second) : at.result;
    walk(*phase, part(second.outputs, phase->blocks, item % phase->blocks),
         at.first + n * c_.from.first + group * c_.from.second,
         y + n * c_.to.first + k * c_.to.second, p, at.epilogue);
  }
}

void Channelwise::clear_sums(char* sums, int64_t plane) const {
  int64_t bytes = tap_;
  if (pixels_) bytes = plane + 1 < planes_ ? plane_ : tap_ - plane * plane_;
  for (int64_t tap = 0; tap < c_.taps; ++tap) std::memset(sums + tap * tap_, 0, bytes);
}

void Channelwise::walk(const Phase& phase, Range rows, const char* x, char* y, PlaneArguments p,
                       const Epilogue* epilogue) const {
  const auto& [first, second, third] = phase.axes;
  char* const taps = p.w;
  const char* const bias = p.bias;
  p.x_row = c_.from.axes[1];
  p.y_row = c_.to.axes[1] * second.every;
  p.y_rows = rows.end - rows.begin;
  p.y_columns = third.outputs;
  for (int64_t i = 0; i < first.outputs; ++i) {
    p.y = y + (first.first + i * first.every) * c_.to.axes[0] +
          (second.first + rows.begin * second.every) * c_.to.axes[1] + third.first * c_.to.axes[2];
    p.add = 0;
    p.bias = bias;
    for (int64_t t = 0; t < first.taps; ++t) {
      const int64_t place = first.position + i * first.step + t * first.distance;
      if (place < 0 || place >= c_.inputs[0]) continue;
      p.x = x + place * c_.from.axes[0];
      phase.turns.each([&](int64_t tap, MicroKernel kernel) {
        p.top = second.position + rows.begin * second.step + tap * second.distance;
        p.w = taps + t * first.tap_step * c_.w.axes[0] + tap * p.w_row;
        kernel(&p);
        p.bias = p.zeros;
        p.add = 1;
      });
    }
    if (!weight_ && !p.add) phase.turns.none(&p);
    const int64_t positions = p.y_rows * p.y_columns;
    if (epilogue) (*epilogue)(p.y, pixels_ ? positions : 1, pixels_ ? p.channels : positions);
  }
}

// Of the parts, and where lanes share a sum of those.
template <class T>
void Channelwise::add_parts(char* sums, char* result) const {
  const int64_t count = (pixels_ ? c_.taps * tap_ : laid_) / sizeof(T);
  T *total = reinterpret_cast<T*>(sums), *to = reinterpret_cast<T*>(result);
  for (int64_t i = 1; i < phases_[0].parts; ++i) {
    const T* of_part = reinterpret_cast<const T*>(sums + i * laid_);
    for (int64_t j = 0; j < count; ++j) total[j] += of_part[j];
  }
  const int64_t step = pixels_ ? sizeof(T) : plane_, lanes = pixels_ ? 1 : lanes_;
  for (int64_t k = 0; k < c_.groups * c_.outputs; ++k) {
    for (int64_t tap = 0; tap < c_.taps; ++tap) {
      const T* vector = reinterpret_cast<const T*>(sums + k * step + tap * tap_);
      *to++ = std::accumulate(vector, vector + lanes, T{});
    }
  }
}

// Sums of several turns are added to results, which must not have been rounded.
bool few_taps(const Convolution& c, bool weight) {
  const bool once = !weight && itemsize(c.numbers) == 2;
  return std::ranges::all_of(c.phases[2], [](const AxisPhase& a) { return a.taps <= kMostTaps; }) &&
         (!once || (c.kernel[0] == 1 && c.taps <= kMostTaps));
}

}  // namespace

bool suits_planes(const Convolution& c, bool weight) {
  const int64_t item = itemsize(c.numbers);
  bool few = c.channels == 1 && c.outputs <= kFewOutputs && few_taps(c, weight) &&
             c.from.axes[2] == item && c.to.axes[2] == item;
  for (const AxisPhase& phase : c.phases[2]) {
    few = few && std::max(phase.step, phase.every) <= kMostStep;
  }
  return few;
}

bool suits_pixels(const Convolution& c, bool weight) {
  const int64_t item = itemsize(c.numbers);
  return c.groups > 1 && c.channels == 1 && c.outputs == 1 && c.from.second == item &&
         c.to.second == item && few_taps(c, weight);
}

std::unique_ptr<Convolver> make_channelwise(const Convolution& c, bool weight) {
  auto sums = std::make_unique<Channelwise>(c, weight);
  if (!sums->init()) return nullptr;
  return sums;
}

}  // namespace gleed
