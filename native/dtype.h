// Element types: codes, sizes, names.
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
  int itemsize;
  bool floating;
  bool complex;
  bool is_signed;
};

extern const DTypeInfo kDTypes[kDTypeCount];

inline const DTypeInfo& info(DType dtype) { return kDTypes[static_cast<int>(dtype)]; }
inline int itemsize(DType dtype) { return info(dtype).itemsize; }
inline bool differentiable(DType dtype) { return info(dtype).floating || info(dtype).complex; }

}  // namespace gleed
