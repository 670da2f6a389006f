// Packing of operands into panels that register tiles read in order.
#pragma once

#include "contraction_kernels.h"

namespace gleed {

// How an operand is packed for the tile. Its *lanes* are the rows of a or the columns of b.
enum class Packing : uint8_t {
  kNone,        // read where it lies
  kLanes,       // packed; lanes are neighbours
  kTransposed,  // packed; contiguous along the depth
  kGathered,    // packed; neither
};

// Packs panels of `width` lanes: target[step][width].
class Packer {
 public:
  // For operands with these strides; false with a Python exception set.
  bool init(DType dtype, const TileFamily& family, int64_t lane_stride, int64_t depth_stride,
            int64_t width);
  // `panel.target` has room for the depth rounded up to whole vectors.
  void operator()(PackArguments panel) const;
  Packing packing() const { return packing_; }

 private:
  void gather(PackArguments panel) const;

  Packing packing_ = Packing::kNone;
  MicroKernel kernel_ = nullptr;
  int64_t width_ = 0;
  int64_t itemsize_ = 0;
  int64_t step_bytes_ = 0;  // of one packed step of the panel
  int64_t pairs_ = 0;
};

// Bytes of a packed element, and the number of them that a depth takes.
inline int64_t packed_size(DType dtype) { return dtype == DType::kFloat64 ? 8 : 4; }
inline int64_t packed_steps(const TileFamily& family, int64_t depth) {
  return family.pairs ? (depth + 1) / 2 : depth;
}

}  // namespace gleed
