// The gradient of convolution for the weight: a product of the columns of x, which are rows here,
// and y. Their depth is that of all outputs, slab by slab; parts of the slabs are summed apart by
// tasks of their own, and then added. Pairs of bfloat16 are neighbours in depth.
#include <algorithm>
#include <cstring>
#include <vector>

#include "contraction.h"
#include "contraction_kernels.h"
#include "contraction_pack.h"
#include "convolution.h"
#include "convolution_windows.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr int64_t kRows = 160;              // of columns that lie in cache
constexpr int64_t kPanelBytes = 256 << 10;  // of y
constexpr int64_t kSums = 16 << 20;         // bytes of sums that are kept apart
constexpr int64_t kUnits = 16;
constexpr int64_t kTogether = 16;  // rows and outputs whose parts are added at once
constexpr int64_t kVector = 64;

// What a task does at a time: sums over a part of the slabs for some channels of a group.
struct Unit {
  int64_t part, group;
  Range channels;
};

class WeightSums final : public Convolver {
 public:
  explicit WeightSums(const Convolution& c) : c_(c), windows_(windows_of(c)) {}
  bool init();
  void run(const ConvolutionPointers& at) const override;

 private:
  static int64_t padded_outputs(const Convolution& c) { return round_up(c.outputs, kTogether); }
  static Windows windows_of(const Convolution& c);
  static int64_t channels_at_once(const Convolution& c);
  void choose_units();
  void run_unit(const Unit& unit, const char* x, const char* y, char* sums, char* scratch) const;
  void pack_outputs(const Slab& slab, int64_t group, const char* y, char* panels,
                    char* stage) const;
  void multiply(int64_t rows, int64_t depth, bool first, const char* columns, const char* panels,
                char* sums) const;
  template <class T>
  void add_parts(const char* sums, int64_t group, Range some, char* w) const;

  int64_t rows() const { return c_.channels * c_.taps; }
  int64_t width() const { return vectors_ * family_.lanes; }
  int64_t most() const { return windows_.slabs() ? windows_.outputs(windows_.slab(0)) : 0; }
  int64_t pitch() const { return round_up(most() * c_.item, kVector) + kVector; }
  int64_t panel_bytes() const {
    return round_up(packed_steps(family_, most()), family_.lanes) * width() * sum_item_;
  }
  int64_t sums_row() const { return padded_outputs(c_) * sum_item_; }

  Convolution c_;
  Windows windows_;
  TileFamily family_;
  int64_t sum_item_;  // bytes of a sum, and of a packed element
  int64_t vectors_, together_, parts_ = 1, divided_ = 1, units_ = 1, tasks_ = 1;
  Packer pack_, pack_staged_;
  TileSet kernels_;
  size_t padded_, columns_, panels_, scratch_;
};

// Kernels larger than `kRows` are walked tap by tap nevertheless: rows are cheap.
int64_t WeightSums::channels_at_once(const Convolution& c) {
  return std::clamp<int64_t>(kRows / std::max<int64_t>(1, c.taps), 1,
                             std::max<int64_t>(1, c.channels));
}

Windows WeightSums::windows_of(const Convolution& c) {
  WindowAxes axes;
  for (int a = 0; a < 3; ++a) axes[a] = window_axis(c, a, c.phases[a][0]);
  const int64_t most = std::clamp<int64_t>(kPanelBytes / (padded_outputs(c) * c.item), 128, 512);
  return Windows(c, axes, most, 1, channels_at_once(c));
}

bool WeightSums::init() {
  const TileFamily* family = tile_family(c_.dtype);
  if (!family) return false;
  family_ = *family;
  vectors_ = std::clamp<int64_t>(ceil_div(c_.outputs, family_.lanes), 1, family_.vectors);
  together_ = channels_at_once(c_);
  sum_item_ = packed_size(c_.dtype);
  const int64_t number = itemsize(c_.numbers);
  if (!pack_.init(c_.numbers, family_, c_.to.second, c_.to.axes[2], width())) return false;
  if (family_.pairs && !pack_staged_.init(c_.numbers, family_, pitch(), number, width())) {
    return false;
  }
  for (const int64_t columns : {width(), c_.outputs % width()}) {
    if (!kernels_.add(c_.dtype, 1, family_.rows, columns)) return false;
  }
  choose_units();
  return true;
}

void WeightSums::choose_units() {
  const int64_t all = c_.groups * rows() * sums_row(),
                slabs = std::max<int64_t>(1, windows_.slabs());
  const int64_t units = std::max<int64_t>(1, kUnits / c_.groups);
  // Channels are divided first, for that makes no sums that must be added.
  divided_ = std::clamp<int64_t>(rows() / (2 * kRows), 1, units);
  parts_ = std::clamp<int64_t>(
      std::min({units / divided_, slabs, kSums / std::max<int64_t>(1, all)}), 1, kUnits);
  units_ = parts_ * c_.groups * divided_;
  tasks_ = std::min({task_count(c_.work), units_, kUnits});
  padded_ = round_up(windows_.padded_bytes(), 64);
  columns_ = together_ * c_.taps * pitch();
  const int64_t panels =
      ceil_div(c_.outputs, width()) * panel_bytes() + family_.lanes * width() * sum_item_;
  panels_ = round_up(panels, 64);
  scratch_ = padded_ + columns_ + panels_ + (family_.pairs ? width() * pitch() : 0);
  workspace = round_up(parts_ * all, 64) + tasks_ * scratch_;
}

void WeightSums::run(const ConvolutionPointers& at) const {
  const int64_t all = c_.groups * rows() * sums_row();
  parallel_for(tasks_, [&](int64_t task) {
    const Range mine = part(units_, tasks_, task);
    for (int64_t number = mine.begin; number < mine.end; ++number) {
      const int64_t group = number / divided_ % c_.groups, p = number / divided_ / c_.groups;
      const Unit unit = {p, group, part(c_.channels, divided_, number % divided_)};
      const int64_t row = group * rows() + unit.channels.begin * c_.taps;
      char* sums = at.workspace + p * all + row * sums_row();
      char* scratch = at.workspace + round_up(parts_ * all, 64) + task * scratch_;
      run_unit(unit, at.first, at.second, sums, scratch);
    }
  });
  const int64_t blocks = ceil_div(rows(), kTogether);
  parallel_for(c_.groups * blocks, [&](int64_t i) {
    const int64_t first = i % blocks * kTogether;
    const Range some = {first, std::min(rows(), first + kTogether)};
    if (sum_item_ == sizeof(float)) {
      add_parts<float>(at.workspace, i / blocks, some, at.result);
    } else {
      add_parts<double>(at.workspace, i / blocks, some, at.result);
    }
  });
}

void WeightSums::run_unit(const Unit& unit, const char* x, const char* y, char* sums,
                          char* scratch) const {
  char *padded = scratch, *columns = padded + padded_, *panels = columns + columns_;
  const Range slabs = part(windows_.slabs(), parts_, unit.part);
  if (slabs.begin == slabs.end) {  // no images
    std::memset(sums, 0, (unit.channels.end - unit.channels.begin) * c_.taps * sums_row());
  }
  for (int64_t number = slabs.begin; number < slabs.end; ++number) {
    const Slab slab = windows_.slab(number);
    const int64_t outputs = windows_.outputs(slab), taps = c_.taps;
    const std::vector<Windows::Run> runs = windows_.runs(slab, {0, outputs});
    pack_outputs(slab, unit.group, y, panels, panels + panels_);
    for (int64_t c = unit.channels.begin; c < unit.channels.end; c += together_) {
      const int64_t end = std::min(unit.channels.end, c + together_);
      windows_.pad(x + unit.group * c_.from_group, slab, {c, end}, padded);
      windows_.pack(padded, runs, {0, (end - c) * taps}, columns, pitch());
      // The last of an odd number is paired with zero.
      for (int64_t row = 0; row < (end - c) * taps && family_.pairs; ++row) {
        std::memset(columns + row * pitch() + outputs * c_.item, 0, c_.item);
      }
      multiply((end - c) * taps, outputs, number == slabs.begin, columns, panels,
               sums + (c - unit.channels.begin) * taps * sums_row());
    }
  }
}

// Panels of channels, which become neighbours, stretch by stretch of equally spaced outputs. Where
// these would part pairs, all of a channel are put side by side before.
void WeightSums::pack_outputs(const Slab& slab, int64_t group, const char* y, char* panels,
                              char* stage) const {
  const auto& s = c_.to.axes;
  std::vector<std::array<int64_t, 3>> stretches;  // bytes in y, first output, count
  windows_.each_row(
      slab, {0, windows_.outputs(slab)},
      [&](int64_t n, int64_t i, int64_t j, int64_t k, int64_t count, int64_t at) {
        const int64_t from = n * c_.to.first + i * s[0] + j * s[1] + k * s[2];
        if (!stretches.empty() && stretches.back()[0] + stretches.back()[2] * s[2] == from) {
          stretches.back()[2] += count;
        } else {
          stretches.push_back({from, at, count});
        }
      });
  const int64_t number = itemsize(c_.numbers), together = family_.pairs ? 2 : 1;
  const bool staged = std::ranges::any_of(
      stretches, [&](const auto& stretch) { return stretch[1] % together != 0; });
  for (int64_t k = 0; k < c_.outputs; k += width(), panels += panel_bytes()) {
    const char* from = y + (group * c_.outputs + k) * c_.to.second;
    const int64_t valid = std::min(width(), c_.outputs - k);
    for (const auto& [offset, at, count] : stretches) {
      for (int64_t i = 0; i < valid && staged; ++i) {
        copy_elements(from + offset + i * c_.to.second, s[2], stage + i * pitch() + at * number,
                      number, count, number);
      }
      if (staged) continue;
      pack_({from + offset, c_.to.second, s[2], panels + at / together * width() * sum_item_, count,
             valid});
    }
    if (staged) {
      pack_staged_({stage, pitch(), number, panels, windows_.outputs(slab), valid});
    }
  }
}

void WeightSums::multiply(int64_t rows, int64_t depth, bool first, const char* columns,
                          const char* panels, char* sums) const {
  TileArguments t = {};
  t.a_row = pitch();
  t.a_step = sum_item_;
  t.b_step = width() * sum_item_;
  t.c_row = t.before_row = sums_row();
  t.steps = packed_steps(family_, depth);
  t.raw = true;  // float32 sums of bfloat16
  const int64_t tiles = ceil_div(rows, family_.rows);
  for (int64_t k = 0; k < c_.outputs; k += width(), panels += panel_bytes()) {
    const int64_t wide = std::min(width(), c_.outputs - k);
    t.columns = wide - (ceil_div(wide, family_.lanes) - 1) * family_.lanes;
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const Range mine = part(rows, tiles, tile);
      t.a = columns + mine.begin * pitch();
      t.b = panels;
      t.c = sums + mine.begin * sums_row() + k * sum_item_;
      t.before = first ? nullptr : t.c;
      kernels_(mine.end - mine.begin, wide)(&t);
    }
  }
}

// From some rows of sums [part][group][row][output] to w [output][row]. A few rows are read to
// their ends, so that memory is walked in order.
template <class T>
void WeightSums::add_parts(const char* sums, int64_t group, Range some, char* w) const {
  const int64_t row_size = padded_outputs(c_), part_size = c_.groups * rows() * row_size;
  const T* from = reinterpret_cast<const T*>(sums) + (group * rows() + some.begin) * row_size;
  T* to = reinterpret_cast<T*>(w) + group * c_.outputs * rows() + some.begin;
  const int64_t count = some.end - some.begin;
  for (int64_t first = 0; first < c_.outputs; first += kTogether) {
    T block[kTogether][kTogether];  // [row][output]
    for (int64_t row = 0; row < count; ++row) {
      T sum[kTogether] = {};
      for (int64_t p = 0; p < parts_; ++p) {
        const T* of_part = from + p * part_size + row * row_size + first;
        for (int64_t k = 0; k < kTogether; ++k) sum[k] += of_part[k];
      }
      std::copy_n(sum, kTogether, block[row]);
    }
    const int64_t last = std::min(c_.outputs, first + kTogether);
    for (int64_t k = first; k < last; ++k) {
      for (int64_t row = 0; row < count; ++row) to[k * rows() + row] = block[row][k - first];
    }
  }
}

}  // namespace

std::unique_ptr<Convolver> make_windowed_weight(const Convolution& c) {
  auto sums = std::make_unique<WeightSums>(c);
  if (!sums->init()) return nullptr;
  return sums;
}

}  // namespace gleed
