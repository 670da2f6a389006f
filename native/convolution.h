// Convolution, in the sense of neural networks: the routines
//
//   ("library", "convolution",        (x, w[, bias], y), dims, ())
//   ("library", "convolution_input",  (y, w[, bias], x), dims, ())
//   ("library", "convolution_weight", (x, y, w), dims, ())
//
// for x [images, groups * channels, inputs…], w [groups * outputs, channels, kernel…] and
// y [images, groups * outputs, outputs…] of float32 or float64 with one to three spatial axes:
//
//   y[n, k, o] = Σ x[n, c, o * stride + t * dilation - padding] * w[k, c, t], with zeros around x
//
// The other two are what is left of that sum over all (n, o, k, c, t) if x or w is taken out of it:
// the gradients for x and w, the first of them also known as transposed convolution. `dims` are
// groups, then stride, padding and dilation of every axis. Operands that are read have any strides;
// the last one is row-major. `bias` is added per channel of the result. The order in which products
// are summed depends on sizes and strides only.
//
// How: a product of matrices on the register tiles of contraction_kernels, whose larger operand is
// made block by block in cache (convolution_windows). Where every group has one channel and hardly
// more outputs, planes are summed by kernels of their own (convolution_channelwise).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "dtype.h"
#include "library.h"

namespace gleed {

struct ConvolutionAxis {
  int64_t input = 1, output = 1, kernel = 1;
  int64_t stride = 1, padding = 0, dilation = 1;
};

// Strides in bytes: of the first and second axis, and of the three others.
struct ConvolutionStrides {
  int64_t first, second;
  std::array<int64_t, 3> axes;
};

struct Convolution {
  DType dtype;
  int itemsize;
  int64_t images, groups, channels, outputs;  // channels and outputs of one group
  std::array<ConvolutionAxis, 3> axes;        // the last ones are used first
  ConvolutionStrides x, w, y;
  bool bias = false;
  int64_t bias_stride = 0;

  int64_t taps() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
  int64_t image_inputs() const { return axes[0].input * axes[1].input * axes[2].input; }
  int64_t image_outputs() const { return axes[0].output * axes[1].output * axes[2].output; }
  // Multiplications.
  double work() const;
};

// Outputs of an axis that meet the same taps: every `every`-th from `first`. Output i of them reads
// x at position + i * step + t * distance for its tap t, which is that of number tap + t *
// tap_step.
struct AxisPhase {
  int64_t outputs, first, every;
  int64_t position, step, distance;
  int64_t taps, tap, tap_step;
};

// One phase, or where x is the result and y what is read, one for each remainder by the stride.
std::vector<AxisPhase> axis_phases(const ConvolutionAxis& axis, bool transposed);

struct ConvolutionPointers {
  const char *first, *second;  // the operands that are read, in the order of the routine
  const char* bias;            // or null
  char *result, *workspace;
};

// A way to compute one convolution, ready to run; it divides the work between threads.
class Convolver {
 public:
  virtual ~Convolver() = default;
  virtual void run(const ConvolutionPointers& at) const = 0;

  size_t workspace = 0;  // bytes
};

// Null with a Python exception set when a micro-kernel cannot be had. `transposed`: x is the
// result.
std::unique_ptr<Convolver> make_windowed(const Convolution& convolution, bool transposed);
std::unique_ptr<Convolver> make_windowed_weight(const Convolution& convolution);
std::unique_ptr<Convolver> make_channelwise(const Convolution& convolution, bool transposed);
std::unique_ptr<Convolver> make_channelwise_weight(const Convolution& convolution);

// Whether the latter two serve a convolution, and better than windows would.
bool suits_channelwise(const Convolution& convolution, bool transposed);

}  // namespace gleed
