// Sums over the windows of a single channel, a vector of neighbours at a time.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "convolution.h"
#include "vector_clones.h"

namespace gleed {

namespace {

template <class T>
struct Lanes {
  static constexpr int64_t count = 64 / sizeof(T);
  typedef T Vector __attribute__((vector_size(64)));
  typedef T Unaligned __attribute__((vector_size(64), aligned(alignof(T)), may_alias));

  static const Unaligned& at(const T* from) { return *reinterpret_cast<const Unaligned*>(from); }
};

template <class T>
[[gnu::always_inline]] inline T* shifted(T* from, int64_t bytes) {
  using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
  return reinterpret_cast<T*>(reinterpret_cast<Byte*>(from) + bytes);
}

// A vector of outputs at each of two places in two rows; places and rows may coincide.
template <class T>
[[gnu::always_inline]] inline void sum_square(const T* upper, const T* lower, const TapSums<T>& s,
                                              T* upper_to, T* lower_to, int64_t first,
                                              int64_t second) {
  using L = Lanes<T>;
  typename L::Vector a = s.start - typename L::Vector{}, b = a, c = a, d = a;
  for (int64_t t = 0; t < s.taps; ++t) {
    const T *above = shifted(upper, s.offsets[t]), *below = shifted(lower, s.offsets[t]);
    a += s.w[t] * L::at(above + first);
    b += s.w[t] * L::at(above + second);
    c += s.w[t] * L::at(below + first);
    d += s.w[t] * L::at(below + second);
  }
  std::memcpy(upper_to + first, &a, sizeof(a));
  std::memcpy(upper_to + second, &b, sizeof(b));
  std::memcpy(lower_to + first, &c, sizeof(c));
  std::memcpy(lower_to + second, &d, sizeof(d));
}

template <class T>
[[gnu::always_inline]] inline void sum_taps_of(const TapSums<T>& s) {
  constexpr int64_t lanes = Lanes<T>::count;
  for (int64_t row = 0; row < s.rows; row += 2) {
    const int64_t next = std::min(row + 1, s.rows - 1);
    const T *upper = shifted(s.from, row * s.from_row), *lower = shifted(s.from, next * s.from_row);
    T *upper_to = shifted(s.to, row * s.to_row), *lower_to = shifted(s.to, next * s.to_row);
    if (s.count < lanes) {
      T above[lanes], below[lanes];
      sum_square(upper, lower, s, above, below, 0, 0);
      for (int64_t i = 0; i < s.count; ++i) upper_to[i] = above[i];
      for (int64_t i = 0; i < s.count; ++i) lower_to[i] = below[i];
      continue;
    }
    const int64_t last = s.count - lanes;
    for (int64_t i = 0; i < s.count; i += 2 * lanes) {
      sum_square(upper, lower, s, upper_to, lower_to, std::min(i, last), std::min(i + lanes, last));
    }
  }
}

template <class T>
[[gnu::always_inline]] inline void add_products_of(const TapProducts<T>& p) {
  using L = Lanes<T>;
  constexpr int64_t lanes = L::count;
  const int64_t whole = p.count / lanes * lanes, rest = p.count - whole, last = p.count - lanes;
  typename L::Vector counted;  // 1 where the last vector has what the whole ones have not
  for (int64_t i = 0; i < lanes; ++i) counted[i] = i >= lanes - rest;
  for (int64_t t = 0; t < p.taps; ++t) {
    T* sums = p.sums + t * lanes;
    typename L::Vector sum = L::at(sums), last_sum = {};
    for (int64_t row = 0; row < p.rows && whole; ++row) {
      const T* factors = shifted(p.factors, row * p.factors_row);
      const T* source = shifted(p.from, p.offsets[t] + row * p.from_row);
      for (int64_t i = 0; i < whole; i += lanes) sum += L::at(factors + i) * L::at(source + i);
      if (!rest) continue;
      const typename L::Vector product = L::at(factors + last) * L::at(source + last);
      last_sum += counted > 0 ? product : typename L::Vector{};
    }
    sum += last_sum;
    std::memcpy(sums, &sum, sizeof(sum));
    for (int64_t row = 0; row < p.rows && !whole; ++row) {
      const T* factors = shifted(p.factors, row * p.factors_row);
      const T* source = shifted(p.from, p.offsets[t] + row * p.from_row);
      for (int64_t i = 0; i < p.count; ++i) sums[i] += factors[i] * source[i];
    }
  }
}

}  // namespace

GLEED_VECTOR_CLONES
void sum_taps(const TapSums<float>& sums) { sum_taps_of(sums); }

GLEED_VECTOR_CLONES
void sum_taps(const TapSums<double>& sums) { sum_taps_of(sums); }

GLEED_VECTOR_CLONES
void add_products(const TapProducts<float>& products) { add_products_of(products); }

GLEED_VECTOR_CLONES
void add_products(const TapProducts<double>& products) { add_products_of(products); }

}  // namespace gleed
