#include "convolution.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "contraction.h"
#include "contraction_kernels.h"
#include "errors.h"

namespace gleed {

namespace {

bool reject(const char* rule) {
  raise("ValueError", "convolution: %s; the plan gives other operands", rule);
  return false;
}

ConvolutionStrides strides_of(const Layout& layout, int itemsize) {
  ConvolutionStrides strides = {layout.strides[0] * itemsize, layout.strides[1] * itemsize, {}};
  for (int a = 2; a < layout.ndim; ++a) {
    strides.axes[a + 3 - layout.ndim] = layout.strides[a] * itemsize;
  }
  return strides;
}

struct Axis {
  int64_t input, output, kernel, stride, padding, dilation;
};

// One phase, or where x is the result and y what is read, one for each remainder by the stride.
std::vector<AxisPhase> axis_phases(const Axis& a, bool transposed) {
  if (!transposed) return {{a.output, 0, 1, -a.padding, a.stride, a.dilation, a.kernel, 0, 1}};
  // Of the taps that an output meets, the last one reads the first element.
  const int64_t common = std::gcd(a.stride, a.dilation), apart = a.stride / common;
  std::vector<AxisPhase> phases;
  for (int64_t first = 0; first < std::min(a.stride, a.input); ++first) {
    AxisPhase phase = {ceil_div(a.input - first, a.stride),
                       first,
                       a.stride,
                       0,
                       1,
                       a.dilation / common,
                       0,
                       0,
                       -apart};
    for (int64_t t = 0; t < a.kernel; ++t) {
      const int64_t reach = first + a.padding - t * a.dilation;
      if (reach % a.stride) continue;
      phase.position = reach / a.stride;
      phase.tap = t;
      ++phase.taps;
    }
    phases.push_back(phase);
  }
  return phases;
}

// The positions of x, w and y among a routine's operands.
struct Positions {
  size_t x, w, y;
};

bool check(const RoutineGeometry& g, const Layout& x, const Layout& w, const Layout& y,
           bool weight) {
  const int d = x.ndim - 2;
  if (w.ndim != x.ndim || y.ndim != x.ndim) return reject("one rank");
  const DType dtype = g.operands[0].dtype;
  const DType sums = itemsize(dtype) == 2 ? DType::kFloat32 : dtype;
  if (!has_micro_kernels(dtype)) return reject("real numbers");
  for (const RoutineOperand& operand : g.operands) {
    const bool own = &operand < &g.operands[2] || (&operand == &g.operands.back() && !weight);
    if (operand.dtype != (own ? dtype : sums)) return reject("one dtype");
  }
  const int64_t groups = g.dims[0];
  if (groups < 1 || w.sizes[0] % groups) return reject("groups divide outputs");
  if (y.sizes[0] != x.sizes[0] || x.sizes[1] != groups * w.sizes[1] || y.sizes[1] != w.sizes[0]) {
    return reject("x [n, g * c], w [g * k, c] and y [n, g * k]");
  }
  for (int a = 0; a < d; ++a) {
    if (g.dims[1 + a] < 1 || g.dims[1 + 2 * d + a] < 1) return reject("stride and dilation ≥ 1");
  }
  return true;
}

// Operand `i` as [first, second, axes…], which the result may lie in memory as [first, axes…,
// second].
Layout layout_of(const RoutineGeometry& g, size_t i) {
  const Layout& own = *g.operands[i].layout;
  if (i + 1 < g.operands.size() || !g.dims.back()) return own;
  std::vector<int64_t> axes(own.ndim);
  std::iota(axes.begin(), axes.end(), 0);
  std::rotate(axes.begin() + 1, axes.end() - 1, axes.end());
  return permute(own, axes);
}

// False with a Python exception set if the operands do not fit one another.
bool describe(const RoutineGeometry& g, const Positions& at, Convolution& c) {
  const int d = g.operands.back().layout->ndim - 2;
  if (d < 1 || d > 3) return reject("one to three axes");
  if (g.dims.size() != static_cast<size_t>(2 + 4 * d)) return reject("dims are groups and axes");
  if (!g.operands.back().layout->contiguous) return reject("the result is row-major");
  const Layout x = layout_of(g, at.x), w = layout_of(g, at.w), y = layout_of(g, at.y);
  if (!check(g, x, w, y, at.w == 2)) return false;
  const bool transposed = at.x + 1 == g.operands.size();
  c.numbers = c.dtype = g.operands[0].dtype;
  c.item = itemsize(c.dtype);
  c.images = x.sizes[0];
  c.groups = g.dims[0];
  c.channels = w.sizes[1];
  c.outputs = w.sizes[0] / c.groups;
  c.from = strides_of(x, itemsize(g.operands[at.x].dtype));
  c.to = strides_of(y, itemsize(g.operands[at.y].dtype));
  c.w = strides_of(w, itemsize(g.operands[at.w].dtype));
  c.w_group = c.outputs * c.w.first;
  c.taps = 1;
  c.work = static_cast<double>(c.images) * c.groups * c.channels * c.outputs;
  for (int a = 0; a < 3; ++a) {
    const int i = a + d - 3;
    Axis axis = {1, 1, 1, 1, 0, 1};
    if (i >= 0) {
      axis = {x.sizes[i + 2], y.sizes[i + 2],    w.sizes[i + 2],
              g.dims[1 + i],  g.dims[1 + d + i], g.dims[1 + 2 * d + i]};
    }
    c.inputs[a] = transposed ? axis.output : axis.input;
    c.phases[a] = axis_phases(axis, transposed);
    c.kernel[a] = axis.kernel;
    c.taps *= axis.kernel;
    c.work *= static_cast<double>(axis.kernel) * axis.output;
  }
  if (transposed) {
    std::swap(c.from, c.to);
    std::swap(c.channels, c.outputs);
    std::swap(c.w.first, c.w.second);
  }
  c.bias = g.operands.size() == 4;
  c.bias_stride = c.bias ? g.operands[2].layout->strides[0] * itemsize(g.operands[2].dtype) : 0;
  return true;
}

// Whether it is summed channel by channel.
bool by_channel(const Convolution& c, bool weight) {
  const bool as_they_lie = c.item == itemsize(c.numbers);
  return as_they_lie && (suits_pixels(c, weight) || suits_planes(c, weight));
}

// False with a Python exception set on failure. Numbers that kernels read as they lie stay so.
bool choose_elements(Convolution& c, bool weight) {
  c.from_group = c.channels * c.from.second;
  c.from_elements.size = c.w_elements.size = c.item;
  if (c.item > 2) return true;
  const bool half = c.numbers == DType::kFloat16;
  const Elements widened = {half ? Elements::Kind::kFromHalf : Elements::Kind::kFromBFloat16};
  c.w_elements = widened;
  if (by_channel(c, weight)) return true;
  const TileFamily* family = tile_family(c.numbers);
  if (!family) return false;
  const bool pairs = family->pairs && (weight || c.channels > 1);
  if (weight && pairs) return true;  // of neighbours in columns
  c.item = sizeof(float);
  if (!pairs) {
    c.dtype = DType::kFloat32;
    c.from_elements = widened;
    return true;
  }
  // Channels that are neighbours are pairs where they lie.
  const auto& s = c.from;
  const int64_t strides = s.first | s.axes[0] | s.axes[1] | s.axes[2] | 2 * c.channels;
  const int64_t whole = c.channels / 2;
  c.w_elements = {Elements::Kind::kPair, c.item, c.w.second, whole};
  if (s.second == 2 && strides % 4 == 0) {
    c.from_elements = {Elements::Kind::kSame, c.item};
  } else {
    c.from_elements = {Elements::Kind::kPair, c.item, s.second, whole};
  }
  c.channels = ceil_div(c.channels, 2);
  c.from.second *= 2;
  c.w.second *= 2;
  return true;
}

using MakeConvolver = std::unique_ptr<Convolver> (*)(const Convolution& convolution);

// Nothing is left to compute where the result is empty.
bool prepare(const RoutineGeometry& g, const Positions& at, RoutinePlan& plan, MakeConvolver make) {
  Convolution c;
  if (!describe(g, at, c)) return false;
  if (g.operands.back().layout->numel == 0) return true;
  if (!choose_elements(c, at.w == 2)) return false;
  std::shared_ptr<Convolver> convolver = make(c);
  if (!convolver) return false;
  plan.workspace = convolver->workspace;
  plan.nanoseconds = c.work * 0.02;
  const Layout& y = *g.operands.back().layout;
  const int64_t row = g.dims.back() ? y.shape().back() : y.numel / y.sizes[0] / y.sizes[1];
  if (convolver->has_blocks) plan.row = row;
  plan.state = std::move(convolver);
  return true;
}

std::unique_ptr<Convolver> make_sum(const Convolution& c) {
  if (by_channel(c, false)) return make_channelwise(c, false);
  if (suits_winograd(c)) return make_winograd(c);
  return suits_last(c) ? make_last(c) : make_windowed(c);
}

std::unique_ptr<Convolver> make_weight(const Convolution& c) {
  return by_channel(c, true) ? make_channelwise(c, true) : make_windowed_weight(c);
}

void execute(const RoutineCall& call) {
  if (!call.state) return;
  const size_t last = call.geometry.operands.size() - 1;
  static_cast<const Convolver*>(call.state)
      ->run({call.pointers[0], call.pointers[1], last == 3 ? call.pointers[2] : nullptr,
             call.pointers[last], call.workspace, call.epilogue});
}

const RegisterRoutine forward({.name = "convolution",
                               .prepare =
                                   [](const RoutineGeometry& g, RoutinePlan& plan) {
                                     return prepare(g, {0, 1, g.operands.size() - 1}, plan,
                                                    make_sum);
                                   },
                               .execute = execute});
const RegisterRoutine input({.name = "convolution_input",
                             .prepare =
                                 [](const RoutineGeometry& g, RoutinePlan& plan) {
                                   return prepare(g, {g.operands.size() - 1, 1, 0}, plan, make_sum);
                                 },
                             .execute = execute});
const RegisterRoutine weight({.name = "convolution_weight",
                              .prepare =
                                  [](const RoutineGeometry& g, RoutinePlan& plan) {
                                    return prepare(g, {0, 2, 1}, plan, make_weight);
                                  },
                              .execute = execute});

}  // namespace

}  // namespace gleed
