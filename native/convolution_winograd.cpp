// Convolution with 3 × 3 taps by fewer products. Squares of 4 × 4 inputs, two apart, are
// transformed, as are the taps; for each of the 16 places in a square a product of matrices sums
// over channels, and the squares of sums become 2 × 2 outputs. The transforms, with their source
// and error, are in gleed/compiler/convolution_winograd.py.
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

constexpr int64_t kPlaces = 16;         // of a square
constexpr int64_t kMostChannels = 256;  // transformed squares that lie in cache
constexpr int64_t kMostOutputs = 256;   // sums kept for several turns of channels
constexpr int64_t kBlock = 64;          // outputs whose sums lie in cache
constexpr int64_t kMostSquares = 256;   // of a slab
constexpr int64_t kStaged = 16;         // outputs written together where they are neighbours
constexpr int64_t kFewUnits = 4;        // of work that there should be at least
constexpr int64_t kMaxTasks = 16;
constexpr int64_t kLine = 64;  // bytes; keeps places from sharing sets of the cache
constexpr int64_t kItem = sizeof(float);

class Winograd final : public Convolver {
 public:
  Winograd(const Convolution& c, const TileFamily& family);
  bool init();
  void run(const ConvolutionPointers& at) const override;

 private:
  Windows windows_of(const Convolution& c) const;
  void transform_weights(const ConvolutionPointers& at) const;
  void run_unit(const Slab& slab, Range tiles, const ConvolutionPointers& at, char* scratch) const;
  void transform_squares(const Slab& slab, Range squares, int64_t channels, const char* padded,
                         char* columns, char* places) const;
  void multiply(Range tiles, int64_t turn, int64_t columns, const char* weights, const char* places,
                char* sums) const;
  void finish(const Slab& slab, Range squares, Range outputs, const char* sums, char* stage,
              const ConvolutionPointers& at) const;
  void tell(const Slab& slab, Range outputs, const ConvolutionPointers& at) const;

  Range outputs(Range tiles) const {
    return {part(c_.outputs, tiles_, tiles.begin).begin,
            part(c_.outputs, tiles_, tiles.end - 1).end};
  }
  int64_t width() const { return family_.vectors * family_.lanes; }
  int64_t place_bytes() const { return together_ * width() * kItem + kLine; }
  int64_t sums_bytes(Range outputs) const {
    return (outputs.end - outputs.begin) * width() * kItem + kLine;
  }
  // Columns of a tile: squares and unused ones.
  int64_t tile_columns(Range squares) const {
    return round_up(squares.end - squares.begin, family_.lanes);
  }

  Convolution c_;
  TileFamily family_;
  int64_t turns_, together_, tiles_, shares_, tasks_;  // a turn takes `together_` channels
  int64_t staged_;                                     // outputs that are written together
  Windows windows_;
  TileSet kernels_;
  MicroKernel input_, weight_, output_;
  int64_t padded_, columns_, places_, panel_sums_, sums_, scratch_, weights_;
};

Winograd::Winograd(const Convolution& c, const TileFamily& family)
    : c_(c),
      family_(family),
      turns_(ceil_div(c.channels, kMostChannels)),
      together_(ceil_div(c.channels, turns_)),
      tiles_(ceil_div(c.outputs, family.rows)),
      shares_(turns_ > 1 ? ceil_div(c.outputs, kMostOutputs) : 1),
      staged_(c.to.second < c.to.axes[2] ? kStaged : 1),
      windows_(windows_of(c)) {}

Windows Winograd::windows_of(const Convolution& c) const {
  WindowAxes axes = {window_axis(c, 0, c.phases[0][0])};
  int64_t squares = c.images;
  for (int a = 1; a < 3; ++a) {
    AxisPhase phase = c.phases[a][0];
    phase.outputs = ceil_div(phase.outputs, 2);
    phase.step = 2;
    phase.taps = 4;
    axes[a] = window_axis(c, a, phase);
    squares *= phase.outputs;
  }
  const int64_t fair = ceil_div(squares * shares_, kFewUnits);
  return Windows(c, axes, std::clamp(fair, family_.lanes, kMostSquares), family_.lanes, together_);
}

bool Winograd::init() {
  has_blocks = true;
  for (const int64_t slab : {int64_t{0}, windows_.slabs() - 1}) {
    const int64_t squares = windows_.outputs(windows_.slab(slab)), rest = squares % width();
    const int64_t least = c_.outputs / tiles_, most = ceil_div(c_.outputs, tiles_);
    if (squares >= width() && !kernels_.add(c_.dtype, least, most, width())) return false;
    if (!kernels_.add(c_.dtype, least, most, tile_columns({0, rest}))) return false;
  }
  input_ = micro_kernel(Micro::kWinogradInput, c_.dtype, {});
  weight_ = micro_kernel(Micro::kWinogradWeight, c_.dtype, {});
  output_ = micro_kernel(Micro::kWinogradOutput, c_.dtype, {});
  if (!input_ || !weight_ || !output_) return false;

  tasks_ = std::min({task_count(c_.work), windows_.slabs() * shares_, kMaxTasks});
  const int64_t panels = ceil_div(windows_.outputs(windows_.slab(0)), width());
  const int64_t most = turns_ > 1 ? ceil_div(tiles_, shares_) * family_.rows : kBlock;
  padded_ = round_up(windows_.padded_bytes(), kLine);
  columns_ = kPlaces * width() * kItem + kLine;  // of which the last is written too far
  places_ = kPlaces * place_bytes();
  panel_sums_ = kPlaces * sums_bytes({0, most});
  sums_ = (turns_ > 1 ? panels : 1) * panel_sums_;
  scratch_ = padded_ + columns_ + places_ + sums_ + staged_ * 4 * width() * kItem;
  weights_ = round_up(turns_ * kPlaces * c_.outputs * together_ * kItem, kLine);
  workspace = weights_ + tasks_ * scratch_;
  return true;
}

void Winograd::run(const ConvolutionPointers& at) const {
  transform_weights(at);
  parallel_for(tasks_, [&](int64_t task) {
    const Range mine = part(windows_.slabs() * shares_, tasks_, task);
    for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
      const Range tiles = part(tiles_, shares_, unit / windows_.slabs());
      run_unit(windows_.slab(unit % windows_.slabs()), tiles, at,
               at.workspace + weights_ + task * scratch_);
    }
  });
}

// As [turn][place][output][channel]. Numbers of 16 bits are widened before, and where outputs are
// neighbours, lines of memory are read but once.
void Winograd::transform_weights(const ConvolutionPointers& at) const {
  constexpr int64_t kTogether = 16, kChannels = 64;
  const bool staged = !c_.w_elements.same() || c_.w.first == kItem;
  parallel_for(ceil_div(c_.outputs, kTogether), [&](int64_t task) {
    WinogradArguments t = {};
    float taps[9][kTogether][kChannels];
    const AxisPhase &row = c_.phases[1][0], &column = c_.phases[2][0];
    const int64_t row_step = row.tap_step * c_.w.axes[1],
                  column_step = column.tap_step * c_.w.axes[2],
                  at_once = staged ? kChannels : together_;
    const char* first = at.second + row.tap * c_.w.axes[1] + column.tap * c_.w.axes[2];
    t.row = staged ? 3 * sizeof(taps[0]) : row_step;
    t.column = staged ? sizeof(taps[0]) : column_step;
    t.lane = staged ? kItem : c_.w.second;
    t.to_step = c_.outputs * together_ * kItem;
    const Range some = {task * kTogether, std::min(c_.outputs, (task + 1) * kTogether)};
    for (int64_t turn = 0; turn < turns_; ++turn) {
      const int64_t end = std::min(c_.channels, (turn + 1) * together_);
      for (int64_t c = turn * together_; c < end; c += at_once) {
        t.count = std::min(at_once, end - c);
        const char* from = first + some.begin * c_.w.first + c * c_.w.second;
        for (int64_t i = 0; i < 9 && staged; ++i) {
          c_.w_elements.read_block(from + i / 3 * row_step + i % 3 * column_step, c_.w.second,
                                   c_.w.first, reinterpret_cast<char*>(taps[i]), kItem,
                                   sizeof(taps[i][0]), t.count, some.end - some.begin);
        }
        for (int64_t k = some.begin; k < some.end; ++k, from += c_.w.first) {
          t.from = staged ? reinterpret_cast<char*>(taps[0][k - some.begin]) : from;
          t.to = at.workspace + turn * kPlaces * t.to_step +
                 (k * together_ + c - turn * together_) * kItem;
          weight_(&t);
        }
      }
    }
  });
}

void Winograd::run_unit(const Slab& slab, Range tiles, const ConvolutionPointers& at,
                        char* scratch) const {
  char *padded = scratch, *places = padded + padded_ + columns_;
  char *sums = places + places_, *stage = sums + sums_;
  const int64_t squares = windows_.outputs(slab);
  for (int64_t turn = 0; turn < turns_; ++turn) {
    const int64_t c = turn * together_, end = std::min(c_.channels, c + together_);
    windows_.pad(at.first, slab, {c, end}, padded);
    for (int64_t begin = 0; begin < squares; begin += width()) {
      const Range panel = {begin, std::min(squares, begin + width())};
      transform_squares(slab, panel, end - c, padded, scratch + padded_, places);
      char* of_panel = sums + (turns_ > 1 ? begin / width() * panel_sums_ : 0);
      const int64_t at_once = turns_ > 1 ? tiles.end - tiles.begin : kBlock / family_.rows;
      for (int64_t tile = tiles.begin; tile < tiles.end; tile += at_once) {
        const Range block = {tile, std::min(tiles.end, tile + at_once)};
        multiply(block, turn, tile_columns(panel), at.workspace, places, of_panel);
        if (end == c_.channels) finish(slab, panel, outputs(block), of_panel, stage, at);
      }
    }
  }
  if (at.epilogue) tell(slab, outputs(tiles), at);
}

// That both rows of results of every row of squares are finished.
void Winograd::tell(const Slab& slab, Range outputs, const ConvolutionPointers& at) const {
  const int64_t rows = c_.phases[1][0].outputs, columns = c_.phases[2][0].outputs;
  const char* to = at.result + outputs.begin * c_.to.second;
  const auto both = [&](int64_t n, int64_t, int64_t j, int64_t l, int64_t count, int64_t) {
    for (int64_t i = 2 * j; i < std::min(2 * j + 2, rows); ++i) {
      at.finish(c_, to + n * c_.to.first + i * c_.to.axes[1] + 2 * l * c_.to.axes[2],
                outputs.end - outputs.begin, std::min(2 * count, columns - 2 * l));
    }
  };
  windows_.each_row(slab, {0, windows_.outputs(slab)}, both);
}

// As [place][channel][square].
void Winograd::transform_squares(const Slab& slab, Range squares, int64_t channels,
                                 const char* padded, char* columns, char* places) const {
  const std::vector<Windows::Run> runs = windows_.runs(slab, squares);
  const int64_t pitch = width() * kItem;
  WinogradArguments t = {};
  t.from = columns;
  t.row = 4 * pitch;
  t.column = pitch;
  t.to_step = place_bytes();
  t.count = tile_columns(squares) / family_.lanes;
  for (int64_t c = 0; c < channels; ++c) {
    windows_.pack(padded, runs, {c * kPlaces, (c + 1) * kPlaces}, columns, pitch);
    t.to = places + c * pitch;
    input_(&t);
  }
}

// Sums as [place][output][square].
void Winograd::multiply(Range tiles, int64_t turn, int64_t columns, const char* weights,
                        const char* places, char* sums) const {
  const Range all = outputs(tiles);
  TileArguments t = {};
  t.a_row = together_ * kItem;
  t.a_step = kItem;
  t.b_step = t.c_row = t.before_row = width() * kItem;
  t.steps = std::min(together_, c_.channels - turn * together_);
  for (int64_t place = 0; place < kPlaces; ++place) {
    t.b = places + place * place_bytes();
    for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
      const auto [begin, end] = part(c_.outputs, tiles_, tile);
      t.a = weights + ((turn * kPlaces + place) * c_.outputs + begin) * t.a_row;
      t.c = sums + place * sums_bytes(all) + (begin - all.begin) * t.c_row;
      t.before = turn ? t.c : nullptr;
      // Of many outputs the weights come from beyond the second-level cache.
      const char* next = t.a + (end - begin) * t.a_row;
      for (int64_t i = 0; i < (end - begin) * t.a_row; i += kLine) __builtin_prefetch(next + i);
      kernels_(end - begin, columns)(&t);
    }
  }
}

void Winograd::finish(const Slab& slab, Range squares, Range outputs, const char* sums, char* stage,
                      const ConvolutionPointers& at) const {
  const int64_t stage_row = 2 * width() * kItem;
  std::vector<Windows::Run> runs;  // from the stage to the result
  windows_.each_row(
      slab, squares, [&](int64_t n, int64_t, int64_t j, int64_t l, int64_t count, int64_t number) {
        for (int64_t i = 2 * j; i < std::min(2 * j + 2, c_.phases[1][0].outputs); ++i) {
          const int64_t end = std::min(2 * (l + count), c_.phases[2][0].outputs);
          runs.push_back({i % 2 * stage_row + 2 * (number - squares.begin) * kItem,
                          n * c_.to.first + i * c_.to.axes[1] + 2 * l * c_.to.axes[2],
                          (end - 2 * l) * kItem});
        }
      });
  constexpr float kNoBias = 0;
  WinogradArguments t = {};
  t.column = sums_bytes(outputs);
  t.row = 4 * t.column;
  t.to_step = stage_row;
  t.count = tile_columns(squares) / family_.lanes;
  for (int64_t begin = outputs.begin; begin < outputs.end; begin += staged_) {
    const int64_t end = std::min(outputs.end, begin + staged_);
    for (int64_t k = begin; k < end; ++k) {
      t.from = sums + (k - outputs.begin) * width() * kItem;
      t.to = stage + (k - begin) * 2 * stage_row;
      t.bias = at.bias ? at.bias + k * c_.bias_stride : reinterpret_cast<const char*>(&kNoBias);
      output_(&t);
    }
    char* to = at.result + begin * c_.to.second;
    for (const auto& [source, target, bytes] : runs) {
      write_block(c_.numbers, stage + source, 2 * stage_row, kItem, to + target, c_.to.second,
                  c_.to.axes[2], end - begin, bytes / kItem);
    }
  }
}

}  // namespace

bool suits_winograd(const Convolution& c) {
  constexpr int64_t kLeastChannels = 16, kLeastSquares = 128;
  constexpr double kTransforms = 1.3;
  const bool flat = c.phases[0].size() == 1 && c.phases[0][0].outputs == 1 && c.inputs[0] == 1 &&
                    c.phases[0][0].taps == 1 && c.taps == 9;
  if (c.dtype != DType::kFloat32 || c.groups > 1 || !flat ||
      std::min(c.channels, c.outputs) < kLeastChannels) {
    return false;
  }
  int64_t squares = 1, outputs = 1;
  for (int a = 1; a < 3; ++a) {
    const AxisPhase& phase = c.phases[a][0];
    const bool near = phase.step == 1 && phase.distance == 1 && phase.every == 1;
    if (!near || phase.taps != 3) return false;
    squares *= ceil_div(phase.outputs, 2);
    outputs *= phase.outputs;
  }
  return squares * c.images >= kLeastSquares && kTransforms * kPlaces * squares < 9.0 * outputs;
}

std::unique_ptr<Convolver> make_winograd(const Convolution& c) {
  const TileFamily* family = tile_family(c.dtype);
  if (!family) return nullptr;
  auto winograd = std::make_unique<Winograd>(c, *family);
  if (!winograd->init()) return nullptr;
  return winograd;
}

}  // namespace gleed
