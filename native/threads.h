// One pool of threads. Work is divided by sizes only, never by the number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace gleed {

int thread_count();
void set_thread_count(int count);

// Calls body(context, task) for every task in [0, tasks), on up to thread_count() threads; returns
// when all are done. Survives fork (the child starts a pool of its own). Nested calls run inline.
void run_tasks(int64_t tasks, void (*body)(void* context, int64_t task), void* context);

template <class F>
void parallel_for(int64_t tasks, F&& f) {
  if (tasks == 1) return f(int64_t{0});
  run_tasks(
      tasks, [](void* c, int64_t t) { (*static_cast<std::remove_reference_t<F>*>(c))(t); },
      const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

}  // namespace gleed
