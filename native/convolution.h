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
// made block by block in cache (convolution_windows). Where every group has one channel, vectors of
// outputs are computed one by one (convolution_channelwise).
#pragma once

#include <array>
#include <cstdint>

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

  int64_t taps() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
  int64_t image_outputs() const { return axes[0].output * axes[1].output * axes[2].output; }
  // Multiplications.
  double work() const;
};

// The positions of x, w and y among a routine's operands.
struct ConvolutionOperands {
  size_t x, w, y;
};

// False with a Python exception set if the operands do not fit one another.
bool describe_convolution(const RoutineGeometry& g, const ConvolutionOperands& at,
                          Convolution& convolution);

// One output per element of `to`: to[i] = start + Σ w[tap] * from[offsets[tap] + i], offsets in
// bytes. Up to 31 elements behind what is needed are read.
void sum_taps(const float* from, const int64_t* offsets, const float* w, int64_t taps, float start,
              float* to, int64_t count);
void sum_taps(const double* from, const int64_t* offsets, const double* w, int64_t taps,
              double start, double* to, int64_t count);

}  // namespace gleed
