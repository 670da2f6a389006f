// Unsigned keys in the order of the elements they stand for: NaN is the greatest, all NaNs are
// equal, and so are the two zeros.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "dtype.h"

namespace gleed {

// A 16-bit floating-point number; the CPU does not compare them.
struct HalfBits {
  uint16_t bits;
};

template <int kSize>
using UnsignedOfSize = std::conditional_t<
    kSize == 1, uint8_t,
    std::conditional_t<kSize == 2, uint16_t, std::conditional_t<kSize == 4, uint32_t, uint64_t>>>;

// V: the type of the elements.
template <class V>
struct OrderKeys {
  using Value = V;
  using Bits = UnsignedOfSize<sizeof(V)>;
  static constexpr bool kComparable = std::is_arithmetic_v<V>;

  Bits infinity;  // its bits, if V is floating point
  Bits flip;      // all ones to reverse the order, else 0

  Bits key(Bits bits) const {
    if constexpr (!kFloating) {
      return bits ^ (std::is_signed_v<V> ? kSign : Bits{0}) ^ flip;
    } else {
      const Bits size = bits & static_cast<Bits>(~kSign);
      Bits key = bits & kSign ? static_cast<Bits>(~bits) : static_cast<Bits>(bits | kSign);
      key = size == 0 ? kSign : key;
      key = size > infinity ? kAll : key;
      return key ^ flip;
    }
  }
  // The bits of the element that has a key, if `exact` says that there is only one.
  Bits bits(Bits key) const {
    key ^= flip;
    if constexpr (!kFloating) {
      return key ^ (std::is_signed_v<V> ? kSign : Bits{0});
    } else {
      return key & kSign ? static_cast<Bits>(key ^ kSign) : static_cast<Bits>(~key);
    }
  }
  bool exact(Bits key) const {
    key ^= flip;
    return !kFloating || (key != kSign && key != kAll);
  }

 private:
  static constexpr bool kFloating = !std::is_integral_v<V>;
  static constexpr Bits kAll = static_cast<Bits>(~Bits{0});
  static constexpr Bits kSign = static_cast<Bits>(kAll ^ (kAll >> 1));
};

// A key and its position; no two records of a row are equal. Their order is that of keys, then that
// of positions.
template <class T>
struct Record {
  uint64_t packed;

  Record() = default;
  Record(T key, int64_t position)
      : packed(static_cast<uint64_t>(key) << 32 | static_cast<uint64_t>(position)) {}
  T key() const { return static_cast<T>(packed >> 32); }
  int64_t position() const { return static_cast<int64_t>(packed & 0xffffffffu); }
  bool operator<(const Record& other) const { return packed < other.packed; }
};

template <>
struct Record<uint64_t> {
  uint64_t key_;
  int64_t position_;

  Record() = default;
  Record(uint64_t key, int64_t position) : key_(key), position_(position) {}
  uint64_t key() const { return key_; }
  int64_t position() const { return position_; }
  bool operator<(const Record& other) const {
    return key_ != other.key_ ? key_ < other.key_ : position_ < other.position_;
  }
};

constexpr int64_t kMaxPosition = std::numeric_limits<uint32_t>::max();

// Calls f with the OrderKeys of a dtype.
template <class F>
void with_order_keys(DType dtype, bool descending, F&& f) {
  const auto keys = [&]<class V>(std::type_identity<V>, auto infinity) {
    using Bits = typename OrderKeys<V>::Bits;
    const Bits flip = descending ? static_cast<Bits>(~Bits{0}) : Bits{0};
    f(OrderKeys<V>{static_cast<Bits>(infinity), flip});
  };
  switch (dtype) {
    case DType::kFloat32:
      return keys(std::type_identity<float>{}, 0x7f800000u);
    case DType::kFloat64:
      return keys(std::type_identity<double>{}, 0x7ff0000000000000u);
    case DType::kFloat16:
      return keys(std::type_identity<HalfBits>{}, 0x7c00u);
    case DType::kBFloat16:
      return keys(std::type_identity<HalfBits>{}, 0x7f80u);
    case DType::kInt8:
      return keys(std::type_identity<int8_t>{}, 0);
    case DType::kInt16:
      return keys(std::type_identity<int16_t>{}, 0);
    case DType::kInt32:
      return keys(std::type_identity<int32_t>{}, 0);
    case DType::kInt64:
      return keys(std::type_identity<int64_t>{}, 0);
    default:
      return keys(std::type_identity<uint8_t>{}, 0);
  }
}

}  // namespace gleed
