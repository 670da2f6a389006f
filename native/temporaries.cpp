#include "temporaries.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace gleed {

namespace {

constexpr size_t kAlignment = 64;

}  // namespace

bool reuse_memory = true;

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
      if (!reuse_memory || (other.first <= t.last && t.first <= other.last)) {
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

void settle(std::vector<BoundStep>& steps, const Binding& binding,
            const std::vector<Temporary>& temporaries) {
  const auto settled = [&](Place& place) {
    if (place.root >= 0) return;
    const Temporary& t = temporaries[-1 - place.root];
    place.offset += static_cast<int64_t>(t.offset);
    place.root = t.cursor < 0 ? static_cast<int32_t>(kArenaRoot) : binding.cursor_root(t.cursor);
  };
  for (BoundStep& step : steps) {
    if (auto* kernel = std::get_if<BoundKernel>(&step)) {
      for (Place& place : kernel->places) settled(place);
    } else if (auto* routine = std::get_if<BoundRoutine>(&step)) {
      for (Place& place : routine->places) settled(place);
      for (auto* kernels : {&routine->epilogue, &routine->prologue})
        for (auto& [operand, kernel] : *kernels)
          for (Place& place : kernel.places) settled(place);
      settled(routine->workspace);
    } else if (auto* loop = std::get_if<std::unique_ptr<BoundLoop>>(&step)) {
      for (Cursor& cursor : (*loop)->cursors) {
        cursor.root = binding.cursor_root(cursor.root);
        settled(cursor.start);
      }
      settle((*loop)->steps, binding, temporaries);
    } else {
      BoundChoice& choice = *std::get<std::unique_ptr<BoundChoice>>(step);
      settled(choice.predicate);
      for (std::vector<BoundStep>& inner : choice.steps) settle(inner, binding, temporaries);
    }
  }
}

}  // namespace gleed
