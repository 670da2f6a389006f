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
