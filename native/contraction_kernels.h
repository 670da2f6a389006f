// Micro-kernels of matrix multiplication: generated machine code, fetched from Python when a
// product that needs it is first prepared. The argument structures mirror
// gleed/compiler/contraction_*.py.
#pragma once

#include <cstdint>
#include <vector>

#include "dtype.h"

namespace nanobind {
class module_;
}

namespace gleed {

using MicroKernel = void (*)(void* arguments);

enum class Micro : uint8_t {
  kTile,         // register tile of rows × columns vectors
  kRagged,       // the same; its last vector is partly valid
  kDot,          // rows × columns dot products
  kCopy,         // packs panels of `columns` lanes that are neighbours
  kTranspose,    // packs panels of `columns` lanes that are contiguous along the depth
  kPlane,        // convolution of a plane
  kPlaneWeight,  // its gradient for the taps
  kPixel,        // convolution of pixels, channel by channel
  kPixelWeight,
  kWinogradInput,  // transforms around the products of a convolution
  kWinogradWeight,
  kWinogradOutput,
};

// Strides are in bytes throughout.
struct TileArguments {
  const char* a;
  int64_t a_row, a_step;
  const char* b;
  int64_t b_step;
  char* c;
  int64_t c_row;
  int64_t steps;    // depth in packed elements
  int64_t columns;  // valid lanes of the last vector
  const char* before;
  int64_t before_row;
  const char* bias;
  int64_t relu, raw;
};

struct DotArguments {
  const char* a;
  int64_t a_row;
  const char* b;
  int64_t b_row;
  char* c;
  int64_t c_row, c_column;
  int64_t depth;
  const char* bias;
  int64_t bias_row, bias_column;
  int64_t relu;
};

struct PackArguments {
  const char* source;
  int64_t lane_stride, depth_stride;
  char* target;
  int64_t depth, valid;
};

// A plane of x, its taps w, and a plane of y, or several of them whose channels are neighbours (see
// gleed/compiler/convolution_plane.py and convolution_pixel.py).
struct PlaneArguments {
  const char* x;
  int64_t x_row, x_rows, x_columns;
  const char* zeros;  // a row of x, or a pixel
  char* w;            // of the gradient: vectors of sums for each tap
  int64_t w_row, w_column;
  char* y;
  int64_t y_row, y_rows, y_columns;
  int64_t top, left;  // the place in x of the first tap of the first output
  const char* bias;   // where sums begin
  int64_t add;        // whether to what y holds
  int64_t x_column, y_column, channels;
};

// Squares of elements (see gleed/compiler/convolution_winograd.py).
struct WinogradArguments {
  const char* from;
  int64_t row, column, lane;
  char* to;
  int64_t to_step;
  int64_t count;  // vectors, or channels
  const char* bias;
};

// What the tiles of a dtype look like on this processor.
struct TileFamily {
  int64_t lanes;    // of a vector
  int64_t rows;     // of a full tile
  int64_t vectors;  // of a full tile
  int64_t pairs;    // whether a packed element is two neighbours in depth
  int64_t masks;    // whether tiles can leave lanes of b unread
};

// Whether generated micro-kernels exist for a dtype: the real floating ones.
bool has_micro_kernels(DType dtype);

// Null with a Python exception set on failure. The GIL is held. Addresses stay valid for good.
const TileFamily* tile_family(DType dtype);
// Tiles have rows and columns for a shape, packing whether in pairs and columns, planes the numbers
// of their taps.
MicroKernel micro_kernel(Micro kind, DType dtype, const std::vector<int64_t>& shape);
inline MicroKernel micro_kernel(Micro kind, DType dtype, int64_t rows, int64_t columns) {
  return micro_kernel(kind, dtype, {rows, columns});
}

// Tiles of some numbers of rows and columns, which are added first.
class TileSet {
 public:
  // All of these numbers of rows, if there are columns. False with a Python exception set.
  bool add(DType dtype, int64_t least_rows, int64_t most_rows, int64_t columns);
  MicroKernel operator()(int64_t rows, int64_t columns) const {
    return kernels_[rows * kMostColumns + columns];
  }

 private:
  static constexpr int64_t kMostColumns = 256;
  std::vector<MicroKernel> kernels_;
};

void bind_contraction(nanobind::module_& m);  // set_contraction_compiler(compile)

}  // namespace gleed
