#include "threads.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace gleed {

namespace {

constexpr int kMaxThreads = 1024;
constexpr int kSpins = 2000;  // some 20 µs, the time that a sleeping thread needs to wake up

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("yield");
#endif
}

thread_local bool inside_task = false;

// Persistent workers. The gate holds one job at a time: a worker may enter while it is open, and
// the caller, having closed it, waits until everyone has left. So a worker that wakes late finds a
// closed gate and never a job that is gone.
//
// Every thread has a share of neighbouring tasks, the same one in every job of as many tasks: what
// it has in its caches it finds again. Who is through with its own helps with the others'.
class Pool {
 public:
  // False if another thread's job is running.
  bool run(int64_t tasks, void (*body)(void*, int64_t), void* context, int threads) {
    std::unique_lock lock(busy_, std::try_to_lock);
    if (!lock) return false;
    start_workers(threads - 1);
    body_ = body;
    context_ = context;
    shares_used_ = static_cast<int>(std::min<int64_t>(threads, tasks));
    for (int i = 0; i < shares_used_; ++i) {
      shares_[i].next.store(tasks * i / shares_used_, std::memory_order_relaxed);
      shares_[i].end = tasks * (i + 1) / shares_used_;
    }
    gate_.fetch_add(kGeneration | kOpen, std::memory_order_release);
    signal_.fetch_add(1);
    signal_.notify_all();
    work(0);
    gate_.fetch_and(~kOpen, std::memory_order_acq_rel);
    for (int spins = 0; gate_.load(std::memory_order_acquire) & kInside; ++spins) {
      spins < kSpins ? pause() : std::this_thread::yield();
    }
    return true;
  }

 private:
  static constexpr uint64_t kInside = 0xFFFF;  // workers inside
  static constexpr uint64_t kOpen = 1 << 16;
  static constexpr uint64_t kGeneration = 1 << 17;

  struct alignas(64) Share {
    std::atomic<int64_t> next;
    int64_t end;
  };

  void start_workers(int wanted) {
    while (started_ < wanted) {
      std::thread([this, own = ++started_] { serve(own); }).detach();
    }
  }

  void work(int own) {
    inside_task = true;
    for (int i = 0; i < shares_used_; ++i) {
      Share& share = shares_[(own + i) % shares_used_];
      for (;;) {
        const int64_t task = share.next.fetch_add(1, std::memory_order_relaxed);
        if (task >= share.end) break;
        body_(context_, task);
      }
    }
    inside_task = false;
  }

  // What worker number `own`, counted from 1, does all its life.
  void serve(int own) {
    uint64_t done = 0;  // generation of the last job seen
    for (;;) {
      const uint32_t signal = signal_.load();
      if (enter(done)) {
        if (own < shares_used_) work(own);
        gate_.fetch_sub(1, std::memory_order_release);
        continue;
      }
      int spins = 0;
      while (signal_.load(std::memory_order_relaxed) == signal && ++spins < kSpins) pause();
      if (spins == kSpins) signal_.wait(signal);
    }
  }

  // Goes into the current job, if it is open and new to this worker.
  bool enter(uint64_t& done) {
    uint64_t gate = gate_.load(std::memory_order_acquire);
    do {
      if (!(gate & kOpen) || gate / kGeneration == done) return false;
    } while (!gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel));
    done = gate / kGeneration;
    return true;
  }

  std::mutex busy_;
  int started_ = 0;
  void (*body_)(void*, int64_t) = nullptr;
  void* context_ = nullptr;
  int shares_used_ = 0;
  Share shares_[kMaxThreads];
  alignas(64) std::atomic<uint64_t> gate_{0};
  alignas(64) std::atomic<uint32_t> signal_{0};
};

// Never destroyed: sleeping workers refer to it until the process ends. A forked child, in which
// the workers do not exist, begins with a new one.
Pool* pool = nullptr;
int threads = 0;

void start_over() { pool = new Pool; }

int from_environment() {
  for (const char* name : {"GLEED_NUM_THREADS", "OMP_NUM_THREADS"}) {
    const char* text = std::getenv(name);
    if (!text) continue;
    char* end = nullptr;
    const long count = std::strtol(text, &end, 10);
    if (end != text && count > 0) return static_cast<int>(std::min<long>(count, kMaxThreads));
  }
  const int count = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(count, 1, kMaxThreads);
}

const bool prepared = [] {
  threads = from_environment();
  start_over();
  pthread_atfork(nullptr, nullptr, start_over);
  return true;
}();

}  // namespace

int thread_count() { return threads; }
void set_thread_count(int count) { threads = std::clamp(count, 1, kMaxThreads); }

void run_tasks(int64_t tasks, void (*body)(void* context, int64_t task), void* context) {
  if (threads > 1 && tasks > 1 && !inside_task && pool->run(tasks, body, context, threads)) return;
  for (int64_t task = 0; task < tasks; ++task) body(context, task);
}

}  // namespace gleed
