// What the outputs of a convolution read: windows of an input with zeros around it. The output is
// walked in slabs; the input of a slab is copied with its zeros, so that every output of a row
// reads neighbours at every tap, and from there into columns [channel and tap][output], which
// register tiles multiply.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "contraction.h"
#include "convolution.h"
#include "convolution_elements.h"

namespace gleed {

// At its tap t, output i of an axis reads input i * step + positions[t], if there is one.
struct WindowAxis {
  int64_t outputs, step;
  int64_t inputs, stride;  // in bytes
  std::vector<int64_t> positions;
};
using WindowAxes = std::array<WindowAxis, 3>;
WindowAxis window_axis(const Convolution& convolution, int axis, const AxisPhase& phase);

// A part of the output: some rows of one image, or some whole images. Rows are positions of the
// first axis that has more than one.
struct Slab {
  Range images, rows;
};

class Windows {
 public:
  // Slabs have no more than about `most` outputs, of sizes that fill vectors of `lanes` well;
  // `together` channels are copied at once.
  Windows(const Convolution& convolution, const WindowAxes& axes, int64_t most, int64_t lanes,
          int64_t together);

  int64_t taps() const { return static_cast<int64_t>(tap_offsets_.size()); }
  int64_t slabs() const { return image_blocks_ * row_blocks_; }
  Slab slab(int64_t number) const;
  int64_t outputs(const Slab& slab) const {
    return (slab.images.end - slab.images.begin) * (slab.rows.end - slab.rows.begin) * row_outputs_;
  }

  // Outputs that are neighbours in an image's last axis: calls use(image, i, j, first of k, count,
  // number in the slab) for outputs [i, j, first … first + count).
  template <class Use>
  void each_row(const Slab& slab, Range outputs, Use&& use) const;

  size_t padded_bytes() const { return together_ * channel_ + kSlack; }
  // Copies channels [begin, end), at most `together`, with zeros around them.
  void pad(const char* input, const Slab& slab, Range channels, char* padded) const;

  // Bytes from the place of an output in a padded channel to what it reads at each tap.
  int64_t place(const Slab& slab, int64_t image, int64_t i, int64_t j, int64_t k) const;

  // Outputs that read neighbours at every tap: from where in a padded channel, and where to.
  struct Run {
    int64_t source, target, bytes;
  };
  std::vector<Run> runs(const Slab& slab, Range outputs) const;
  // Writes rows [first, last) of the columns of some outputs, `pitch` bytes apart. Row r is channel
  // r / taps and tap r % taps, channels counted from the padded ones. Up to 63 bytes behind a row
  // are overwritten too.
  void pack(const char* padded, const std::vector<Run>& runs, Range rows, char* target,
            int64_t pitch) const;

 private:
  static constexpr int64_t kSlack = 256;  // bytes that may be read behind the last element

  void choose_slabs(int64_t most, int64_t lanes);
  void lay_out();
  // Elements of a padded line that are neighbours: bytes in the line of the input and in the copy,
  // and which of them are inside of the input.
  struct Piece {
    int64_t source, target;
    Range inside;
  };
  std::vector<Piece> line_pieces(int64_t low) const;
  void pad_lines(const Elements& elements, const char* line, const std::vector<Piece>& pieces,
                 int64_t channels, char* to) const;

  // Whether any output reads what lies so far behind the first position of an axis.
  bool met(int a, int64_t distance) const {
    const int64_t step = axes_[a].step;
    return step == 1 || met_[a][distance % step];
  }

  int64_t item_;
  Elements elements_;
  int64_t images_, image_stride_, channel_stride_;
  WindowAxes axes_;
  int64_t together_;
  int split_;  // the axis of rows
  int64_t row_outputs_, images_at_once_, rows_at_once_, image_blocks_, row_blocks_;
  std::array<int64_t, 3> low_, length_;             // positions that a slab's windows cover
  int64_t phase_, line_, plane_, image_, channel_;  // bytes of parts of the padded copy
  std::array<std::vector<bool>, 3> met_;
  std::vector<int64_t> tap_offsets_;
};

template <class Use>
void Windows::each_row(const Slab& slab, Range outputs, Use&& use) const {
  std::array<int64_t, 3> count;
  std::array<int64_t, 3> start = {};
  if (outputs.begin >= outputs.end) return;
  for (int a = 0; a < 3; ++a) count[a] = axes_[a].outputs;
  count[split_] = slab.rows.end - slab.rows.begin;
  start[split_] = slab.rows.begin;
  int64_t at = outputs.begin, rest = at;
  int64_t k = rest % count[2], j = (rest /= count[2]) % count[1], i = (rest /= count[1]) % count[0];
  int64_t image = slab.images.begin + rest / count[0];
  while (at < outputs.end) {
    const int64_t many = std::min(count[2] - k, outputs.end - at);
    use(image, start[0] + i, start[1] + j, start[2] + k, many, at);
    at += many;
    k = 0;
    if (++j < count[1]) continue;
    j = 0;
    if (++i < count[0]) continue;
    i = 0;
    ++image;
  }
}

}  // namespace gleed
