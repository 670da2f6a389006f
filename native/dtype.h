// Element types: codes, sizes, names, and what a CPU without half arithmetic needs to read them.
#pragma once

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
// nearest, ties to even; NaN stays NaN.
float half_to_float(uint16_t bits);
uint16_t float_to_half(float value);
float bfloat16_to_float(uint16_t bits);
uint16_t float_to_bfloat16(float value);

// The dtype of a result whose operands are tensors of dtypes a and b (PyTorch's table).
DType promote(DType a, DType b);

// What a floating Python number becomes: gleed.get_default_dtype().
extern DType default_dtype;

}  // namespace gleed
