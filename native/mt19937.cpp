#include "mt19937.h"

#include <cstring>

namespace gleed {

namespace {

constexpr int kWords = Mt19937::kWords, kShift = 397;

inline uint32_t twist(uint32_t high, uint32_t low) {
  const uint32_t mixed = (high & 0x80000000u) | (low & 0x7fffffffu);
  return (mixed >> 1) ^ ((0u - (low & 1u)) & 0x9908b0dfu);
}

// The recurrence reads 397 words ahead or 227 behind, so stretches of 227 words are independent.
GLEED_VECTOR_CLONES void regenerate(uint32_t* s) {
  constexpr int kAhead = kWords - kShift;
  for (int i = 0; i < kAhead; ++i) s[i] = s[i + kShift] ^ twist(s[i], s[i + 1]);
#pragma GCC ivdep
  for (int i = kAhead; i < 2 * kAhead; ++i) s[i] = s[i - kAhead] ^ twist(s[i], s[i + 1]);
#pragma GCC ivdep
  for (int i = 2 * kAhead; i < kWords - 1; ++i) s[i] = s[i - kAhead] ^ twist(s[i], s[i + 1]);
  s[kWords - 1] = s[kShift - 1] ^ twist(s[kWords - 1], s[0]);
}

GLEED_VECTOR_CLONES void temper(const uint32_t* state, uint32_t* words) {
  for (int i = 0; i < kWords; ++i) {
    uint32_t y = state[i];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    words[i] = y ^ (y >> 18);
  }
}

}  // namespace

void Mt19937::reseed(uint64_t seed) {
  seed_ = seed;
  state_[0] = static_cast<uint32_t>(seed);
  for (uint32_t i = 1; i < kWords; ++i) {
    state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
  used_ = kWords;
  fresh_ = true;
}

void Mt19937::refill() {
  regenerate(state_);
  temper(state_, words_);
  used_ = 0;
  fresh_ = false;
}

void Mt19937::restore(uint64_t seed, const uint32_t* state, int left, int next) {
  seed_ = seed;
  std::memcpy(state_, state, sizeof(state_));
  fresh_ = left == 1 && next == 0;
  used_ = fresh_ ? kWords : next;
  temper(state_, words_);
}

}  // namespace gleed
