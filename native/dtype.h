// Element types: codes, sizes, names, and what a CPU without half arithmetic needs to read them.
#pragma once

#include <bit>
#include <cstdint>

namespace gleed {

enum class DType : uint8_t {
  kFloat32,
  kFloat64,
  kFloat16,
  kBFloat16,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt8,
  kBool,
  kComplex64,
  kComplex128,
};
constexpr int kDTypeCount = 12;

struct DTypeInfo {
  const char* name;         // "float32"
  const char* kernel_name;  // "f32", the compiler's spelling
  const char* alias;        // "float", PyTorch's second name, or null
  const char* buffer;       // format of the buffer protocol (PEP 3118), or null
  int itemsize;
  bool floating;
  bool complex;
  bool is_signed;
};

extern const DTypeInfo kDTypes[kDTypeCount];

inline const DTypeInfo& info(DType dtype) { return kDTypes[static_cast<int>(dtype)]; }
inline int itemsize(DType dtype) { return info(dtype).itemsize; }
inline bool differentiable(DType dtype) { return info(dtype).floating || info(dtype).complex; }
inline bool integral(DType dtype) { return !differentiable(dtype) && dtype != DType::kBool; }

// IEEE 754 binary16 and bfloat16 (the upper half of a binary32). Conversions to them round to the
// nearest, ties to even; NaN stays NaN. There are no branches, so that loops become vectors.
inline float half_to_float(uint16_t bits) {
  const uint32_t magnitude = bits & 0x7fff, exponent = (127 - 15) << 23;
  const uint32_t usual = (magnitude << 13) + exponent + (magnitude >= 0x7c00 ? exponent : 0);
  const float subnormal = static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f;
  const uint32_t small = magnitude < 0x400 ? ~0u : 0;
  const uint32_t value = (usual & ~small) | (std::bit_cast<uint32_t>(subnormal) & small);
  return std::bit_cast<float>(value | static_cast<uint32_t>(bits & 0x8000) << 16);
}

inline uint16_t float_to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), magnitude = bits & 0x7fffffff;
  const uint32_t usual = (magnitude - ((127 - 15) << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
  // Subnormal: adding one half aligns the last kept bit with a float's last bit, so the addition
  // itself rounds correctly.
  const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
  const uint32_t small = magnitude < 0x38800000 ? ~0u : 0;
  uint32_t result = (usual & ~small) | ((std::bit_cast<uint32_t>(aligned) - 0x3f000000) & small);
  result = magnitude >= 0x477ff000 ? 0x7c00 : result;  // 65520 and above round to infinity
  result = magnitude > 0x7f800000 ? 0x7e00 : result;
  return static_cast<uint16_t>(result | (bits >> 16 & 0x8000));
}

inline float bfloat16_to_float(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

inline uint16_t float_to_bfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const bool nan = (bits & 0x7fffffff) > 0x7f800000;
  return static_cast<uint16_t>((nan ? bits | 0x400000 : bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// The dtype of a result whose operands are tensors of dtypes a and b (PyTorch's table).
DType promote(DType a, DType b);

// What a floating Python number becomes: gleed.get_default_dtype().
extern DType default_dtype;

}  // namespace gleed
