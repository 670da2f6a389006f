// The Mersenne Twister MT19937 (Matsumoto and Nishimura, ACM TOMACS 8(1), 1998), in blocks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vector_clones.h"

namespace gleed {

class Mt19937 {
 public:
  static constexpr int kWords = 624;

  explicit Mt19937(uint64_t seed) { reseed(seed); }

  void reseed(uint64_t seed);  // only the low 32 bits decide the words, as in PyTorch
  uint64_t seed() const { return seed_; }

  uint32_t word() {
    if (used_ == kWords) refill();
    return words_[used_++];
  }
  uint64_t wide() {
    const uint64_t high = word();
    return high << 32 | word();
  }
  // Uniform in [0, 1), of 53 bits.
  double unit() { return static_cast<double>(wide() & ((uint64_t{1} << 53) - 1)) * 0x1p-53; }

  // Calls use(words, first, count) for stretches of `n` items of `width` words each (1 or 2), which
  // together are the next n * width words; `first` counts the items before a stretch.
  template <class Use>
  void each(int64_t n, int width, Use&& use) {
    for (int64_t done = 0; done < n;) {
      if (used_ == kWords) refill();
      const int64_t ready = (kWords - used_) / width;
      if (ready == 0) {
        const uint32_t high = word();
        const uint32_t pair[] = {high, word()};
        use(pair, done++, int64_t{1});
        continue;
      }
      const int64_t count = ready < n - done ? ready : n - done;
      use(static_cast<const uint32_t*>(words_ + used_), done, count);
      used_ += static_cast<int>(count) * width;
      done += count;
    }
  }

  // The state as PyTorch stores it: words before tempering, how many are left before the next
  // block plus one, and the number of the next.
  const uint32_t* state() const { return state_; }
  int left() const { return fresh_ ? 1 : kWords + 1 - used_; }
  int next() const { return fresh_ ? 0 : used_; }
  void restore(uint64_t seed, const uint32_t* state, int left, int next);

 private:
  void refill();

  uint64_t seed_;
  uint32_t state_[kWords];
  uint32_t words_[kWords];  // tempered
  int used_;                // of words_
  bool fresh_;              // just seeded: PyTorch's numbers differ from those of a used-up block
};

}  // namespace gleed
