// The signature of a call, and the steps of finding its binding that op calls take one by one.
#pragma once

#include <cstdint>

#include "plan.h"
#include "small_buffer.h"

namespace gleed {

// Everything that a binding depends on, as numbers.
class Key : public SmallBuffer<uint64_t, 96> {
 public:
  uint64_t hash() const {
    // Multiplying by a different odd number at each place keeps the products independent of one
    // another, so they take one cycle each; the high half of the sum is well mixed.
    uint64_t sum = 0, multiplier = 0x9E3779B97F4A7C15;
    for (size_t i = 0; i < size(); ++i) {
      const uint64_t word = (*this)[i];
      sum += (word ^ word >> 32) * multiplier;
      multiplier += 0xD1B54A32D192ED02;
    }
    return (sum ^ sum >> 32) * 0x9FB21C651E98DF25 >> 20;
  }
};

void make_key(const Program& program, const Call& call, Key& key);
const Binding* find_hit(const Key& key);  // null without an exception if the cache has none
// From a known plan, or from Python; null with an exception set.
const Binding* make_binding(Program& program, const Call& call, const Key& key);

// The arguments for a callback: a new reference, or null with an exception set.
PyObject* arguments_of(const Call& call);

}  // namespace gleed
