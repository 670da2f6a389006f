#include "convolution.h"

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

}  // namespace

double Convolution::work() const {
  return static_cast<double>(images) * groups * channels * outputs * taps() * image_outputs();
}

bool channelwise(const Convolution& c, bool transposed) {
  constexpr int64_t kFew = 2;
  return transposed ? c.outputs == 1 && c.channels <= kFew : c.channels == 1 && c.outputs <= kFew;
}

bool describe_convolution(const RoutineGeometry& g, const ConvolutionOperands& at, Convolution& c) {
  const Layout& x = *g.operands[at.x].layout;
  const Layout& w = *g.operands[at.w].layout;
  const Layout& y = *g.operands[at.y].layout;
  const int d = x.ndim - 2;
  if (d < 1 || d > 3 || w.ndim != x.ndim || y.ndim != x.ndim) return reject("one to three axes");
  if (g.dims.size() < static_cast<size_t>(1 + 3 * d)) return reject("dims are groups and axes");
  c.dtype = g.operands[0].dtype;
  if (c.dtype != DType::kFloat32 && c.dtype != DType::kFloat64) return reject("real numbers");
  for (const RoutineOperand& operand : g.operands) {
    if (operand.dtype != c.dtype) return reject("all operands have one dtype");
  }
  c.itemsize = itemsize(c.dtype);
  c.images = x.sizes[0];
  c.groups = g.dims[0];
  if (c.groups < 1 || w.sizes[0] % c.groups) return reject("groups divide outputs");
  c.channels = w.sizes[1];
  c.outputs = w.sizes[0] / c.groups;
  if (y.sizes[0] != c.images || x.sizes[1] != c.groups * c.channels || y.sizes[1] != w.sizes[0]) {
    return reject("x [n, g * c], w [g * k, c] and y [n, g * k]");
  }
  for (int a = 0; a < d; ++a) {
    c.axes[a + 3 - d] = {x.sizes[a + 2], y.sizes[a + 2],    w.sizes[a + 2],
                         g.dims[1 + a],  g.dims[1 + d + a], g.dims[1 + 2 * d + a]};
    if (g.dims[1 + a] < 1 || g.dims[1 + 2 * d + a] < 1) return reject("stride and dilation ≥ 1");
  }
  c.x = strides_of(x, c.itemsize);
  c.w = strides_of(w, c.itemsize);
  c.y = strides_of(y, c.itemsize);
  if (!g.operands.back().layout->contiguous) return reject("the result is row-major");
  return true;
}

}  // namespace gleed
