// What convolutions read: elements of 2, 4 or 8 bytes that register tiles multiply, made of the
// numbers that lie in memory on their way into cache.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "contraction.h"

namespace gleed {

// Elements are numbers as they are, 16-bit ones widened to float32, or pairs of these: with that of
// the next channel, or if there is none, with zero.
struct Elements {
  enum class Kind : uint8_t { kSame, kFromHalf, kFromBFloat16, kPair, kAlone };
  Kind kind = Kind::kSame;
  int64_t size = 4;     // bytes of an element
  int64_t partner = 0;  // bytes from the lower number of a pair to the upper
  int64_t pairs = std::numeric_limits<int64_t>::max();  // of channels, before one that is alone

  bool same() const { return kind == Kind::kSame; }
  // Channels that are made alike: use(elements, channels).
  template <class Use>
  void each(Range channels, Use&& use) const {
    const int64_t middle = std::clamp(pairs, channels.begin, channels.end);
    if (channels.begin < middle) use(*this, Range{channels.begin, middle});
    if (middle < channels.end) use(Elements{Kind::kAlone, size}, Range{middle, channels.end});
  }
  // Makes neighbours of numbers that are `stride` bytes apart.
  void read_line(const char* from, int64_t stride, int64_t count, char* to) const;
  // Makes rows × columns of them; strides in bytes, of elements those of rows or columns are
  // `size`.
  void read_block(const char* from, int64_t from_row, int64_t from_column, char* to, int64_t to_row,
                  int64_t to_column, int64_t rows, int64_t columns) const;
};

// Writes rows × columns of sums as numbers, rounded to 16 bits if these have no more.
void write_block(DType numbers, const char* from, int64_t from_row, int64_t from_column, char* to,
                 int64_t to_row, int64_t to_column, int64_t rows, int64_t columns);

// Copies elements; strides in bytes.
void copy_elements(const char* from, int64_t from_stride, char* to, int64_t to_stride,
                   int64_t count, int64_t itemsize);
// Copies rows × columns of them, the rows of a column side by side.
void copy_block(const char* from, int64_t from_row, int64_t from_column, char* to, int64_t to_row,
                int64_t to_column, int64_t rows, int64_t columns, int64_t itemsize);

}  // namespace gleed
