#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#include "errors.h"

namespace gleed {
namespace {

constexpr size_t kUnit = 64;  // alignment, and the smallest block
constexpr size_t kArenaBytes = size_t{1} << 18;
constexpr size_t kArenaBlock = size_t{1} << 15;  // blocks up to this size are carved from arenas
constexpr size_t kBig = size_t{1} << 21;         // from here on blocks are mapped, with huge pages
constexpr size_t kBigStep = size_t{1} << 16;
constexpr int kClasses = 56;
constexpr uint8_t kBigClass = 255;

// Classes of 1, 2, 3 and 4 units, then four per power of two.
inline int size_class(size_t nbytes) {
  const size_t units = nbytes <= kUnit ? 1 : (nbytes + kUnit - 1) / kUnit;
  if (units <= 4) return static_cast<int>(units) - 1;
  const int power = std::bit_width(units - 1) - 1;
  const size_t quarter = (units - 1 - (size_t{1} << power)) >> (power - 2);
  return 4 + (power - 2) * 4 + static_cast<int>(quarter);
}

inline size_t class_bytes(int size_class) {
  if (size_class < 4) return (size_class + 1) * kUnit;
  const int power = (size_class - 4) / 4 + 2, quarter = (size_class - 4) % 4;
  return ((size_t{1} << power) + (quarter + 1) * (size_t{1} << (power - 2))) * kUnit;
}

// A doubly linked list through Storage::previous and next.
struct List {
  Storage* first = nullptr;

  void push(Storage* s) {
    s->previous = nullptr;
    s->next = first;
    if (first) first->previous = s;
    first = s;
  }
  void remove(Storage* s) {
    (s->previous ? s->previous->next : first) = s->next;
    if (s->next) s->next->previous = s->previous;
  }
};

Storage* free_blocks[kClasses];  // singly linked
Storage* free_headers;           // Storage objects without memory, singly linked
List idle_big, live_big;
char* arena;  // the rest of the newest arena
size_t arena_left;
MemoryStats stats{0, 0, 0, -1, 0, 0};
uint64_t storages = 0;  // made so far

int64_t read_number(const char* path) {
  long long number = -1;
  if (FILE* file = std::fopen(path, "r")) {
    if (std::fscanf(file, "%lld", &number) != 1) number = -1;  // "max"
    std::fclose(file);
  }
  return number;
}

// What this process can have at most: physical memory, or less in a container.
int64_t machine_memory() {
  int64_t bytes = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  for (const char* path :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const int64_t limit = read_number(path);
    if (limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes;
}

int64_t limit() {
  if (stats.limit < 0) stats.limit = machine_memory();
  return stats.limit;
}

Storage* new_header() {
  if (Storage* s = free_headers) {
    free_headers = s->next;
    return new (s) Storage();
  }
  return new (std::nothrow) Storage();
}

void free_header(Storage* s) {
  s->next = free_headers;
  free_headers = s;
}

// Memory aligned to huge pages: more is mapped than needed, and what sticks out is given back.
char* map_big(size_t bytes) {
  void* raw =
      mmap(nullptr, bytes + kBig, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  char* start = static_cast<char*>(raw);
  char* data = start + (-reinterpret_cast<uintptr_t>(start) & (kBig - 1));
  if (data > start) munmap(start, data - start);
  munmap(data + bytes, start + kBig - data);
#ifdef MADV_HUGEPAGE
  madvise(data, bytes, MADV_HUGEPAGE);
#endif
  return data;
}

// Asks the system for a block, within the limit. `map` is what to ask with.
template <class Map>
char* reserve(size_t bytes, Map map) {
  const auto fits = [&] {
    return bytes <= static_cast<size_t>(std::max<int64_t>(limit() - stats.reserved, 0));
  };
  if (!fits()) release_cached_memory();
  if (!fits()) return nullptr;
  char* data = map(bytes);
  if (!data) {
    release_cached_memory();
    data = map(bytes);
  }
  if (data) {
    stats.reserved += static_cast<int64_t>(bytes);
    ++stats.system_allocations;
  }
  return data;
}

char* aligned(size_t bytes) { return static_cast<char*>(std::aligned_alloc(kUnit, bytes)); }

char* carve(size_t bytes) {
  if (bytes > arena_left) {
    char* fresh = reserve(kArenaBytes, aligned);
    if (!fresh) return nullptr;
    arena = fresh;
    arena_left = kArenaBytes;
  }
  char* block = arena;
  arena += bytes;
  arena_left -= bytes;
  return block;
}

Storage* new_block(size_t capacity, uint8_t size_class) {
  Storage* s = new_header();
  if (!s) return nullptr;
  s->data = size_class == kBigClass   ? reserve(capacity, map_big)
            : capacity <= kArenaBlock ? carve(capacity)
                                      : reserve(capacity, aligned);
  if (!s->data) {
    free_header(s);
    return nullptr;
  }
  s->size_class = size_class;
  s->capacity = capacity;
  return s;
}

// The idle block that wastes least, if the waste is bearable; otherwise a new one.
Storage* take_big(size_t nbytes) {
  Storage* best = nullptr;
  for (Storage* s = idle_big.first; s; s = s->next) {
    if (s->capacity >= nbytes && (!best || s->capacity < best->capacity)) best = s;
  }
  if (best && best->capacity - nbytes <= nbytes / 4 + kBig) {
    idle_big.remove(best);
    return best;
  }
  return new_block((nbytes + kBigStep - 1) / kBigStep * kBigStep, kBigClass);
}

std::string readable(double bytes) {
  const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  int unit = 0;
  for (; bytes >= 1024 && unit < 6; ++unit) bytes /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
  return text;
}

// "; the largest: 2 × 400.0 MiB, 1 × 80.0 MiB", or nothing.
std::string largest_live() {
  std::string text;
  size_t below = SIZE_MAX;
  for (int line = 0; line < 5; ++line) {
    size_t size = 0, number = 0;
    for (Storage* s = live_big.first; s; s = s->next) {
      if (s->nbytes >= below || s->nbytes < size) continue;
      number = s->nbytes == size ? number + 1 : 1;
      size = s->nbytes;
    }
    if (number == 0) break;
    text += (line ? ", " : "; the largest: ") + std::to_string(number) + " × " +
            readable(static_cast<double>(size));
    below = size;
  }
  return text;
}

Storage* refuse(size_t nbytes) {
  const std::string asked = nbytes >= PTRDIFF_MAX ? "more than 8 EiB" : readable(nbytes);
  raise(
      "OutOfMemoryError",
      "memory: not enough for a tensor of %s; tensors hold %s, another %s is cached, the limit is "
      "%s%s; use smaller sizes, or drop tensors that are no longer needed",
      asked.c_str(), readable(stats.allocated).c_str(),
      readable(stats.reserved - stats.allocated).c_str(), readable(limit()).c_str(),
      largest_live().c_str());
  return nullptr;
}

}  // namespace

Storage* allocate(size_t nbytes) {
  Storage* s;
  if (nbytes < kBig) {
    const int c = size_class(nbytes);
    s = free_blocks[c];
    if (s) {
      free_blocks[c] = s->next;
    } else {
      s = new_block(class_bytes(c), static_cast<uint8_t>(c));
    }
  } else {
    s = nbytes < PTRDIFF_MAX - 2 * kBig ? take_big(nbytes) : nullptr;
    if (s) live_big.push(s);
  }
  if (!s) return refuse(nbytes);
  s->refs = 1;
  s->version = 0;
  s->serial = ++storages;
  s->nbytes = nbytes;
  s->read_only = false;
  ++stats.allocations;
  stats.allocated += static_cast<int64_t>(s->capacity);
  stats.peak = std::max(stats.peak, stats.allocated);
  return s;
}

Storage* wrap(char* data, size_t nbytes, void (*release)(void*), void* owner) {
  Storage* s = new_header();
  if (!s) {
    PyErr_NoMemory();
    return nullptr;
  }
  s->data = data;
  s->serial = ++storages;
  s->nbytes = nbytes;
  s->release = release;
  s->owner = owner;
  return s;
}

void destroy(Storage* s) {
  if (s->capacity == 0) {
    // The header goes back first: releasing an owner may run any code.
    const auto release = s->release;
    void* owner = s->owner;
    free_header(s);
    if (release) release(owner);
    return;
  }
  stats.allocated -= static_cast<int64_t>(s->capacity);
  if (s->size_class == kBigClass) {
    live_big.remove(s);
    idle_big.push(s);
  } else {
    s->next = free_blocks[s->size_class];
    free_blocks[s->size_class] = s;
  }
}

MemoryStats memory_stats() {
  limit();
  return stats;
}

void reset_peak_memory() { stats.peak = stats.allocated; }

void set_memory_limit(int64_t bytes) { stats.limit = bytes; }

void release_cached_memory() {
  while (Storage* s = idle_big.first) {
    idle_big.remove(s);
    munmap(s->data, s->capacity);
    stats.reserved -= static_cast<int64_t>(s->capacity);
    free_header(s);
  }
  for (int c = kClasses; c-- > 0 && class_bytes(c) > kArenaBlock;) {
    while (Storage* s = free_blocks[c]) {
      free_blocks[c] = s->next;
      std::free(s->data);
      stats.reserved -= static_cast<int64_t>(s->capacity);
      free_header(s);
    }
  }
}

}  // namespace gleed
