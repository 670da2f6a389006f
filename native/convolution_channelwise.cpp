// Sums over the windows of a single channel.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "convolution.h"
#include "vector_clones.h"

namespace gleed {

namespace {

constexpr int64_t kBlock = 32;  // outputs at a time

template <class T>
[[gnu::always_inline]] inline void sum_taps_of(const T* from, const int64_t* offsets, const T* w,
                                               int64_t taps, T start, T* to, int64_t count) {
  for (int64_t first = 0; first < count; first += kBlock) {
    T sums[kBlock];
    for (int64_t i = 0; i < kBlock; ++i) sums[i] = start;
    for (int64_t t = 0; t < taps; ++t) {
      const T* source =
          reinterpret_cast<const T*>(reinterpret_cast<const char*>(from + first) + offsets[t]);
      for (int64_t i = 0; i < kBlock; ++i) sums[i] = std::fma(w[t], source[i], sums[i]);
    }
    std::memcpy(to + first, sums, std::min(kBlock, count - first) * sizeof(T));
  }
}

}  // namespace

GLEED_VECTOR_CLONES
void sum_taps(const float* from, const int64_t* offsets, const float* w, int64_t taps, float start,
              float* to, int64_t count) {
  sum_taps_of(from, offsets, w, taps, start, to, count);
}

GLEED_VECTOR_CLONES
void sum_taps(const double* from, const int64_t* offsets, const double* w, int64_t taps,
              double start, double* to, int64_t count) {
  sum_taps_of(from, offsets, w, taps, start, to, count);
}

}  // namespace gleed
