// Pooled storages. Blocks are 64-byte aligned, kept in size classes and handed out again, so a steady
// training loop asks the operating system for nothing.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace gleed {

struct Storage {
  std::atomic<int32_t> refs{1};
  uint32_t version = 0;  // raised by every in-place write; shared by all views
  char* data = nullptr;
  size_t nbytes = 0;
  // Memory that is not the pool's (NumPy arrays, DLPack, mapped files): called once with `owner`.
  void (*release)(void* owner) = nullptr;
  void* owner = nullptr;
  bool read_only = false;
};

// Uninitialised pooled storage of at least `nbytes`. Raises gleed.OutOfMemoryError (as a Python
// exception; returns nullptr) when the limit or the system refuses. The GIL is held.
Storage* allocate(size_t nbytes);
Storage* wrap(char* data, size_t nbytes, void (*release)(void*), void* owner);
void destroy(Storage* storage);  // called by drop() on the last reference

inline Storage* keep(Storage* storage) {
  storage->refs.fetch_add(1, std::memory_order_relaxed);
  return storage;
}
inline void drop(Storage* storage) {
  if (storage->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(storage);
}

struct MemoryStats {
  int64_t allocated, peak, reserved, limit, allocations, system_allocations;
};
MemoryStats memory_stats();
void reset_peak_memory();
void set_memory_limit(int64_t bytes);  // < 0: none
void release_cached_memory();

}  // namespace gleed
