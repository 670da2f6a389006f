// The routine "nonzero": the positions of the elements that are not zero, in row-major order.
//
// operands: x, result (int64, dynamic). The first dim cell tells how positions lie in the result:
// 0: [count, ndim], one position per row; 1: [ndim, count], one row per axis.
#include <algorithm>

#include "errors.h"
#include "library.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr int64_t kChunk = 1 << 16;   // elements that one task looks at
constexpr double kNanoseconds = 0.4;  // per element

int64_t chunk_count(const Layout& x) { return (x.numel + kChunk - 1) / kChunk; }

// Calls f(pointer, stride, count, at) for stretches along the last axis which make up the elements
// begin … end; `at` holds the indices of the first, `stride` is in elements.
template <class T, class F>
void stretches(const Layout& x, const char* data, int64_t begin, int64_t end, F&& f) {
  const T* base = reinterpret_cast<const T*>(data);
  int64_t at[kMaxDims] = {};
  if (x.ndim == 0) return f(base, int64_t{0}, end - begin, at);
  int64_t rest = begin;
  const int last = x.ndim - 1;
  for (int a = last; a >= 0; --a) {
    at[a] = rest % x.sizes[a];
    rest /= x.sizes[a];
  }
  while (begin < end) {
    const T* first = base;
    for (int a = 0; a < x.ndim; ++a) first += at[a] * x.strides[a];
    const int64_t count = std::min(end - begin, x.sizes[last] - at[last]);
    f(first, x.strides[last], count, at);
    begin += count;
    at[last] = 0;
    for (int a = last - 1; a >= 0 && ++at[a] == x.sizes[a]; --a) at[a] = 0;
  }
}

// The bits of an element that are zero exactly if it is: all but the sign of floating-point zero.
template <class T>
T significant(const RoutineOperand& x) {
  const T all = static_cast<T>(~T{0});
  return info(x.dtype).floating ? static_cast<T>(all >> 1) : all;
}

template <class T>
int64_t count_stretch(const T* x, int64_t stride, int64_t count, T mask) {
  int64_t found = 0;
  if (stride == 1) {
    for (int64_t i = 0; i < count; ++i) found += (x[i] & mask) != 0;
  } else {
    for (int64_t i = 0; i < count; ++i) found += (x[i * stride] & mask) != 0;
  }
  return found;
}

template <class T>
void count_chunks(const RoutineCall& call) {
  const RoutineOperand& x = call.geometry.operands[0];
  const T mask = significant<T>(x);
  int64_t* counts = reinterpret_cast<int64_t*>(call.workspace);
  parallel_for(chunk_count(*x.layout), [&](int64_t chunk) {
    int64_t found = 0;
    const int64_t begin = chunk * kChunk;
    stretches<T>(*x.layout, call.pointers[0], begin, std::min(begin + kChunk, x.layout->numel),
                 [&](const T* p, int64_t stride, int64_t count, const int64_t*) {
                   found += count_stretch(p, stride, count, mask);
                 });
    counts[chunk] = found;
  });
}

// Where positions are written.
struct Positions {
  int64_t* out;
  int64_t next, axis;  // steps from one position to the next, from one axis to the next
  int ndim;
};

// Writes the positions of a stretch and returns how many there are. Every element is written, and
// the next one over it unless it counts: that costs less than branches which cannot be predicted.
template <class T>
int64_t write_last(const T* x, int64_t stride, int64_t count, T mask, int64_t start,
                   const Positions& to, int64_t* out, int64_t room) {
  const int64_t offset = (to.ndim - 1) * to.axis;
  int64_t found = 0;
  for (int64_t i = 0; i < count && found < room; ++i) {
    out[found * to.next + offset] = start + i;
    found += (x[i * stride] & mask) != 0;
  }
  return found;
}

template <class T>
void write_chunk(const RoutineCall& call, int64_t chunk, Positions to, int64_t room) {
  const RoutineOperand& x = call.geometry.operands[0];
  const T mask = significant<T>(x);
  const int64_t begin = chunk * kChunk;
  stretches<T>(*x.layout, call.pointers[0], begin, std::min(begin + kChunk, x.layout->numel),
               [&](const T* p, int64_t stride, int64_t count, const int64_t* at) {
                 if (to.ndim == 0 || room == 0) return;
                 const int64_t found =
                     write_last(p, stride, count, mask, at[to.ndim - 1], to, to.out, room);
                 for (int a = 0; a < to.ndim - 1; ++a) {
                   int64_t* column = to.out + a * to.axis;
                   for (int64_t i = 0; i < found; ++i) column[i * to.next] = at[a];
                 }
                 to.out += found * to.next;
                 room -= found;
               });
}

template <class T>
void write_chunks(const RoutineCall& call) {
  const int64_t* counts = reinterpret_cast<const int64_t*>(call.workspace);
  const Layout& x = *call.geometry.operands[0].layout;
  const int64_t chunks = chunk_count(x);
  int64_t* starts = reinterpret_cast<int64_t*>(call.workspace) + chunks;
  int64_t total = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    starts[chunk] = total;
    total += counts[chunk];
  }
  const bool by_axis = call.geometry.dims[0] != 0;
  Positions to = {reinterpret_cast<int64_t*>(call.pointers[1]), by_axis ? 1 : x.ndim,
                  by_axis ? total : 1, x.ndim};
  parallel_for(chunks, [&](int64_t chunk) {
    Positions mine = to;
    mine.out += starts[chunk] * to.next;
    write_chunk<T>(call, chunk, mine, counts[chunk]);
  });
}

bool prepare(const RoutineGeometry& g, RoutinePlan& plan) {
  const bool fits = g.operands.size() == 2 && g.dims.size() == 1 &&
                    g.operands[1].dtype == DType::kInt64 && g.operands[1].layout->ndim == 2 &&
                    !info(g.operands[0].dtype).complex;
  if (!fits) {
    raise("ValueError", "nonzero: operands are x and [count, ndim]; the plan gives others");
    return false;
  }
  const Layout& x = *g.operands[0].layout;
  plan.workspace = 2 * chunk_count(x) * sizeof(int64_t);
  plan.nanoseconds = kNanoseconds * static_cast<double>(x.numel);
  return true;
}

// Calls f with a value of the unsigned type as wide as the elements.
template <class F>
void by_width(const RoutineCall& call, F&& f) {
  switch (itemsize(call.geometry.operands[0].dtype)) {
    case 1:
      return f(uint8_t{});
    case 2:
      return f(uint16_t{});
    case 4:
      return f(uint32_t{});
    default:
      return f(uint64_t{});
  }
}

void measure(const RoutineCall& call, int64_t* sizes) {
  by_width(call, [&](auto width) { count_chunks<decltype(width)>(call); });
  const Layout& x = *call.geometry.operands[0].layout;
  const int64_t* counts = reinterpret_cast<const int64_t*>(call.workspace);
  int64_t total = 0;
  for (int64_t chunk = 0; chunk < chunk_count(x); ++chunk) total += counts[chunk];
  const bool by_axis = call.geometry.dims[0] != 0;
  sizes[by_axis] = total;
  sizes[!by_axis] = x.ndim;
}

void execute(const RoutineCall& call) {
  by_width(call, [&](auto width) { write_chunks<decltype(width)>(call); });
}

const RegisterRoutine registered(
    {.name = "nonzero", .prepare = prepare, .execute = execute, .dynamic = 1, .measure = measure});

}  // namespace

}  // namespace gleed
