// The routine "topk": the k greatest (or least) elements along one axis, in order, with their
// positions; among equals, those that come first.
//
// operands: x, values, indices (int64). dims: axis, k, largest.
//
// A row is read once. What may be among the best so far is collected; when the collection is full,
// all but the k best are dropped, and the worst of these becomes the bound for what follows.
#include <algorithm>
#include <cstring>

#include "errors.h"
#include "library.h"
#include "order_keys.h"
#include "rows.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr int64_t kBlock = 16;          // elements compared with the bound at a time
constexpr int64_t kTaskWork = 1 << 15;  // elements that make a task
constexpr double kNanoseconds = 0.3;    // per element

int64_t capacity(int64_t length, int64_t k) { return std::min(length, 2 * k + kBlock); }

// Whether any of kBlock elements may come before the bound. NaN may.
template <class V>
bool any_before(const V* x, V bound, bool largest) {
  int found = 0;
  if (largest) {
    for (int64_t i = 0; i < kBlock; ++i) found |= !(x[i] <= bound);
  } else {
    for (int64_t i = 0; i < kBlock; ++i) found |= !(x[i] >= bound);
  }
  return found != 0;
}

template <class Keys>
struct Selection {
  using T = typename Keys::Bits;
  using V = typename Keys::Value;

  Keys keys;
  int64_t k, room;
  bool largest;
  Record<T>* records;
  int64_t count = 0;
  T bound = 0;       // of keys, once k records are known
  T bound_bits = 0;  // an element that has it

  void add(const T* x, int64_t stride, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T bits = x[i * stride];
      const T key = keys.key(bits);
      records[count] = Record<T>(key, i);
      count += key < bound;  // without a branch on data, which cannot be predicted
      if (count == room) keep_best(x, stride);
    }
  }

  void keep_best(const T* x, int64_t stride) {
    if (count > k) std::nth_element(records, records + k - 1, records + count);
    count = k;
    bound = records[k - 1].key();
    bound_bits = x[records[k - 1].position() * stride];
  }

  void scan(const T* x, int64_t stride, int64_t length) {
    for (; count < room; ++count) records[count] = Record<T>(keys.key(x[count * stride]), count);
    keep_best(x, stride);
    int64_t i = room;
    if constexpr (Keys::kComparable) {
      V value;
      for (; stride == 1 && i + kBlock <= length; i += kBlock) {
        std::memcpy(&value, &bound_bits, sizeof(V));
        if (any_before(reinterpret_cast<const V*>(x) + i, value, largest)) {
          add(x, 1, i, i + kBlock);
        }
      }
    }
    add(x, stride, i, length);
    if (count > k) keep_best(x, stride);
    std::sort(records, records + k);
  }
};

template <class Keys>
void select_row(const RoutineCall& call, Keys keys, const Rows& x, const Rows& best, int64_t row,
                char* memory) {
  using T = typename Keys::Bits;
  const T* from = reinterpret_cast<const T*>(call.pointers[0]) + x.offset(row);
  const int64_t k = best.length, place = best.offset(row);
  Selection<Keys> selection{keys, k, capacity(x.length, k), call.geometry.dims[2] != 0,
                            reinterpret_cast<Record<T>*>(memory)};
  selection.scan(from, x.stride, x.length);
  T* values = reinterpret_cast<T*>(call.pointers[1]) + place;
  int64_t* indices = reinterpret_cast<int64_t*>(call.pointers[2]) + place;
  for (int64_t i = 0; i < k; ++i) {
    const int64_t position = selection.records[i].position();
    values[i * best.stride] = from[position * x.stride];
    indices[i * best.stride] = position;
  }
}

size_t row_bytes(const RoutineGeometry& g) {
  const Rows x(*g.operands[0].layout, g.dims[0]);
  const size_t each =
      itemsize(g.operands[0].dtype) == 8 ? sizeof(Record<uint64_t>) : sizeof(Record<uint32_t>);
  return capacity(x.length, g.dims[1]) * each;
}

int64_t task_count(const RoutineGeometry& g) {
  const Rows x(*g.operands[0].layout, g.dims[0]);
  return row_tasks(x.count(), x.length, kTaskWork, row_bytes(g));
}

bool prepare(const RoutineGeometry& g, RoutinePlan& plan) {
  const bool fits = g.operands.size() == 3 && g.dims.size() == 3 &&
                    g.operands[1].dtype == g.operands[0].dtype &&
                    g.operands[2].dtype == DType::kInt64 && !info(g.operands[0].dtype).complex &&
                    g.operands[1].layout->contiguous && g.operands[2].layout->contiguous &&
                    same_sizes(*g.operands[1].layout, *g.operands[2].layout);
  if (!fits) {
    raise("ValueError", "topk: operands are x, values, indices; the plan gives others");
    return false;
  }
  const Rows x(*g.operands[0].layout, g.dims[0]);
  if (x.length > kMaxPosition) {
    raise("RangeError", "topk: a row has at most 2**32 - 1 elements; got %lld; split the tensor",
          static_cast<long long>(x.length));
    return false;
  }
  if (g.dims[1] < 0 || g.dims[1] > x.length) {
    raise("RangeError",
          "topk: k must lie in 0 … %lld, the size of dim %lld; got %lld; use a "
          "smaller k",
          static_cast<long long>(x.length), static_cast<long long>(g.dims[0]),
          static_cast<long long>(g.dims[1]));
    return false;
  }
  if (g.operands[1].layout->numel) plan.workspace = task_count(g) * row_bytes(g);
  plan.nanoseconds = kNanoseconds * static_cast<double>(g.operands[0].layout->numel);
  return true;
}

void execute(const RoutineCall& call) {
  const RoutineGeometry& g = call.geometry;
  if (g.operands[1].layout->numel == 0) return;
  const Rows x(*g.operands[0].layout, g.dims[0]), best(*g.operands[1].layout, g.dims[0]);
  const int64_t tasks = task_count(g);
  const size_t bytes = row_bytes(g);
  with_order_keys(g.operands[0].dtype, g.dims[2] != 0, [&](auto keys) {
    parallel_for(tasks, [&](int64_t task) {
      const int64_t end = (task + 1) * x.count() / tasks;
      for (int64_t row = task * x.count() / tasks; row < end; ++row) {
        select_row(call, keys, x, best, row, call.workspace + task * bytes);
      }
    });
  });
}

const RegisterRoutine registered(
    {.name = "topk", .prepare = prepare, .execute = execute, .inputs = 1});

}  // namespace

}  // namespace gleed
