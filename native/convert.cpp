// Copies of strided elements into packed memory, from any dtype to any other.
#include <complex>
#include <cstring>
#include <type_traits>

#include "scalar.h"

namespace gleed {
namespace {

struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};
struct Bool {
  uint8_t byte;  // foreign memory may hold more than 0 and 1
};

template <class T>
constexpr bool kComplex = false;
template <class T>
constexpr bool kComplex<std::complex<T>> = true;

// Any element as a number of C++.
template <class T>
auto widen(T value) {
  if constexpr (std::is_same_v<T, Half>) {
    return half_to_float(value.bits);
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return bfloat16_to_float(value.bits);
  } else if constexpr (std::is_same_v<T, Bool>) {
    return value.byte != 0;
  } else {
    return value;
  }
}

// Truncation towards zero; NaN and what does not fit become the least int64, as x86 has it, of
// which narrower integers take the low bits.
template <class To, class From>
To truncate(From value) {
  const double wide = static_cast<double>(value);
  const bool fits = wide >= -0x1p63 && wide < 0x1p63;
  return static_cast<To>(fits ? static_cast<int64_t>(wide) : INT64_MIN);
}

template <class To, class From>
To convert(From value) {
  if constexpr (kComplex<From>) {
    if constexpr (kComplex<To>) {
      return To(value);
    } else if constexpr (std::is_same_v<To, Bool>) {
      return {value != From(0)};
    } else {
      return convert<To>(value.real());
    }
  } else if constexpr (kComplex<To>) {
    return To(static_cast<typename To::value_type>(value));
  } else if constexpr (std::is_same_v<To, Half>) {
    return {float_to_half(static_cast<float>(value))};
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return {float_to_bfloat16(static_cast<float>(value))};
  } else if constexpr (std::is_same_v<To, Bool>) {
    return {value != From(0)};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return truncate<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

// n elements, `stride` bytes apart, to packed memory.
using Run = void (*)(char* to, const char* from, int64_t n, int64_t stride);

template <class To, class From>
void run(char* to, const char* from, int64_t n, int64_t stride) {
  for (int64_t i = 0; i < n; ++i) {
    From value;
    std::memcpy(&value, from + i * stride, sizeof value);
    To result;
    if constexpr (std::is_same_v<To, From>) {
      result = value;
    } else {
      result = convert<To>(widen(value));
    }
    std::memcpy(to + i * sizeof result, &result, sizeof result);
  }
}

// Neighbours get a loop of their own, which the compiler can vectorise.
template <class To, class From>
void run_any(char* to, const char* from, int64_t n, int64_t stride) {
  if (stride == sizeof(From)) {
    run<To, From>(to, from, n, sizeof(From));
  } else {
    run<To, From>(to, from, n, stride);
  }
}

// Calls f with a value of the C++ type behind a dtype.
template <class F>
Run with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::kFloat32:
      return f(float{});
    case DType::kFloat64:
      return f(double{});
    case DType::kFloat16:
      return f(Half{});
    case DType::kBFloat16:
      return f(BFloat16{});
    case DType::kInt8:
      return f(int8_t{});
    case DType::kInt16:
      return f(int16_t{});
    case DType::kInt32:
      return f(int32_t{});
    case DType::kInt64:
      return f(int64_t{});
    case DType::kUInt8:
      return f(uint8_t{});
    case DType::kBool:
      return f(Bool{});
    case DType::kComplex64:
      return f(std::complex<float>{});
    case DType::kComplex128:
      return f(std::complex<double>{});
  }
  Py_UNREACHABLE();
}

Run run_for(DType to, DType from) {
  return with_type(to, [from](auto to_value) {
    return with_type(from, [](auto from_value) -> Run {
      return run_any<decltype(to_value), decltype(from_value)>;
    });
  });
}

}  // namespace

void copy_to_packed(char* to, DType to_dtype, const char* from, DType from_dtype,
                    const Layout& layout) {
  if (layout.numel == 0) return;
  const int64_t from_size = itemsize(from_dtype), to_size = itemsize(to_dtype);
  if (from_dtype == to_dtype && layout.contiguous) {
    std::memcpy(to, from, layout.numel * to_size);
    return;
  }
  const Run copy = run_for(to_dtype, from_dtype);
  if (layout.contiguous) return copy(to, from, layout.numel, from_size);
  const int last = layout.ndim - 1;
  const int64_t inner = layout.sizes[last], stride = layout.strides[last] * from_size;
  int64_t index[kMaxDims] = {};
  for (int64_t done = 0; done < layout.numel; done += inner, to += inner * to_size) {
    const char* source = from;
    for (int i = 0; i < last; ++i) source += index[i] * layout.strides[i] * from_size;
    copy(to, source, inner, stride);
    for (int i = last - 1; i >= 0 && ++index[i] == layout.sizes[i]; --i) index[i] = 0;
  }
}

}  // namespace gleed
