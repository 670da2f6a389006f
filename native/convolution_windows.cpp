#include "convolution_windows.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "vector_clones.h"

namespace gleed {

namespace {

constexpr int64_t kVector = 64;  // bytes

// Outputs that read neighbours at every tap.
struct Run {
  int64_t source, target, bytes;
};

void copy_line(const char* from, int64_t stride, int64_t count, int itemsize, char* to) {
  constexpr int64_t kPiece = 16, kShort = 256;  // bytes
  const int64_t bytes = count * itemsize;
  if (stride == itemsize && kPiece <= bytes && bytes <= kShort) {  // without a call
    for (int64_t i = 0; i < bytes; i += kPiece) {
      const int64_t at = std::min(i, bytes - kPiece);
      std::memcpy(to + at, from + at, kPiece);
    }
  } else if (stride == itemsize) {
    std::memcpy(to, from, bytes);
  } else {
    copy_elements(from, stride, to, itemsize, count, itemsize);
  }
}

void zero_line(char* to, int64_t count, int itemsize) {  // mostly of one or two
  for (int64_t i = 0; i < count; ++i) std::memset(to + i * itemsize, 0, itemsize);
}

// Whole vectors: what is written too far is written again by the next run, or is nobody's.
GLEED_VECTOR_CLONES
void copy_runs(const char* from, const Run* runs, size_t count, char* to) {
  for (size_t r = 0; r < count; ++r) {
    const char* source = from + runs[r].source;
    char* target = to + runs[r].target;
    for (int64_t i = 0; i < runs[r].bytes; i += kVector) {
      std::memcpy(target + i, source + i, kVector);
    }
  }
}

// Parts as equal as can be of no more than `most`.
int64_t equal_part(int64_t total, int64_t most) {
  return ceil_div(total, std::max<int64_t>(1, ceil_div(total, std::max<int64_t>(1, most))));
}

}  // namespace

void copy_elements(const char* from, int64_t from_stride, char* to, int64_t to_stride,
                   int64_t count, int64_t itemsize) {
  const auto copy = [&](auto size) {
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(to + i * to_stride, from + i * from_stride, size);
  };
  if (itemsize == 4) {
    copy(std::integral_constant<size_t, 4>());
  } else {
    copy(std::integral_constant<size_t, 8>());
  }
}

Windows::Windows(const WindowInput& input, const WindowAxes& axes, int64_t most, int64_t together)
    : input_(input), axes_(axes), together_(together) {
  choose_slabs(most);
  lay_out();
}

void Windows::choose_slabs(int64_t most) {
  split_ = 0;
  while (split_ < 2 && axes_[split_].outputs == 1) ++split_;
  int64_t image_outputs = 1;
  for (const WindowAxis& axis : axes_) image_outputs *= axis.outputs;
  const int64_t rows = axes_[split_].outputs;
  row_outputs_ = image_outputs / std::max<int64_t>(1, rows);
  const bool whole = image_outputs <= most;
  images_at_once_ = whole ? equal_part(input_.images, most / std::max<int64_t>(1, image_outputs))
                          : std::min<int64_t>(1, input_.images);
  rows_at_once_ = whole ? rows : equal_part(rows, most / row_outputs_);
  image_blocks_ = image_outputs && images_at_once_ ? ceil_div(input_.images, images_at_once_) : 0;
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
  phase_ = ceil_div(length_[2], axes_[2].step) * input_.itemsize;
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
        i * plane_ + j * line_ + k % axes_[2].step * phase_ + k / axes_[2].step * input_.itemsize;
  }
}

Slab Windows::slab(int64_t number) const {
  const int64_t image = number / row_blocks_ * images_at_once_;
  const int64_t row = number % row_blocks_ * rows_at_once_;
  return {{image, std::min(input_.images, image + images_at_once_)},
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
  for (int64_t c = channels.begin; c < channels.end; ++c) {
    char* to = padded + (c - channels.begin) * channel_;
    for (int64_t n = slab.images.begin; n < slab.images.end; ++n) {
      const char* image = input + n * input_.image_stride + c * input_.channel_stride;
      for (int64_t i = low[0]; i < low[0] + length_[0]; ++i) {
        for (int64_t j = low[1]; j < low[1] + length_[1]; ++j, to += line_) {
          if (!met(0, i - low[0]) || !met(1, j - low[1])) continue;
          if (inside(0, i) && inside(1, j)) {
            pad_line(image + i * axes_[0].stride + j * axes_[1].stride, pieces, to);
          } else {
            std::memset(to, 0, line_);
          }
        }
      }
    }
  }
}

// The parts of a line that begins at position `low`: every `step`-th element.
std::vector<Windows::Piece> Windows::line_pieces(int64_t low) const {
  const WindowAxis& axis = axes_[2];
  const int64_t count = phase_ / input_.itemsize;
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

void Windows::pad_line(const char* line, const std::vector<Piece>& pieces, char* to) const {
  const int item = input_.itemsize;
  const int64_t stride = axes_[2].step * axes_[2].stride, count = phase_ / item;
  for (const auto& [source, target, inside] : pieces) {
    char* at = to + target;
    zero_line(at, inside.begin, item);
    copy_line(line + source, stride, inside.end - inside.begin, item, at + inside.begin * item);
    zero_line(at + inside.end * item, count - inside.end, item);
  }
}

int64_t Windows::place(const Slab& slab, int64_t image, int64_t i, int64_t j, int64_t k) const {
  std::array<int64_t, 3> output = {i, j, k};
  output[split_] -= slab.rows.begin;
  return (image - slab.images.begin) * image_ + output[0] * axes_[0].step * plane_ +
         output[1] * axes_[1].step * line_ + output[2] * input_.itemsize;
}

void Windows::pack(const char* padded, const Slab& slab, Range outputs, Range rows, char* target,
                   int64_t pitch) const {
  std::vector<Run> runs;
  const int item = input_.itemsize;
  each_row(slab, outputs,
           [&](int64_t n, int64_t i, int64_t j, int64_t k, int64_t count, int64_t at) {
             const int64_t source = place(slab, n, i, j, k);
             if (!runs.empty() && runs.back().source + runs.back().bytes == source) {
               runs.back().bytes += count * item;
             } else {
               runs.push_back({source, (at - outputs.begin) * item, count * item});
             }
           });
  int64_t channel = rows.begin / std::max<int64_t>(1, taps()), tap = rows.begin - channel * taps();
  for (int64_t row = rows.begin; row < rows.end; ++row, target += pitch) {
    copy_runs(padded + channel * channel_ + tap_offsets_[tap], runs.data(), runs.size(), target);
    if (++tap == taps()) {
      tap = 0;
      ++channel;
    }
  }
}

}  // namespace gleed
