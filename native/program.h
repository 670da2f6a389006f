// The signature of a call, and the steps of finding its binding that op calls take one by one.
#pragma once

#include <cstdint>

#include "recording.h"
#include "small_buffer.h"

namespace gleed {

// Everything that a binding depends on, as numbers, and their hash.
class Key {
 public:
  Key(const Program& program, const Call& call) : words_(room(call)) {
    // Locals, which stay in registers. Multiplying by a different odd number at each place keeps
    // the products independent of one another, so they take a cycle each; the high half of the sum
    // is well mixed.
    uint64_t* next = words_.data();
    uint64_t sum = 0, multiplier = 0x9E3779B97F4A7C15;
    const auto push = [&](uint64_t word) {
      *next++ = word;
      sum += (word ^ word >> 32) * multiplier;
      multiplier += 0xD1B54A32D192ED02;
    };
    push(program.id | static_cast<uint64_t>(dry_runs) << 55 |
         static_cast<uint64_t>(default_dtype) << 56);
    // The counts follow from the words and the program; they are here for good measure.
    push(call.words.size() + (call.tensors.size() << 16) + (call.ints.size() << 32) +
         (call.scalars.size() << 48));
    for (uint64_t word : call.words) push(word);
    for (int64_t number : call.ints) push(static_cast<uint64_t>(number));
    for (const Tensor* t : call.tensors) {
      const Layout& layout = t->layout;
      const int ndim = layout.ndim;
      // Images of one channel may lie row-major and with channels last, which results then go by.
      const bool contiguous = layout.contiguous && (ndim < 4 || layout.strides[1] != 1);
      push(static_cast<uint64_t>(t->dtype) | static_cast<uint64_t>(ndim) << 8 |
           static_cast<uint64_t>(contiguous) << 16);
      for (int i = 0; i < ndim; ++i) push(static_cast<uint64_t>(layout.sizes[i]));
      if (contiguous) continue;
      for (int i = 0; i < ndim; ++i) push(static_cast<uint64_t>(layout.strides[i]));
    }
    size_ = static_cast<size_t>(next - words_.data());
    hash_ = (sum ^ sum >> 32) * 0x9FB21C651E98DF25 >> 20;
  }

  uint64_t hash() const { return hash_; }
  std::span<const uint64_t> words() const { return {words_.data(), size_}; }

 private:
  static size_t room(const Call& call) {
    return 2 + call.words.size() + call.ints.size() + call.tensors.size() * (1 + 2 * kMaxDims);
  }

  SmallBuffer<uint64_t, 256> words_;
  size_t size_;
  uint64_t hash_;
};

const Binding* find_hit(const Key& key);  // null without an exception if the cache has none
// From a known plan, or from Python; null with an exception set.
const Binding* make_binding(Program& program, const Call& call, const Key& key);

// The arguments for a callback: a new reference, or null with an exception set.
PyObject* arguments_of(const Call& call);

}  // namespace gleed
