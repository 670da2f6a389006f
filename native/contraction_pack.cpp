#include "contraction_pack.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace gleed {

namespace {

constexpr int64_t kStageDepth = 32;  // even, so that pairs stay together
constexpr int64_t kMaxWidth = 64;

template <class T>
void collect(const PackArguments& panel, int64_t width, char* stage) {
  for (int64_t k = 0; k < panel.depth; ++k) {
    const char* from = panel.source + k * panel.depth_stride;
    char* to = stage + k * width * sizeof(T);
    for (int64_t lane = 0; lane < panel.valid; ++lane) {
      std::memcpy(to + lane * sizeof(T), from + lane * panel.lane_stride, sizeof(T));
    }
  }
}

}  // namespace

bool Packer::init(DType dtype, const TileFamily& family, int64_t lane_stride, int64_t depth_stride,
                  int64_t width) {
  width_ = width;
  itemsize_ = itemsize(dtype);
  step_bytes_ = width * packed_size(dtype);
  pairs_ = family.pairs;
  packing_ = lane_stride == itemsize_    ? Packing::kLanes
             : depth_stride == itemsize_ ? Packing::kTransposed
                                         : Packing::kGathered;
  const Micro kind = packing_ == Packing::kTransposed ? Micro::kTranspose : Micro::kCopy;
  kernel_ = micro_kernel(kind, dtype, pairs_, width);
  return kernel_ != nullptr;
}

void Packer::operator()(PackArguments panel) const {
  packing_ == Packing::kGathered ? gather(panel) : kernel_(&panel);
}

// Element by element into a small buffer, and from there like any other panel.
void Packer::gather(PackArguments panel) const {
  alignas(64) char stage[kStageDepth * kMaxWidth * sizeof(double)];
  PackArguments staged = {stage, itemsize_, width_ * itemsize_, panel.target, 0, panel.valid};
  for (int64_t left = panel.depth; left > 0; left -= kStageDepth) {
    panel.depth = staged.depth = std::min(left, kStageDepth);
    switch (itemsize_) {
      case 2:
        collect<uint16_t>(panel, width_, stage);
        break;
      case 4:
        collect<uint32_t>(panel, width_, stage);
        break;
      default:
        collect<uint64_t>(panel, width_, stage);
    }
    kernel_(&staged);
    panel.source += kStageDepth * panel.depth_stride;
    staged.target += (pairs_ ? kStageDepth / 2 : kStageDepth) * step_bytes_;
  }
}

}  // namespace gleed
