// The routine "sort": rows in order along one axis, stable, with the position of every element.
//
// operands: x, values, indices (int64). dims: axis, descending.
//
// Elements become keys whose unsigned order is theirs. Short rows are sorted by insertion, others
// by least-significant-digit radix sort, whose result is the same however the work is divided.
#include <algorithm>
#include <cstring>

#include "errors.h"
#include "library.h"
#include "order_keys.h"
#include "rows.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr int64_t kRun = 8;           // elements that are sorted by insertion
constexpr int64_t kMerged = 100;      // rows up to this length are merged from such runs
constexpr int64_t kNarrow = 1 << 13;  // and up to this one by narrow digits
constexpr int kNarrowBits = 8, kWideBits = 11;
constexpr int64_t kShared = 1 << 17;  // rows from this length on are divided among threads
constexpr int64_t kChunk = 1 << 15;   // elements of a chunk of such a row, at least
constexpr int64_t kMaxChunks = 16;
constexpr int64_t kTaskWork = 1 << 12;  // elements that make a task of whole rows
constexpr double kNanoseconds = 12;     // per element

int64_t chunk_count(int64_t length) {
  return length < kShared ? 1 : std::min(kMaxChunks, length / kChunk);
}

// The memory that sorting one row takes.
template <class T>
struct Scratch {
  Record<T>*records, *spare;
  uint32_t* counts;  // per chunk, per digit

  static size_t bytes(int64_t length) {
    const size_t counts = (chunk_count(length) * sizeof(uint32_t)) << kWideBits;
    return 2 * length * sizeof(Record<T>) + (length <= kMerged ? 0 : counts) + 64;
  }
  Scratch(char* memory, int64_t length) {
    records = reinterpret_cast<Record<T>*>(memory);
    spare = records + length;
    counts = reinterpret_cast<uint32_t*>(spare + length);
  }
};

template <class T>
void insertion_sort(Record<T>* records, int64_t length) {
  for (int64_t i = 1; i < length; ++i) {
    const Record<T> record = records[i];
    int64_t j = i;
    for (; j > 0 && record < records[j - 1]; --j) records[j] = records[j - 1];
    records[j] = record;
  }
}

// Merges two runs that lie one after another. Without branches on data, which cannot be predicted.
template <class T>
void merge(const Record<T>* a, const Record<T>* b, const Record<T>* end, Record<T>* out) {
  const Record<T>* middle = b;
  while (a < middle && b < end) {
    const Record<T> x = *a, y = *b;
    const bool second = y < x;
    *out++ = second ? y : x;
    a += !second;
    b += second;
  }
  std::copy(b, end, std::copy(a, middle, out));
}

template <class T>
void merge_sort(Scratch<T>& scratch, int64_t length) {
  for (int64_t i = 0; i < length; i += kRun) {
    insertion_sort(scratch.records + i, std::min(kRun, length - i));
  }
  for (int64_t run = kRun; run < length; run *= 2) {
    for (int64_t i = 0; i < length; i += 2 * run) {
      const int64_t middle = std::min(i + run, length), end = std::min(i + 2 * run, length);
      merge(scratch.records + i, scratch.records + middle, scratch.records + end,
            scratch.spare + i);
    }
    std::swap(scratch.records, scratch.spare);
  }
}

// Turns counts into the places where each chunk puts its first record of each digit. Whether all
// records have one digit, so that they are in order already.
bool places_from_counts(uint32_t* counts, int64_t chunks, int64_t digits, int64_t length) {
  uint32_t next = 0;
  for (int64_t digit = 0; digit < digits; ++digit) {
    const uint32_t first = next;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      uint32_t& count = counts[chunk * digits + digit];
      const uint32_t place = next;
      next += count;
      count = place;
    }
    if (next - first == length) return true;
  }
  return false;
}

template <int kBits, class T>
void radix_sort(Scratch<T>& scratch, int64_t length) {
  constexpr int64_t kDigits = int64_t{1} << kBits;
  constexpr T kMask = static_cast<T>(kDigits - 1);
  const int64_t chunks = chunk_count(length);
  const auto begin = [&](int64_t chunk) { return chunk * length / chunks; };
  for (int shift = 0; shift < std::numeric_limits<T>::digits; shift += kBits) {
    std::memset(scratch.counts, 0, chunks * kDigits * sizeof(uint32_t));
    parallel_for(chunks, [&](int64_t chunk) {
      uint32_t* counts = scratch.counts + chunk * kDigits;
      for (int64_t i = begin(chunk); i < begin(chunk + 1); ++i) {
        ++counts[scratch.records[i].key() >> shift & kMask];
      }
    });
    if (places_from_counts(scratch.counts, chunks, kDigits, length)) continue;
    parallel_for(chunks, [&](int64_t chunk) {
      uint32_t* places = scratch.counts + chunk * kDigits;
      for (int64_t i = begin(chunk); i < begin(chunk + 1); ++i) {
        const Record<T> record = scratch.records[i];
        scratch.spare[places[record.key() >> shift & kMask]++] = record;
      }
    });
    std::swap(scratch.records, scratch.spare);
  }
}

template <class T>
void sort_records(Scratch<T>& scratch, int64_t length) {
  if (length <= kMerged) {
    merge_sort(scratch, length);
  } else if (sizeof(T) <= 2 || length <= kNarrow) {
    radix_sort<kNarrowBits>(scratch, length);
  } else {
    radix_sort<kWideBits>(scratch, length);
  }
}

template <class Keys>
struct Sorter {
  using T = typename Keys::Bits;

  const RoutineCall& call;
  Keys keys;
  Rows x, sorted;

  void row(int64_t number, char* memory) const {
    const T* from = reinterpret_cast<const T*>(call.pointers[0]) + x.offset(number);
    const int64_t place = sorted.offset(number);
    T* values = reinterpret_cast<T*>(call.pointers[1]) + place;
    int64_t* indices = reinterpret_cast<int64_t*>(call.pointers[2]) + place;
    Scratch<T> scratch(memory, x.length);
    each_chunk([&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        scratch.records[i] = Record<T>(keys.key(from[i * x.stride]), i);
      }
    });
    sort_records(scratch, x.length);
    each_chunk([&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T key = scratch.records[i].key();
        const int64_t position = scratch.records[i].position();
        const bool exact = keys.exact(key);
        values[i * sorted.stride] = exact ? keys.bits(key) : from[position * x.stride];
        indices[i * sorted.stride] = position;
      }
    });
  }

 private:
  template <class F>
  void each_chunk(F&& f) const {
    const int64_t chunks = chunk_count(x.length);
    parallel_for(chunks, [&](int64_t chunk) {
      f(chunk * x.length / chunks, (chunk + 1) * x.length / chunks);
    });
  }
};

size_t row_bytes(const RoutineGeometry& g) {
  const Rows rows(*g.operands[0].layout, g.dims[0]);
  return itemsize(g.operands[0].dtype) == 8 ? Scratch<uint64_t>::bytes(rows.length)
                                            : Scratch<uint32_t>::bytes(rows.length);
}

int64_t task_count(const RoutineGeometry& g) {
  const Rows rows(*g.operands[0].layout, g.dims[0]);
  if (chunk_count(rows.length) > 1) return 1;
  return row_tasks(rows.count(), rows.length, kTaskWork, row_bytes(g));
}

bool prepare(const RoutineGeometry& g, RoutinePlan& plan) {
  const bool fits = g.operands.size() == 3 && g.dims.size() == 2 &&
                    g.operands[1].dtype == g.operands[0].dtype &&
                    g.operands[2].dtype == DType::kInt64 && !info(g.operands[0].dtype).complex &&
                    same_sizes(*g.operands[0].layout, *g.operands[1].layout) &&
                    g.operands[1].layout->contiguous && g.operands[2].layout->contiguous;
  if (!fits) {
    raise("ValueError", "sort: operands are x, values, indices; the plan gives others");
    return false;
  }
  const Rows rows(*g.operands[0].layout, g.dims[0]);
  if (rows.length > kMaxPosition) {
    raise("RangeError", "sort: a row has at most 2**32 - 1 elements; got %lld; split the tensor",
          static_cast<long long>(rows.length));
    return false;
  }
  if (rows.length && rows.count()) plan.workspace = task_count(g) * row_bytes(g);
  plan.nanoseconds = kNanoseconds * static_cast<double>(g.operands[0].layout->numel);
  return true;
}

void execute(const RoutineCall& call) {
  const RoutineGeometry& g = call.geometry;
  if (g.operands[0].layout->numel == 0) return;
  const Rows x(*g.operands[0].layout, g.dims[0]), sorted(*g.operands[1].layout, g.dims[0]);
  const int64_t tasks = task_count(g);
  const size_t bytes = row_bytes(g);
  with_order_keys(g.operands[0].dtype, g.dims[1] != 0, [&](auto keys) {
    const Sorter<decltype(keys)> sorter{call, keys, x, sorted};
    parallel_for(tasks, [&](int64_t task) {
      const int64_t end = (task + 1) * x.count() / tasks;
      for (int64_t row = task * x.count() / tasks; row < end; ++row) {
        sorter.row(row, call.workspace + task * bytes);
      }
    });
  });
}

const RegisterRoutine registered(
    {.name = "sort", .prepare = prepare, .execute = execute, .inputs = 1});

}  // namespace

}  // namespace gleed
