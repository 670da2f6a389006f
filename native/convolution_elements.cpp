#include "convolution_elements.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "vector_clones.h"

namespace gleed {

namespace {

template <class T>
[[gnu::always_inline]] inline void pick_second(const char* from, int64_t count, char* to) {
  const T* numbers = reinterpret_cast<const T*>(from);
  for (int64_t i = 0; i < count; ++i) reinterpret_cast<T*>(to)[i] = numbers[2 * i];
}

GLEED_VECTOR_CLONES
void copy_every_second(const char* from, int64_t count, int64_t itemsize, char* to) {
  itemsize == 4 ? pick_second<uint32_t>(from, count, to) : pick_second<uint16_t>(from, count, to);
}

// Numbers below and above one another, each counted where its mask has ones.
GLEED_VECTOR_CLONES
void join(const char* low_from, const char* high_from, uint32_t low_mask, uint32_t high_mask,
          int64_t stride, int64_t count, char* to) {
  const auto *low = reinterpret_cast<const uint16_t*>(low_from),
             *high = reinterpret_cast<const uint16_t*>(high_from);
  auto* result = reinterpret_cast<uint32_t*>(to);
  const auto at = [=](int64_t i) { return (low[i] & low_mask) | (high[i] << 16 & high_mask); };
  for (int64_t i = 0; i < count && stride == 1; ++i) result[i] = at(i);
  for (int64_t i = 0; i < count && stride != 1; ++i) result[i] = at(i * stride);
}

GLEED_VECTOR_CLONES
void widen(const char* from, int64_t stride, int64_t count, char* to) {
  const auto* numbers = reinterpret_cast<const uint16_t*>(from);
  auto* result = reinterpret_cast<float*>(to);
  for (int64_t i = 0; i < count && stride == 1; ++i) result[i] = half_to_float(numbers[i]);
  for (int64_t i = 0; i < count && stride != 1; ++i) result[i] = half_to_float(numbers[i * stride]);
}

GLEED_VECTOR_CLONES
void round_line(const float* from, bool half, int64_t count, char* to) {
  auto* result = reinterpret_cast<uint16_t*>(to);
  for (int64_t i = 0; i < count && half; ++i) result[i] = float_to_half(from[i]);
  for (int64_t i = 0; i < count && !half; ++i) result[i] = float_to_bfloat16(from[i]);
}

// A square of elements, as many as 16 bytes hold, rows becoming columns: rows are interleaved with
// those half the square away, again and again.
template <class T, size_t... i>
[[gnu::always_inline]] inline void turn(const char* from, int64_t from_row, char* to,
                                        int64_t to_column, std::index_sequence<i...>) {
  constexpr size_t n = sizeof...(i);
  using Row [[gnu::vector_size(16)]] = T;
  Row rows[n], next[n];
  for (size_t k = 0; k < n; ++k) std::memcpy(&rows[k], from + k * from_row, sizeof(Row));
  for (size_t half = 1; half < n; half *= 2) {
    for (size_t k = 0; k < n / 2; ++k) {
      const Row &low = rows[k], &high = rows[k + n / 2];
      next[2 * k] = __builtin_shufflevector(low, high, (i / 2 + i % 2 * n)...);
      next[2 * k + 1] = __builtin_shufflevector(low, high, (i / 2 + n / 2 + i % 2 * n)...);
    }
    std::copy_n(next, n, rows);
  }
  for (size_t k = 0; k < n; ++k) std::memcpy(to + k * to_column, &rows[k], sizeof(Row));
}

void copy_line(const char* from, int64_t bytes, char* to) {
  constexpr int64_t kPiece = 16, kShort = 256;
  if (bytes < kPiece || bytes > kShort) {
    std::memcpy(to, from, bytes);
    return;
  }
  for (int64_t i = 0; i < bytes; i += kPiece) {  // without a call
    const int64_t at = std::min(i, bytes - kPiece);
    std::memcpy(to + at, from + at, kPiece);
  }
}

void turn_square(const char* from, int64_t from_row, char* to, int64_t to_column, int64_t size) {
  size == 4 ? turn<uint32_t>(from, from_row, to, to_column, std::make_index_sequence<4>())
            : turn<uint16_t>(from, from_row, to, to_column, std::make_index_sequence<8>());
}

// Blocks are done in tiles of so many lines of so many elements, which stay in cache.
constexpr int64_t kTogether = 16, kLine = 64;

// Calls run(row, column, rows, columns) for the tiles of a block, whose lines go along the rows.
template <typename Run>
void in_tiles(int64_t rows, int64_t columns, const Run& run) {
  for (int64_t c = 0; c < columns; c += kTogether) {
    for (int64_t r = 0; r < rows; r += kLine) {
      run(r, c, std::min(kLine, rows - r), std::min(kTogether, columns - c));
    }
  }
}

}  // namespace

void Elements::read_line(const char* from, int64_t stride, int64_t count, char* to) const {
  constexpr uint32_t kLow = 0xffff, kHigh = 0xffff0000;
  switch (kind) {
    case Kind::kSame:
      return copy_elements(from, stride, to, size, count, size);
    case Kind::kFromHalf:
      return widen(from, stride / 2, count, to);
    case Kind::kFromBFloat16:
      return join(from, from, 0, kHigh, stride / 2, count, to);
    case Kind::kPair:
      return join(from, from + partner, kLow, kHigh, stride / 2, count, to);
    case Kind::kAlone:
      return join(from, from, kLow, 0, stride / 2, count, to);
  }
}

void Elements::read_block(const char* from, int64_t from_row, int64_t from_column, char* to,
                          int64_t to_row, int64_t to_column, int64_t rows, int64_t columns) const {
  constexpr int64_t kShort = 8;
  if (same()) {
    return copy_block(from, from_row, from_column, to, to_row, to_column, rows, columns, size);
  }
  // Lines go along the rows: over neighbours in memory, if there are some.
  if (columns >= kShort && (rows < kShort || from_column < from_row)) {
    return read_block(from, from_column, from_row, to, to_column, to_row, columns, rows);
  }
  uint32_t lines[kTogether][kLine];
  in_tiles(rows, columns, [&](int64_t r, int64_t c, int64_t count, int64_t together) {
    const char* first = from + r * from_row + c * from_column;
    char* target = to + r * to_row + c * to_column;
    for (int64_t i = 0; i < together; ++i) {
      char* line = to_row == size ? target + i * to_column : reinterpret_cast<char*>(lines[i]);
      read_line(first + i * from_column, from_row, count, line);
    }
    if (to_row == size) return;
    copy_block(reinterpret_cast<char*>(lines), sizeof(lines[0]), size, target, to_column, to_row,
               together, count, size);
  });
}

void write_block(DType numbers, const char* from, int64_t from_row, int64_t from_column, char* to,
                 int64_t to_row, int64_t to_column, int64_t rows, int64_t columns) {
  constexpr int64_t kNumber = sizeof(uint16_t);
  const int64_t size = itemsize(numbers);
  if (size > kNumber) {
    return copy_block(from, from_row, from_column, to, to_row, to_column, rows, columns, size);
  }
  if (to_column < to_row) {  // lines go along the rows, over neighbours in the result
    return write_block(numbers, from, from_column, from_row, to, to_column, to_row, columns, rows);
  }
  float lines[kTogether][kLine];
  char rounded[kLine * kNumber];
  const bool near = from_row == sizeof(float), direct = to_row == kNumber;
  in_tiles(rows, columns, [&](int64_t r, int64_t c, int64_t count, int64_t together) {
    const char* first = from + r * from_row + c * from_column;
    char* target = to + r * to_row + c * to_column;
    if (!near) {
      copy_block(first, from_row, from_column, reinterpret_cast<char*>(lines), sizeof(float),
                 sizeof(lines[0]), count, together, sizeof(float));
    }
    for (int64_t i = 0; i < together; ++i, target += to_column) {
      const auto* line = near ? reinterpret_cast<const float*>(first + i * from_column) : lines[i];
      round_line(line, numbers == DType::kFloat16, count, direct ? target : rounded);
      if (!direct) copy_elements(rounded, kNumber, target, to_row, count, kNumber);
    }
  });
}

void copy_elements(const char* from, int64_t from_stride, char* to, int64_t to_stride,
                   int64_t count, int64_t itemsize) {
  if (itemsize <= 4 && from_stride == 2 * itemsize && to_stride == itemsize) {
    return copy_every_second(from, count, itemsize, to);
  }
  if (from_stride == itemsize && to_stride == itemsize)
    return copy_line(from, count * itemsize, to);
  const auto copy = [&](auto size) {
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(to + i * to_stride, from + i * from_stride, size);
  };
  if (itemsize == 2) return copy(std::integral_constant<size_t, 2>());
  if (itemsize == 4) return copy(std::integral_constant<size_t, 4>());
  copy(std::integral_constant<size_t, 8>());
}

void copy_block(const char* from, int64_t from_row, int64_t from_column, char* to, int64_t to_row,
                int64_t to_column, int64_t rows, int64_t columns, int64_t itemsize) {
  if (from_column < from_row && to_column < to_row) {  // both along the columns
    return copy_block(from, from_column, from_row, to, to_column, to_row, columns, rows, itemsize);
  }
  const int64_t together = from_row == itemsize && to_row == itemsize ? rows : 16;
  const bool turns = itemsize <= 4 && from_column == itemsize && to_row == itemsize;
  const int64_t side = 16 / itemsize, squares = turns ? columns / side * side : 0;
  for (int64_t r = 0; r < rows; r += together) {
    const int64_t end = std::min(rows, r + together);
    const int64_t whole = turns ? r + (end - r) / side * side : r;
    for (int64_t c = 0; c < squares; c += side) {
      for (int64_t i = r; i < whole; i += side) {
        turn_square(from + i * from_row + c * itemsize, from_row, to + i * itemsize + c * to_column,
                    to_column, itemsize);
      }
    }
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t left = c < squares ? whole : r;
      copy_elements(from + left * from_row + c * from_column, from_row,
                    to + left * to_row + c * to_column, to_row, end - left, itemsize);
    }
  }
}

}  // namespace gleed
