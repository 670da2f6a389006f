// Convolution, in the sense of neural networks: the routines
//
//   ("library", "convolution",        (x, w[, bias], y), dims, ())
//   ("library", "convolution_input",  (y, w[, bias], x), dims, ())
//   ("library", "convolution_weight", (x, y, w), dims, ())
//
// for x [images, groups * channels, inputs…], w [groups * outputs, channels, kernel…] and
// y [images, groups * outputs, outputs…] of float32 or float64 with one to three spatial axes, or
// of 16-bit numbers, and then the bias is of float32, and so is w as a result:
//
//   y[n, k, o] = Σ x[n, c, o * stride + t * dilation - padding] * w[k, c, t], with zeros around x
//
// The other two are what is left of that sum over all (n, o, k, c, t) if x or w is taken out of it:
// the gradients for x and w, the first of them also known as transposed convolution. `dims` are
// groups, then stride, padding and dilation of every axis, the result's sizes, and whether its
// second axis comes last. Operands that are read have any strides; the last one is row-major.
// `bias` is added per channel of the result. The order in which products are summed depends on
// sizes and strides only.
//
// How: a product of matrices on the register tiles of contraction_kernels, whose larger operand is
// made block by block in cache (convolution_windows). Where every group has one channel and hardly
// more outputs, planes are summed by kernels of their own, and so are pixels whose channels are
// neighbours (convolution_channelwise). With channels last windows are multiplied where they lie
// (convolution_last). Large ones with 3 × 3 taps take fewer products (convolution_winograd). 16-bit
// numbers are widened, or joined in pairs that tiles multiply at once, on their way into cache
// (convolution_elements): two channels side by side, or where w is the result two positions.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "convolution_elements.h"
#include "dtype.h"
#include "library.h"

namespace gleed {

// Strides in bytes: of the first and second axis, and of the three others.
struct ConvolutionStrides {
  int64_t first, second;
  std::array<int64_t, 3> axes;
};

// Outputs of an axis that meet the same taps: every `every`-th from `first`. Output i of them reads
// the input at position + i * step + t * distance for its tap t, number tap + t * tap_step of all.
struct AxisPhase {
  int64_t outputs, first, every;
  int64_t position, step, distance;
  int64_t taps, tap, tap_step;
};

// Sums over the windows of `from` for `to`: x and y, or y and x where x is the result. Where w is
// the result it is that of the same sums' other operands.
struct Convolution {
  DType numbers;  // of the operands that are read
  DType dtype;    // of the tiles; those of bfloat16 multiply pairs
  int64_t item;   // bytes of an element of windows
  Elements from_elements, w_elements;
  int64_t images, groups;
  int64_t channels, outputs;      // of one group; channels in elements
  int64_t taps;                   // of w, and so of all phases
  std::array<int64_t, 3> kernel;  // by axis
  std::array<int64_t, 3> inputs;  // the last axes are used first
  std::array<std::vector<AxisPhase>, 3> phases;
  ConvolutionStrides from, to, w;  // w by output and by channel
  int64_t from_group, w_group;
  bool bias;
  int64_t bias_stride;
  double work;  // multiplications

  // Whether the channels of the result are neighbours, more than its positions.
  bool last() const { return to.second < to.axes[2]; }
};

struct ConvolutionPointers {
  const char *first, *second;  // the operands that are read, in the order of the routine
  const char* bias;            // or null
  char *result, *workspace;
  const Epilogue* epilogue;  // is told of every block of the result that is finished; or null

  // Some channels at neighbouring positions are finished.
  void finish(const Convolution& c, const char* block, int64_t channels, int64_t positions) const {
    if (c.last()) std::swap(channels, positions);
    if (epilogue) (*epilogue)(block, channels, positions);
  }
};

// A way to compute one convolution, ready to run; it divides the work between threads.
class Convolver {
 public:
  virtual ~Convolver() = default;
  virtual void run(const ConvolutionPointers& at) const = 0;

  size_t workspace = 0;     // bytes
  bool has_blocks = false;  // `run` tells of finished blocks
};

// Null with a Python exception set when a micro-kernel cannot be had. Those of `weight` have w for
// a result.
std::unique_ptr<Convolver> make_windowed(const Convolution& convolution);
std::unique_ptr<Convolver> make_windowed_weight(const Convolution& convolution);
std::unique_ptr<Convolver> make_channelwise(const Convolution& convolution, bool weight);
std::unique_ptr<Convolver> make_last(const Convolution& convolution);
std::unique_ptr<Convolver> make_winograd(const Convolution& convolution);

// Whether the latter serve a convolution, and better than windows would.
bool suits_planes(const Convolution& convolution, bool weight);
bool suits_pixels(const Convolution& convolution, bool weight);
bool suits_last(const Convolution& convolution);
bool suits_winograd(const Convolution& convolution);

}  // namespace gleed
