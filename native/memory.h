// Pooled storages. Blocks are 64-byte aligned, kept in size classes and handed out again, so a
// steady training loop asks the operating system for nothing. Everything here is called with the
// GIL held.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gleed {

// Memory shared by tensors. Counted under the GIL: code that runs without it (kernels) never keeps
// or drops a storage; the caller holds one reference for it.
struct Storage {
  int32_t refs = 1;
  uint32_t version = 0;  // raised by every in-place write; shared by all views
  uint64_t serial = 0;   // no other storage ever has the same
  char* data = nullptr;
  size_t nbytes = 0;
  // Memory that is not the pool's (NumPy arrays, DLPack, mapped files): called once with `owner`.
  void (*release)(void* owner) = nullptr;
  void* owner = nullptr;
  bool read_only = false;
  uint32_t mark = 0;  // of whoever looks for tensors that share it (captured.cpp)

  // The pool's own.
  uint8_t size_class = 0;
  size_t capacity = 0;          // bytes of the block; 0: not the pool's
  Storage* previous = nullptr;  // live or idle big storages, or free small ones
  Storage* next = nullptr;
};

// Uninitialised pooled storage of at least `nbytes`. Raises gleed.OutOfMemoryError (as a Python
// exception; returns nullptr) when the limit or the system refuses.
Storage* allocate(size_t nbytes);
Storage* wrap(char* data, size_t nbytes, void (*release)(void*), void* owner);
void destroy(Storage* storage);  // called by drop() on the last reference

inline Storage* keep(Storage* storage) {
  ++storage->refs;
  return storage;
}
inline void drop(Storage* storage) {
  if (--storage->refs == 0) destroy(storage);
}

struct MemoryStats {
  int64_t allocated;           // bytes in use by tensors
  int64_t peak;                // the most that `allocated` was since reset_peak_memory()
  int64_t reserved;            // bytes held from the system, in use or not
  int64_t limit;               // the most that may be reserved
  int64_t allocations;         // storages handed out so far
  int64_t system_allocations;  // times the system was asked
};
MemoryStats memory_stats();
void reset_peak_memory();
void set_memory_limit(int64_t bytes);  // < 0: what the machine has, which is the default
void release_cached_memory();

}  // namespace gleed
