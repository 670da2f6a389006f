// Convolution, and its gradient for the input, with the channels of pixels side by side. What an
// output reads at a row of taps is one stretch of memory then, which register tiles multiply where
// it lies: their rows are outputs that are neighbours, their columns channels of these. So where
// channels come last, only zeros must be laid around an image, and short stretches beside one
// another; what is row-major is turned on its way into cache, and back on the way out of it.
#include <algorithm>
#include <cstring>
#include <vector>

#include "contraction.h"
#include "contraction_kernels.h"
#include "convolution.h"
#include "convolution_windows.h"
#include "threads.h"
#include "vector_clones.h"

namespace gleed {

namespace {

constexpr int64_t kDepth = 512;       // elements of a stretch multiplied at once
constexpr int64_t kShort = 64;        // elements of stretches that are copied together
constexpr int64_t kNear = 256 << 10;  // bytes of a slab's input, or of its result
constexpr int64_t kFewUnits = 4;      // of work that there should be at least
constexpr int64_t kMaxTasks = 16;
constexpr int64_t kVector = 64;  // bytes

// A stretch of what an output reads: bytes from its first element, elements, those before it.
struct Stretch {
  int64_t offset, count, before;
};

// Outputs of a row that meet the same taps.
struct Columns {
  AxisPhase axis;
  std::vector<Stretch> read;  // as it lies in the padded input
  int64_t depth;              // elements that an output reads
  int64_t packed;             // bytes of packed weights before these

  bool gathers() const { return read.size() > 1 && read[0].count <= kShort; }
};

// Rows that meet the same taps, in slabs of some rows of an image.
struct Phase {
  AxisPhase rows;
  std::vector<Columns> columns;
  int64_t low, pixels;    // columns of the input that are read
  int64_t lines;          // of a slab's input
  int64_t blocks, units;  // of an image's rows, and of all
};

// The stretches of a row's outputs side by side. They are copied vector by vector, and what is
// written too far is written again by the next.
GLEED_VECTOR_CLONES
void gather_stretches(const char* from, int64_t step, int64_t outputs,
                      const std::vector<Stretch>& read, int64_t item, char* to) {
  for (int64_t k = 0; k < outputs; ++k, from += step) {
    for (const Stretch& stretch : read) {
      int64_t i = 0;
      do {
        std::memcpy(to + i, from + stretch.offset + i, kVector);
        i += kVector;
      } while (i < stretch.count * item);
      to += stretch.count * item;
    }
  }
}

class LastSums final : public Convolver {
 public:
  explicit LastSums(const Convolution& c) : c_(c) {}
  bool init();
  void run(const ConvolutionPointers& at) const override;

 private:
  void add_phase(const AxisPhase& rows);
  void add_columns(Phase& phase, const AxisPhase& axis);
  void pack_weights(const Phase& phase, const ConvolutionPointers& at) const;
  void run_unit(int64_t unit, const ConvolutionPointers& at, char* scratch) const;
  void pad(const Phase& phase, int64_t first, const char* x, char* padded) const;
  void multiply(const Columns& columns, int64_t group, int64_t panel, const ConvolutionPointers& at,
                const char* from, char* to, const Stretch& stretch) const;

  int64_t pixel() const { return c_.channels * c_.item; }
  int64_t width() const { return family_.vectors * family_.lanes; }  // of a panel of channels
  int64_t left(int64_t panel) const { return std::min(width(), c_.outputs - panel * width()); }
  bool staged() const { return itemsize(c_.numbers) < c_.item || c_.to.second != c_.item; }
  // From a pixel of the result, or of what is to become it, to the next.
  int64_t result_pixel() const { return staged() ? c_.outputs * c_.item : c_.to.axes[2]; }

  Convolution c_;
  TileFamily family_;
  int64_t panels_, result_columns_ = 0, units_ = 0, tasks_;
  std::vector<Phase> phases_;
  TileSet kernels_;
  int64_t biases_at_ = 0, tasks_at_, padded_ = 0, gathered_ = 0, stage_ = 0;
};

bool LastSums::init() {
  const TileFamily* family = tile_family(c_.dtype);
  if (!family) return false;
  family_ = *family;
  panels_ = ceil_div(c_.outputs, width());
  for (const AxisPhase& axis : c_.phases[2]) {
    result_columns_ += axis.outputs;
    const int64_t tiles = ceil_div(axis.outputs, family_.rows), least = axis.outputs / tiles,
                  most = ceil_div(axis.outputs, tiles);
    for (const int64_t panel : {int64_t{0}, panels_ - 1}) {
      if (!kernels_.add(c_.dtype, least, most, left(panel))) return false;
    }
  }
  for (const AxisPhase& rows : c_.phases[1]) add_phase(rows);
  tasks_ = std::min({task_count(c_.work), units_, kMaxTasks});
  tasks_at_ = biases_at_ + round_up(c_.groups * c_.outputs * c_.item, kVector);
  workspace = tasks_at_ + tasks_ * (padded_ + gathered_ + stage_);
  return true;
}

void LastSums::add_phase(const AxisPhase& rows) {
  int64_t low = c_.inputs[2], end = -low;
  for (const AxisPhase& axis : c_.phases[2]) {
    if (!axis.taps) continue;
    const int64_t reach = (axis.outputs - 1) * axis.step + (axis.taps - 1) * axis.distance + 1;
    low = std::min(low, axis.position);
    end = std::max(end, axis.position + reach);
  }
  const int64_t pixels = std::max<int64_t>(1, end - low),
                result = staged() ? result_columns_ * result_pixel() : 1;
  const int64_t fit = kNear / std::max(pixels * pixel() * rows.step, result);
  const int64_t fair = ceil_div(c_.images * rows.outputs, kFewUnits);
  const int64_t blocks =
      ceil_div(rows.outputs, std::clamp<int64_t>(std::min(fit, fair), 1, rows.outputs));
  const int64_t at_once = ceil_div(rows.outputs, blocks);
  const int64_t lines = (at_once - 1) * rows.step + (rows.taps - 1) * rows.distance + 1;
  Phase phase = {
      rows, {}, low, pixels, std::max<int64_t>(1, lines), blocks, blocks * c_.images * c_.groups};
  for (const AxisPhase& axis : c_.phases[2]) add_columns(phase, axis);
  padded_ = std::max(padded_, round_up(phase.lines * pixels * pixel(), kVector) + kVector);
  if (staged()) stage_ = std::max(stage_, round_up(at_once * result, kVector));
  units_ += phase.units;
  phases_.push_back(std::move(phase));
}

void LastSums::add_columns(Phase& phase, const AxisPhase& axis) {
  Columns columns = {axis, {}, 0, biases_at_};
  // Taps that are neighbours are one stretch.
  const bool near = axis.distance == 1 || axis.taps == 1;
  const int64_t count = near ? axis.taps * c_.channels : c_.channels;
  const int64_t stretches = near ? std::min<int64_t>(1, axis.taps) : axis.taps;
  for (int64_t t = 0; t < phase.rows.taps * stretches; ++t) {
    const int64_t first = t / stretches * phase.rows.distance * phase.pixels + axis.position -
                          phase.low + t % stretches * axis.distance;
    for (int64_t some = 0; some < count; some += kDepth) {
      const int64_t many = std::min(kDepth, count - some);
      columns.read.push_back({first * pixel() + some * c_.item, many, columns.depth});
      columns.depth += many;
    }
  }
  const int64_t bytes = columns.gathers() ? axis.outputs * columns.depth * c_.item + kVector : 0;
  gathered_ = std::max(gathered_, round_up(bytes, kVector));
  biases_at_ += c_.groups * panels_ * columns.depth * width() * c_.item;
  phase.columns.push_back(std::move(columns));
}

void LastSums::run(const ConvolutionPointers& at) const {
  for (const Phase& phase : phases_) pack_weights(phase, at);
  if (at.bias) {
    copy_elements(at.bias, c_.bias_stride, at.workspace + biases_at_, c_.item,
                  c_.groups * c_.outputs, c_.item);
  }
  parallel_for(tasks_, [&](int64_t task) {
    const Range mine = part(units_, tasks_, task);
    char* scratch = at.workspace + tasks_at_ + task * (padded_ + gathered_ + stage_);
    for (int64_t unit = mine.begin; unit < mine.end; ++unit) run_unit(unit, at, scratch);
  });
}

// As [phase][columns][group][panel][depth][channel of the result], in the order of stretches.
void LastSums::pack_weights(const Phase& phase, const ConvolutionPointers& at) const {
  parallel_for(c_.groups * panels_, [&](int64_t number) {
    const int64_t panel = number % panels_, pitch = width() * c_.item;
    const char* from = at.second + number / panels_ * c_.w_group + panel * width() * c_.w.first;
    for (const Columns& columns : phase.columns) {
      const AxisPhase &rows = phase.rows, &axis = columns.axis;
      char* to = at.workspace + columns.packed + number * columns.depth * pitch;
      for (int64_t t = 0; t < rows.taps * axis.taps; ++t, to += c_.channels * pitch) {
        const int64_t j = rows.tap + t / axis.taps * rows.tap_step,
                      k = axis.tap + t % axis.taps * axis.tap_step;
        const char* tap = from + j * c_.w.axes[1] + k * c_.w.axes[2];
        c_.w_elements.each({0, c_.channels}, [&](const Elements& elements, Range channels) {
          elements.read_block(tap + channels.begin * c_.w.second, c_.w.first, c_.w.second,
                              to + channels.begin * pitch, c_.item, pitch, left(panel),
                              channels.end - channels.begin);
        });
      }
    }
  });
}

void LastSums::run_unit(int64_t unit, const ConvolutionPointers& at, char* scratch) const {
  const Phase* phase = phases_.data();
  for (; unit >= phase->units; ++phase) unit -= phase->units;
  const AxisPhase& rows = phase->rows;
  const Range mine = part(rows.outputs, phase->blocks, unit % phase->blocks);
  const int64_t group = unit / phase->blocks % c_.groups, n = unit / phase->blocks / c_.groups;
  char *const gathered = scratch + padded_, *const stage = gathered + gathered_;
  pad(*phase, rows.position + mine.begin * rows.step,
      at.first + n * c_.from.first + group * c_.from_group, scratch);
  char* const result =
      at.result + n * c_.to.first + group * c_.outputs * c_.to.second + rows.first * c_.to.axes[1];

  // use(where a row's input begins, where its result, and where that is made)
  const auto each_row = [&](auto&& use) {
    for (int64_t j = mine.begin; j < mine.end; ++j) {
      const char* from = scratch + (j - mine.begin) * rows.step * phase->pixels * pixel();
      char* to = result + j * rows.every * c_.to.axes[1];
      use(from, to, staged() ? stage + (j - mine.begin) * result_columns_ * result_pixel() : to);
    }
  };
  for (const Columns& columns : phase->columns) {
    if (columns.gathers() || columns.read.empty()) {
      each_row([&](const char* from, char*, char* made) {
        gather_stretches(from, columns.axis.step * pixel(), columns.axis.outputs, columns.read,
                         c_.item, gathered);
        for (int64_t panel = 0; panel < panels_; ++panel) {
          multiply(columns, group, panel, at, gathered, made, {0, columns.depth, 0});
        }
      });
      continue;
    }
    for (int64_t panel = 0; panel < panels_; ++panel) {
      for (const Stretch& stretch : columns.read) {
        each_row([&](const char* from, char*, char* made) {
          multiply(columns, group, panel, at, from + stretch.offset, made, stretch);
        });
      }
    }
  }
  if (!staged()) return;
  each_row([&](const char*, char* to, const char* made) {
    write_block(c_.numbers, made, result_pixel(), c_.item, to, c_.to.axes[2], c_.to.second,
                result_columns_, c_.outputs);
  });
}

// As [line][pixel][channel].
void LastSums::pad(const Phase& phase, int64_t first, const char* x, char* padded) const {
  const int64_t line = phase.pixels * pixel();
  const int64_t begin = std::clamp<int64_t>(-phase.low, 0, phase.pixels);
  const int64_t end = std::clamp<int64_t>(c_.inputs[2] - phase.low, begin, phase.pixels);
  const bool whole =
      c_.from.axes[2] == c_.channels * c_.from.second && c_.from_elements.pairs >= c_.channels;
  for (int64_t j = first; j < first + phase.lines; ++j, padded += line) {
    if (j < 0 || j >= c_.inputs[1]) {
      std::memset(padded, 0, line);
      continue;
    }
    const char* from = x + j * c_.from.axes[1] + (phase.low + begin) * c_.from.axes[2];
    char* to = padded + begin * pixel();
    std::memset(padded, 0, begin * pixel());
    std::memset(padded + end * pixel(), 0, line - end * pixel());
    if (whole) {
      c_.from_elements.read_line(from, c_.from.second, (end - begin) * c_.channels, to);
      continue;
    }
    c_.from_elements.each({0, c_.channels}, [&](const Elements& elements, Range channels) {
      elements.read_block(from + channels.begin * c_.from.second, c_.from.second, c_.from.axes[2],
                          to + channels.begin * c_.item, c_.item, pixel(),
                          channels.end - channels.begin, end - begin);
    });
  }
}

void LastSums::multiply(const Columns& columns, int64_t group, int64_t panel,
                        const ConvolutionPointers& at, const char* from, char* to,
                        const Stretch& stretch) const {
  const AxisPhase& axis = columns.axis;
  const int64_t tiles = ceil_div(axis.outputs, family_.rows), first = panel * width() * c_.item;
  TileArguments t = {};
  t.a_row = columns.gathers() ? columns.depth * c_.item : axis.step * pixel();
  t.a_step = c_.item;
  t.b_step = width() * c_.item;
  t.b = at.workspace + columns.packed +
        ((group * panels_ + panel) * columns.depth + stretch.before) * t.b_step;
  t.c_row = axis.every * result_pixel();
  t.steps = stretch.count;
  t.raw = true;  // float32 sums of bfloat16
  t.columns = (left(panel) - 1) % family_.lanes + 1;
  t.before_row = stretch.before ? t.c_row : 0;
  const char* const biases = at.workspace + biases_at_ + group * c_.outputs * c_.item;
  const char* const bias = at.bias ? biases + first : nullptr;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const Range some = part(axis.outputs, tiles, tile);
    t.a = from + some.begin * t.a_row;
    t.c = to + axis.first * result_pixel() + first + some.begin * t.c_row;
    t.before = stretch.before ? t.c : bias;
    kernels_(some.end - some.begin, left(panel))(&t);
  }
}

}  // namespace

bool suits_last(const Convolution& c) {
  constexpr int64_t kLeastOutputs = 8, kLeastTurned = 16;
  const AxisPhase& depth = c.phases[0][0];
  const int64_t ones = c.kernel[0] * c.inputs[0] * c.phases[0].size() * depth.outputs * depth.taps;
  if (ones != 1 || depth.position || !c.channels || c.outputs < kLeastOutputs) return false;
  // Windows that are apart make poor columns.
  const AxisPhase& axis = c.phases[2][0];
  const bool apart = std::max(axis.step, axis.every) > 1;
  return c.to.second == itemsize(c.numbers) ||
         (apart && std::min(c.channels, c.outputs) >= kLeastTurned);
}

std::unique_ptr<Convolver> make_last(const Convolution& c) {
  auto sums = std::make_unique<LastSums>(c);
  if (!sums->init()) return nullptr;
  return sums;
}

}  // namespace gleed
