// Convolution of bfloat16, with float32 sums and results. Two neighbours in what is summed over
// (channels, or images where w is the result) become one 32-bit element, which register tiles
// multiply at once: a convolution of half the depth, of operands laid out in this way first, unless
// they lie so. Where there is an odd number, the last has zero beside it. If the processor has no
// products of pairs, or there is nothing to pair, numbers are widened to float32 instead.
#include <algorithm>
#include <utility>

#include "contraction.h"
#include "contraction_kernels.h"
#include "convolution.h"
#include "threads.h"
#include "vector_clones.h"

namespace gleed {

namespace {

constexpr int64_t kElement = 4;  // bytes

// An operand that is read: planes in three axes, one of which is paired. Strides in bytes.
struct Operand {
  std::array<int64_t, 3> planes, strides, axes, axis_strides;
  int along = 0;
  std::array<int64_t, 3> laid = {};  // planes in pairs

  int64_t count() const { return laid[0] * laid[1] * laid[2]; }
  int64_t plane() const { return axes[0] * axes[1] * axes[2]; }
  // As laid out; those of `planes` from the second on.
  ConvolutionStrides laid_strides() const {
    const int64_t line = axes[2] * kElement, whole = plane() * kElement;
    return {laid[1] * laid[2] * whole, whole, {axes[1] * line, line, kElement}};
  }
};

// Numbers below and above one another, each counted where its mask has ones.
GLEED_VECTOR_CLONES
void join(const uint16_t* low, const uint16_t* high, uint32_t low_mask, uint32_t high_mask,
          int64_t stride, int64_t count, uint32_t* to) {
  const auto at = [=](int64_t i) { return (low[i] & low_mask) | (high[i] << 16 & high_mask); };
  for (int64_t i = 0; i < count && stride == 1; ++i) to[i] = at(i);
  for (int64_t i = 0; i < count && stride != 1; ++i) to[i] = at(i * stride);
}

class HalfSums final : public Convolver {
 public:
  bool init(Convolution c, bool weight, MakeConvolver make) {
    const TileFamily* family = tile_family(DType::kBFloat16);
    if (!family) return false;
    int64_t& summed = weight ? c.images : c.channels;
    pairs_ = family->pairs && summed > 1 && !suits_channelwise(c);
    // Channels that are neighbours are pairs where they lie.
    const int64_t strides = c.from.first | c.from.axes[0] | c.from.axes[1] | c.from.axes[2];
    in_place_ = pairs_ && !weight && c.from.second == 2 && (strides | 2 * c.channels) % 4 == 0;
    const ConvolutionStrides &from = c.from, &to = c.to, &w = c.w;
    first_.planes = {c.images, c.groups, c.channels};
    first_.strides = {from.first, c.channels * from.second, from.second};
    first_.axes = c.inputs;
    first_.axis_strides = from.axes;
    second_ = {{c.groups, c.outputs, c.channels}, {c.w_group, w.first, w.second}, c.kernel, w.axes};
    if (weight) {
      second_.planes = {c.images, c.groups, c.outputs};
      second_.strides = {to.first, c.outputs * to.second, to.second};
      for (int a = 0; a < 3; ++a) second_.axes[a] = c.phases[a][0].outputs;
      second_.axis_strides = to.axes;
    }
    for (Operand* o : {&first_, &second_}) {
      o->along = weight ? 0 : 2;
      o->laid = o->planes;
      if (pairs_) o->laid[o->along] = ceil_div(o->planes[o->along], 2);
    }
    if (pairs_) summed = ceil_div(summed, 2);
    c.item = kElement;
    c.dtype = pairs_ ? DType::kBFloat16 : DType::kFloat32;
    if (in_place_) {
      c.from.second = kElement;
    } else {
      c.from = first_.laid_strides();
      second_at_ = round_up(first_.count() * first_.plane() * kElement, 64);
    }
    (weight ? c.to : c.w) = second_.laid_strides();
    if (!weight) c.w_group = std::exchange(c.w.first, c.channels * c.w.second);
    inner_at_ = second_at_ + round_up(second_.count() * second_.plane() * kElement, 64);
    inner_ = make(c);
    has_blocks = inner_ && inner_->has_blocks;
    if (inner_) workspace = inner_at_ + inner_->workspace;
    return inner_ != nullptr;
  }

  void run(const ConvolutionPointers& at) const override {
    char *second = at.workspace + second_at_, *inner = at.workspace + inner_at_;
    if (!in_place_) lay_out(first_, at.first, at.workspace);
    lay_out(second_, at.second, second);
    inner_->run(
        {in_place_ ? at.first : at.workspace, second, at.bias, at.result, inner, at.epilogue});
  }

 private:
  void lay_out(const Operand& o, const char* from, char* to) const {
    const int64_t tasks = std::min(o.count(), task_count(1.0 * o.count() * o.plane()));
    parallel_for(tasks, [&](int64_t task) {
      const Range mine = part(o.count(), tasks, task);
      for (int64_t i = mine.begin; i < mine.end; ++i) {
        lay_plane(o, i, from, reinterpret_cast<uint32_t*>(to) + i * o.plane());
      }
    });
  }

  void lay_plane(const Operand& o, int64_t plane, const char* from, uint32_t* to) const {
    std::array<int64_t, 3> place = {plane / o.laid[2] / o.laid[1], plane / o.laid[2] % o.laid[1],
                                    plane % o.laid[2]};
    if (pairs_) place[o.along] *= 2;
    const bool paired = pairs_ && place[o.along] + 1 < o.planes[o.along];
    for (int a = 0; a < 3; ++a) from += place[a] * o.strides[a];
    // Axes that continue one another are walked as one line.
    const auto& s = o.axis_strides;
    const bool whole = (o.axes[1] == 1 || s[1] == s[2] * o.axes[2]) &&
                       (o.axes[0] == 1 || s[0] == s[2] * o.axes[2] * o.axes[1]);
    const int64_t count = whole ? o.plane() : o.axes[2], lines = whole ? 1 : o.axes[0] * o.axes[1];
    for (int64_t n = 0; n < lines; ++n) {
      const char* at = from + n / o.axes[1] * s[0] + n % o.axes[1] * s[1];
      const auto* line = reinterpret_cast<const uint16_t*>(at);
      join(line, paired ? line + o.strides[o.along] / 2 : line, pairs_ ? 0xffffu : 0u,
           paired || !pairs_ ? 0xffff0000u : 0u, s[2] / 2, count, to + n * count);
    }
  }

  bool pairs_, in_place_;
  Operand first_, second_;
  size_t second_at_ = 0, inner_at_ = 0;
  std::unique_ptr<Convolver> inner_;
};

}  // namespace

std::unique_ptr<Convolver> make_halves(const Convolution& c, bool weight, MakeConvolver make) {
  auto sums = std::make_unique<HalfSums>();
  if (!sums->init(c, weight, make)) return nullptr;
  return sums;
}

}  // namespace gleed
