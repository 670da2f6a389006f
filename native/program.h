// The signature of a call, and the steps of finding its binding that op calls take one by one.
#pragma once

#include <cstdint>

#include "plan.h"
#include "small_buffer.h"

namespace gleed {

// Everything that a binding depends on, as numbers, and their hash. Room is made once, so that
// pushing checks nothing.
class Key {
 public:
  explicit Key(size_t room) : words_(room) {}

  void push(uint64_t word) {
    // Multiplying by a different odd number at each place keeps the products independent of one
    // another, so they take one cycle each; the high half of the sum is well mixed.
    words_[size_++] = word;
    sum_ += (word ^ word >> 32) * multiplier_;
    multiplier_ += 0xD1B54A32D192ED02;
  }
  uint64_t hash() const { return (sum_ ^ sum_ >> 32) * 0x9FB21C651E98DF25 >> 20; }
  std::span<const uint64_t> words() const { return {words_.data(), size_}; }

 private:
  SmallBuffer<uint64_t, 256> words_;
  size_t size_ = 0;
  uint64_t sum_ = 0, multiplier_ = 0x9E3779B97F4A7C15;
};

// The most words that the key of a call can have.
inline size_t key_room(const Call& call) {
  return 2 + call.words.size() + call.ints.size() + call.tensors.size() * (1 + 2 * kMaxDims);
}

inline void make_key(const Program& program, const Call& call, Key& key) {
  key.push(program.id);
  // The counts follow from the words and the program; they are here for good measure.
  key.push(call.words.size() + (call.tensors.size() << 16) + (call.ints.size() << 32) +
           (call.scalars.size() << 48));
  for (uint64_t word : call.words) key.push(word);
  for (int64_t number : call.ints) key.push(static_cast<uint64_t>(number));
  for (const Tensor* t : call.tensors) {
    const Layout& layout = t->layout;
    key.push(static_cast<uint64_t>(t->dtype) | static_cast<uint64_t>(layout.ndim) << 8 |
             static_cast<uint64_t>(layout.contiguous) << 16);
    for (int i = 0; i < layout.ndim; ++i) key.push(static_cast<uint64_t>(layout.sizes[i]));
    if (layout.contiguous) continue;
    for (int i = 0; i < layout.ndim; ++i) key.push(static_cast<uint64_t>(layout.strides[i]));
  }
}

const Binding* find_hit(const Key& key);  // null without an exception if the cache has none
// From a known plan, or from Python; null with an exception set.
const Binding* make_binding(Program& program, const Call& call, const Key& key);

// The arguments for a callback: a new reference, or null with an exception set.
PyObject* arguments_of(const Call& call);

}  // namespace gleed
