#include "dtype.h"

#include <algorithm>
#include <bit>

namespace gleed {

// int64 is "l" where that is eight bytes, as NumPy has it.
static constexpr const char* kInt64Format = sizeof(long) == 8 ? "l" : "q";

const DTypeInfo kDTypes[kDTypeCount] = {
    {"float32", "f32", "float", "f", 4, true, false, true},
    {"float64", "f64", "double", "d", 8, true, false, true},
    {"float16", "f16", "half", "e", 2, true, false, true},
    {"bfloat16", "bf16", nullptr, nullptr, 2, true, false, true},
    {"int8", "i8", nullptr, "b", 1, false, false, true},
    {"int16", "i16", "short", "h", 2, false, false, true},
    {"int32", "i32", "int", "i", 4, false, false, true},
    {"int64", "i64", "long", kInt64Format, 8, false, false, true},
    {"uint8", "u8", nullptr, "B", 1, false, false, false},
    {"bool", "bool", nullptr, "?", 1, false, false, false},
    {"complex64", "c64", "cfloat", "Zf", 8, false, true, true},
    {"complex128", "c128", "cdouble", "Zd", 16, false, true, true},
};

DType default_dtype = DType::kFloat32;

float half_to_float(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t magnitude = bits & 0x7fff;
  if (magnitude >= 0x7c00) {  // infinity and NaN
    return std::bit_cast<float>(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  }
  if (magnitude >= 0x400) {
    return std::bit_cast<float>(sign | ((magnitude << 13) + ((127 - 15) << 23)));
  }
  const float subnormal = static_cast<float>(magnitude) * 0x1p-24f;
  return sign ? -subnormal : subnormal;
}

uint16_t float_to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;   // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00;  // 65520 and above round to infinity
  if (magnitude < 0x38800000) {
    // Subnormal: adding one half aligns the last kept bit with a float's last bit, so the addition
    // itself rounds correctly.
    const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
    return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(aligned) - 0x3f000000);
  }
  const uint32_t odd = magnitude >> 13 & 1;
  return sign | static_cast<uint16_t>((magnitude - ((127 - 15) << 23) + 0xfff + odd) >> 13);
}

float bfloat16_to_float(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t float_to_bfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static int category(DType d) {
  return info(d).complex ? 3 : info(d).floating ? 2 : d == DType::kBool ? 0 : 1;
}

DType promote(DType a, DType b) {
  if (a == b) return a;
  const int ca = category(a), cb = category(b);
  if (ca == 3 || cb == 3) {
    const bool wide = a == DType::kComplex128 || b == DType::kComplex128 || a == DType::kFloat64 ||
                      b == DType::kFloat64;
    return wide ? DType::kComplex128 : DType::kComplex64;
  }
  if (ca != cb) return ca > cb ? a : b;
  if (itemsize(a) != itemsize(b)) return itemsize(a) > itemsize(b) ? a : b;
  // Equal size, one kind: float16 with bfloat16, or int8 with uint8.
  return ca == 2 ? DType::kFloat32 : DType::kInt16;
}

}  // namespace gleed
