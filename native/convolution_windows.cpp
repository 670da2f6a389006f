#include "convolution_windows.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "vector_clones.h"

namespace gleed {

namespace {

using Run = Windows::Run;

constexpr int64_t kTogether = 16;  // channels

void zero_line(char* to, int64_t count, int64_t itemsize) {  // mostly of one or two
  for (int64_t i = 0; i < count; ++i) std::memset(to + i * itemsize, 0, itemsize);
}

// Whole vectors: what is written too far is written again by the next run, or is nobody's.
template <int64_t bytes>
[[gnu::always_inline]] inline void copy_vectors(const char* from, const std::vector<Run>& runs,
                                                char* to) {
  for (const Run& run : runs) {
    const char* source = from + run.source;
    char* target = to + run.target;
    int64_t i = 0;
    do {
      std::memcpy(target + i, source + i, bytes);
      i += bytes;
    } while (i < run.bytes);
  }
}

GLEED_VECTOR_CLONES
void copy_runs(const char* from, const std::vector<Run>& runs, int64_t longest, char* to) {
  if (longest <= 16) {
    copy_vectors<16>(from, runs, to);
  } else if (longest <= 32) {
    copy_vectors<32>(from, runs, to);
  } else {
    copy_vectors<64>(from, runs, to);
  }
}

// How many of `total` things that have `each` outputs, but no more than `most`, are a slab: as many
// as leave few lanes unused. A slab costs as much as a vector.
int64_t best_part(int64_t total, int64_t most, int64_t each, int64_t lanes) {
  int64_t best = std::min<int64_t>(1, total), least = std::numeric_limits<int64_t>::max();
  for (int64_t n = std::min(total, most); n > 0; --n) {
    const int64_t last = total % n, vectors = total / n * ceil_div(n * each, lanes),
                  cost = vectors + ceil_div(last * each, lanes) + ceil_div(total, n);
    if (cost >= least) continue;
    least = cost;
    best = n;
  }
  return best;
}

}  // namespace

WindowAxis window_axis(const Convolution& c, int axis, const AxisPhase& phase) {
  WindowAxis result = {phase.outputs, phase.step, c.inputs[axis], c.from.axes[axis], {}};
  for (int64_t t = 0; t < phase.taps; ++t) {
    result.positions.push_back(phase.position + t * phase.distance);
  }
  return result;
}

Windows::Windows(const Convolution& c, const WindowAxes& axes, int64_t most, int64_t lanes,
                 int64_t together)
    : item_(c.item),
      elements_(c.from_elements),
      images_(c.images),
      image_stride_(c.from.first),
      channel_stride_(c.from.second),
      axes_(axes),
      together_(together) {
  choose_slabs(most, lanes);
  lay_out();
}

void Windows::choose_slabs(int64_t most, int64_t lanes) {
  split_ = 0;
  while (split_ < 2 && axes_[split_].outputs == 1) ++split_;
  int64_t image_outputs = 1;
  for (const WindowAxis& axis : axes_) image_outputs *= axis.outputs;
  const int64_t rows = axes_[split_].outputs;
  row_outputs_ = image_outputs / std::max<int64_t>(1, rows);
  const bool whole = image_outputs <= most;
  images_at_once_ = std::min<int64_t>(1, images_);
  rows_at_once_ = rows;
  if (whole) {
    const int64_t images = most / std::max<int64_t>(1, image_outputs);
    images_at_once_ = best_part(images_, images, image_outputs, lanes);
  } else {
    rows_at_once_ = best_part(rows, most / row_outputs_, row_outputs_, lanes);
  }
  image_blocks_ = image_outputs && images_at_once_ ? ceil_div(images_, images_at_once_) : 0;
  row_blocks_ = rows_at_once_ ? ceil_div(rows, rows_at_once_) : 0;
}

// A padded line holds the positions that outputs reach at the first tap, then those one further:
// [step][length / step], so that neighbouring outputs read neighbours.
void Windows::lay_out() {
  int64_t taps = 1;
  std::array<int64_t, 3> counts;
  for (int a = 0; a < 3; ++a) {
    const WindowAxis& axis = axes_[a];
    met_[a].assign(axis.step, false);
    counts[a] = axis.positions.size();
    taps *= counts[a];
    low_[a] = length_[a] = 0;
    if (axis.positions.empty()) continue;
    const auto [least, most] = std::minmax_element(axis.positions.begin(), axis.positions.end());
    const int64_t outputs = a == split_ ? rows_at_once_ : axis.outputs;
    low_[a] = *least;
    for (int64_t position : axis.positions) met_[a][(position - low_[a]) % axis.step] = true;
    length_[a] = (outputs - 1) * axis.step + *most - *least + 1;
  }
  phase_ = ceil_div(length_[2], axes_[2].step) * item_;
  line_ = phase_ * axes_[2].step;
  plane_ = line_ * length_[1];
  image_ = plane_ * length_[0];
  channel_ = image_ * images_at_once_;
  tap_offsets_.resize(taps);
  for (int64_t tap = 0; tap < taps; ++tap) {
    const int64_t k = axes_[2].positions[tap % counts[2]] - low_[2];
    const int64_t j = axes_[1].positions[tap / counts[2] % counts[1]] - low_[1];
    const int64_t i = axes_[0].positions[tap / counts[2] / counts[1]] - low_[0];
    tap_offsets_[tap] =
        i * plane_ + j * line_ + k % axes_[2].step * phase_ + k / axes_[2].step * item_;
  }
}

Slab Windows::slab(int64_t number) const {
  const int64_t image = number / row_blocks_ * images_at_once_;
  const int64_t row = number % row_blocks_ * rows_at_once_;
  return {{image, std::min(images_, image + images_at_once_)},
          {row, std::min(axes_[split_].outputs, row + rows_at_once_)}};
}

void Windows::pad(const char* input, const Slab& slab, Range channels, char* padded) const {
  if (tap_offsets_.empty()) return;
  std::array<int64_t, 3> low = low_;
  low[split_] += slab.rows.begin * axes_[split_].step;
  const std::vector<Piece> pieces = line_pieces(low[2]);
  const auto inside = [&](int a, int64_t position) {
    return 0 <= position && position < axes_[a].inputs;
  };
  // Channels that are neighbours in memory are read together.
  const int64_t many = channel_stride_ < axes_[2].stride ? kTogether : 1;
  const auto pad_some = [&](const Elements& elements, int64_t first, int64_t count, char* lines) {
    for (int64_t n = slab.images.begin; n < slab.images.end; ++n) {
      const char* image = input + n * image_stride_ + first * channel_stride_;
      for (int64_t i = low[0]; i < low[0] + length_[0]; ++i) {
        for (int64_t j = low[1]; j < low[1] + length_[1]; ++j, lines += line_) {
          if (!met(0, i - low[0]) || !met(1, j - low[1])) continue;
          if (inside(0, i) && inside(1, j)) {
            const char* line = image + i * axes_[0].stride + j * axes_[1].stride;
            pad_lines(elements, line, pieces, count, lines);
            continue;
          }
          for (int64_t c = 0; c < count; ++c) std::memset(lines + c * channel_, 0, line_);
        }
      }
    }
  };
  elements_.each(channels, [&](const Elements& elements, Range alike) {
    for (int64_t first = alike.begin; first < alike.end; first += many) {
      pad_some(elements, first, std::min(many, alike.end - first),
               padded + (first - channels.begin) * channel_);
    }
  });
}

// The parts of a line that begins at position `low`: every `step`-th element.
std::vector<Windows::Piece> Windows::line_pieces(int64_t low) const {
  const WindowAxis& axis = axes_[2];
  const int64_t count = phase_ / item_;
  std::vector<Piece> pieces;
  for (int64_t p = 0; p < axis.step; ++p) {
    if (!met(2, p)) continue;
    const int64_t first = low + p;
    const int64_t skipped = ceil_div(std::max<int64_t>(0, -first), axis.step);
    const int64_t ahead = first >= axis.inputs ? 0 : ceil_div(axis.inputs - first, axis.step);
    const int64_t begin = std::min(skipped, count), end = std::clamp(ahead, begin, count);
    pieces.push_back({(first + begin * axis.step) * axis.stride, p * phase_, {begin, end}});
  }
  return pieces;
}

void Windows::pad_lines(const Elements& elements, const char* line,
                        const std::vector<Piece>& pieces, int64_t channels, char* to) const {
  const int64_t stride = axes_[2].step * axes_[2].stride, count = phase_ / item_;
  for (const auto& [source, target, inside] : pieces) {
    const int64_t many = inside.end - inside.begin;
    char* const middle = to + target + inside.begin * item_;
    if (channels > 1) {
      elements.read_block(line + source, stride, channel_stride_, middle, item_, channel_, many,
                          channels);
    } else {
      elements.read_line(line + source, stride, many, middle);
    }
    for (int64_t c = 0; c < channels; ++c) {
      char* at = to + c * channel_ + target;
      zero_line(at, inside.begin, item_);
      zero_line(at + inside.end * item_, count - inside.end, item_);
    }
  }
}

int64_t Windows::place(const Slab& slab, int64_t image, int64_t i, int64_t j, int64_t k) const {
  std::array<int64_t, 3> output = {i, j, k};
  output[split_] -= slab.rows.begin;
  return (image - slab.images.begin) * image_ + output[0] * axes_[0].step * plane_ +
         output[1] * axes_[1].step * line_ + output[2] * item_;
}

std::vector<Run> Windows::runs(const Slab& slab, Range outputs) const {
  std::vector<Run> runs;
  each_row(slab, outputs,
           [&](int64_t n, int64_t i, int64_t j, int64_t k, int64_t count, int64_t at) {
             const int64_t source = place(slab, n, i, j, k);
             if (!runs.empty() && runs.back().source + runs.back().bytes == source) {
               runs.back().bytes += count * item_;
             } else {
               runs.push_back({source, (at - outputs.begin) * item_, count * item_});
             }
           });
  return runs;
}

void Windows::pack(const char* padded, const std::vector<Run>& runs, Range rows, char* target,
                   int64_t pitch) const {
  int64_t longest = 0;
  for (const Run& run : runs) longest = std::max(longest, run.bytes);
  int64_t channel = rows.begin / std::max<int64_t>(1, taps()), tap = rows.begin - channel * taps();
  for (int64_t row = rows.begin; row < rows.end; ++row, target += pitch) {
    copy_runs(padded + channel * channel_ + tap_offsets_[tap], runs, longest, target);
    if (++tap == taps()) {
      tap = 0;
      ++channel;
    }
  }
}

}  // namespace gleed
