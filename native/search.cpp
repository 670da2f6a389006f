// The routine "searchsorted": where values would be put into sorted rows so that they stay sorted.
//
// operands: sorted [batch, n], values [batch, m], places [batch, m] (int64). dims: right (whether
// after equal elements, else before). NaN is greater than every number.
#include <algorithm>

#include "errors.h"
#include "library.h"
#include "order_keys.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr int64_t kChunk = 1 << 12;  // values that one task looks up
constexpr double kNanoseconds = 20;  // per value

struct Sizes {
  int64_t batch, length, count, chunks;

  explicit Sizes(const RoutineGeometry& g) {
    batch = g.operands[0].layout->sizes[0];
    length = g.operands[0].layout->sizes[1];
    count = g.operands[1].layout->sizes[1];
    chunks = (count + kChunk - 1) / kChunk;
  }
};

// How many of the keys come before `key`, or are equal to it if `right`.
template <class T>
int64_t lower_bound(const T* keys, int64_t length, T key, bool right) {
  const T* first = keys;
  while (length > 1) {
    const int64_t half = length / 2;
    const T middle = first[half - 1];
    first += middle < key || (right && middle == key) ? half : 0;
    length -= half;
  }
  const bool after = length == 1 && (*first < key || (right && *first == key));
  return first - keys + after;
}

template <class Keys>
void search(const RoutineCall& call, Keys order) {
  using T = typename Keys::Bits;
  const RoutineGeometry& g = call.geometry;
  const Sizes sizes(g);
  const Layout &sorted = *g.operands[0].layout, &values = *g.operands[1].layout;
  T* keys = reinterpret_cast<T*>(call.workspace);
  parallel_for(sizes.batch, [&](int64_t row) {
    const T* from = reinterpret_cast<const T*>(call.pointers[0]) + row * sorted.strides[0];
    T* to = keys + row * sizes.length;
    for (int64_t i = 0; i < sizes.length; ++i) to[i] = order.key(from[i * sorted.strides[1]]);
  });
  const bool right = g.dims[0] != 0;
  parallel_for(sizes.batch * sizes.chunks, [&](int64_t task) {
    const int64_t row = task / sizes.chunks, begin = task % sizes.chunks * kChunk;
    const T* from = reinterpret_cast<const T*>(call.pointers[1]) + row * values.strides[0];
    int64_t* to = reinterpret_cast<int64_t*>(call.pointers[2]) + row * sizes.count;
    for (int64_t i = begin; i < std::min(begin + kChunk, sizes.count); ++i) {
      const T key = order.key(from[i * values.strides[1]]);
      to[i] = lower_bound(keys + row * sizes.length, sizes.length, key, right);
    }
  });
}

bool prepare(const RoutineGeometry& g, RoutinePlan& plan) {
  const bool fits =
      g.operands.size() == 3 && g.dims.size() == 1 && g.operands[0].dtype == g.operands[1].dtype &&
      g.operands[2].dtype == DType::kInt64 && !info(g.operands[0].dtype).complex &&
      g.operands[0].layout->ndim == 2 && g.operands[1].layout->ndim == 2 &&
      g.operands[0].layout->sizes[0] == g.operands[1].layout->sizes[0] &&
      same_sizes(*g.operands[1].layout, *g.operands[2].layout) && g.operands[2].layout->contiguous;
  if (!fits) {
    raise("ValueError", "searchsorted: operands are sorted, values, places; the plan gives others");
    return false;
  }
  plan.workspace = g.operands[0].layout->numel * itemsize(g.operands[0].dtype);
  plan.nanoseconds = static_cast<double>(g.operands[0].layout->numel) +
                     kNanoseconds * static_cast<double>(g.operands[1].layout->numel);
  return true;
}

void execute(const RoutineCall& call) {
  with_order_keys(call.geometry.operands[0].dtype, false, [&](auto keys) { search(call, keys); });
}

const RegisterRoutine registered(
    {.name = "searchsorted", .prepare = prepare, .execute = execute, .inputs = 2});

}  // namespace

}  // namespace gleed
