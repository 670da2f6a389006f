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
// more outputs, they are summed vector by vector (convolution_channelwise).
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
  int64_t image_inputs() const { return axes[0].input * axes[1].input * axes[2].input; }
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

// Whether groups are so small that vectors of outputs are summed one by one.
bool channelwise(const Convolution& convolution, bool transposed);

// to[i] = start + Σ w[tap] * from[offsets[tap] + i] for `count` outputs in each row; offsets and
// distances of rows in bytes. Up to 60 bytes behind what is needed are read.
template <class T>
struct TapSums {
  const T* from;
  int64_t from_row;
  const int64_t* offsets;
  const T* w;
  int64_t taps;
  T start;
  T* to;
  int64_t to_row, rows, count;
};
void sum_taps(const TapSums<float>& sums);
void sum_taps(const TapSums<double>& sums);

// Adds to each tap's vector of 64 bytes: its lanes share the sum of factors[i] * from[offset + i].
template <class T>
struct TapProducts {
  const T* from;
  int64_t from_row;
  const int64_t* offsets;
  const T* factors;
  int64_t factors_row, taps, rows, count;
  T* sums;
};
void add_products(const TapProducts<float>& products);
void add_products(const TapProducts<double>& products);

}  // namespace gleed
