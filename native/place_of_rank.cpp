// The routine "place_of_rank": where along one axis the element is that has a given rank, counted
// from 0 in order. Among equals, those that come first have the lower ranks, as `sort` has them.
//
// operands: x, ranks (int64, one for every row), places (int64). dims: axis.
//
// Keys are divided into those before and those after a pivot, and the part that has the rank is
// divided again. Without branches on data, which cannot be predicted.
#include <algorithm>
#include <utility>

#include "errors.h"
#include "library.h"
#include "order_keys.h"
#include "rows.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr int64_t kSamples = 9;         // of which one becomes the pivot
constexpr int64_t kFew = 16;            // keys that are not worth sampling
constexpr int kRounds = 40;             // far more than keys in any usual order take
constexpr int64_t kBlock = 64;          // elements searched for the key at a time
constexpr int64_t kTaskWork = 1 << 14;  // elements that make a task
constexpr double kNanoseconds = 2.5;    // per element

// A key that has probably a rank near `rank`.
template <class T>
T choose_pivot(const T* keys, int64_t count, int64_t rank) {
  T samples[kSamples];
  for (int64_t i = 0; i < kSamples; ++i) samples[i] = keys[(2 * i + 1) * count / (2 * kSamples)];
  std::sort(samples, samples + kSamples);
  return samples[rank * kSamples / count];
}

// The key of a rank, and how many are smaller. Both arrays have room for all, and are overwritten.
template <class T>
std::pair<T, int64_t> select(T* keys, T* spare, int64_t count, int64_t rank) {
  int64_t passed = 0;
  for (int round = 0; count > kFew && round < kRounds; ++round) {
    const T pivot = choose_pivot(keys, count, rank - passed);
    int64_t before = 0, after = 0;
    for (int64_t i = 0; i < count; ++i) {
      const T key = keys[i];
      keys[before] = key;
      spare[after] = key;
      before += key < pivot;
      after += key > pivot;
    }
    if (rank - passed < before) {
      count = before;
    } else if (rank - passed < count - after) {
      return {pivot, passed + before};
    } else {
      passed += count - after;
      count = after;
      std::swap(keys, spare);
    }
  }
  std::nth_element(keys, keys + (rank - passed), keys + count);
  const T key = keys[rank - passed];
  return {key, passed + std::count_if(keys, keys + count, [=](T other) { return other < key; })};
}

template <class Keys>
struct Finder {
  using T = typename Keys::Bits;

  Keys keys;
  const T* x;
  int64_t stride, length;

  int64_t place(int64_t rank, T* memory) const {
    for (int64_t i = 0; i < length; ++i) memory[i] = keys.key(x[i * stride]);
    const auto [found, smaller] = select(memory, memory + length, length, rank);
    int64_t equals = rank - smaller;  // that come before it
    for (int64_t i = 0;; i += kBlock) {
      const int64_t end = std::min(i + kBlock, length);
      int64_t here = 0;
      for (int64_t j = i; j < end; ++j) here += keys.key(x[j * stride]) == found;
      if (here <= equals) {
        equals -= here;
        continue;
      }
      for (int64_t j = i;; ++j) {
        if (keys.key(x[j * stride]) == found && equals-- == 0) return j;
      }
    }
  }
};

size_t row_bytes(const RoutineGeometry& g) {
  const Rows x(*g.operands[0].layout, g.dims[0]);
  return (2 * x.length * itemsize(g.operands[0].dtype) + 63) / 64 * 64;
}

int64_t task_count(const RoutineGeometry& g) {
  const Rows x(*g.operands[0].layout, g.dims[0]);
  return row_tasks(x.count(), x.length, kTaskWork, row_bytes(g));
}

bool prepare(const RoutineGeometry& g, RoutinePlan& plan) {
  const bool fits = g.operands.size() == 3 && g.dims.size() == 1 &&
                    !info(g.operands[0].dtype).complex && g.operands[1].dtype == DType::kInt64 &&
                    g.operands[2].dtype == DType::kInt64 &&
                    same_sizes(*g.operands[1].layout, *g.operands[2].layout) &&
                    g.operands[2].layout->contiguous &&
                    g.operands[2].layout->numel == Rows(*g.operands[0].layout, g.dims[0]).count() &&
                    (g.operands[0].layout->numel > 0 || g.operands[2].layout->numel == 0);
  if (!fits) {
    raise("ValueError", "place_of_rank: operands are x, ranks, places; the plan gives others");
    return false;
  }
  plan.workspace = task_count(g) * row_bytes(g);
  plan.nanoseconds = kNanoseconds * static_cast<double>(g.operands[0].layout->numel);
  return true;
}

void execute(const RoutineCall& call) {
  const RoutineGeometry& g = call.geometry;
  const int64_t axis = g.dims[0];
  const Rows x(*g.operands[0].layout, axis), ranks(*g.operands[1].layout, axis);
  const int64_t tasks = task_count(g);
  const size_t bytes = row_bytes(g);
  with_order_keys(g.operands[0].dtype, false, [&](auto keys) {
    using T = typename decltype(keys)::Bits;
    const T* from = reinterpret_cast<const T*>(call.pointers[0]);
    const int64_t* wanted = reinterpret_cast<const int64_t*>(call.pointers[1]);
    int64_t* places = reinterpret_cast<int64_t*>(call.pointers[2]);
    parallel_for(tasks, [&](int64_t task) {
      T* memory = reinterpret_cast<T*>(call.workspace + task * bytes);
      const int64_t end = (task + 1) * x.count() / tasks;
      for (int64_t row = task * x.count() / tasks; row < end; ++row) {
        const Finder<decltype(keys)> finder{keys, from + x.offset(row), x.stride, x.length};
        const int64_t rank = std::clamp<int64_t>(wanted[ranks.offset(row)], 0, x.length - 1);
        places[row] = finder.place(rank, memory);
      }
    });
  });
}

const RegisterRoutine registered({.name = "place_of_rank", .prepare = prepare, .execute = execute});

}  // namespace

}  // namespace gleed
