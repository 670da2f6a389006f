#include "temporaries.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace gleed {

namespace {

constexpr size_t kAlignment = 64;

}  // namespace

size_t aligned(size_t bytes) {
  return bytes > SIZE_MAX - kAlignment ? SIZE_MAX : (bytes + kAlignment - 1) & -kAlignment;
}

size_t place_temporaries(std::vector<Temporary>& temporaries) {
  size_t total = 0;
  for (size_t i = 0; i < temporaries.size(); ++i) {
    Temporary& t = temporaries[i];
    std::vector<std::pair<size_t, size_t>> taken;
    for (size_t j = 0; j < i; ++j) {
      const Temporary& other = temporaries[j];
      if (other.first <= t.last && t.first <= other.last) {
        taken.emplace_back(other.offset, other.offset + other.bytes);
      }
    }
    std::sort(taken.begin(), taken.end());
    for (const auto& [lo, hi] : taken) {
      if (lo >= t.offset && lo - t.offset >= t.bytes) break;
      t.offset = std::max(t.offset, hi);
    }
    total = t.bytes > SIZE_MAX - t.offset ? SIZE_MAX : std::max(total, t.offset + t.bytes);
    if (total == SIZE_MAX) break;
  }
  return total;
}

}  // namespace gleed
