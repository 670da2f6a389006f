// Memory that lives only during a run: who may share it with whom.
#pragma once

#include <cstddef>
#include <vector>

#include "binding.h"

namespace gleed {

// What steps [first, last] of a plan use.
struct Temporary {
  size_t bytes;
  int first, last;
  int cursor = -1;  // no memory of its own, but that to which this cursor points
  size_t offset = 0;
};

size_t aligned(size_t bytes);  // to cache lines; saturating

extern bool reuse_memory;  // if not, every temporary gets a place of its own

// Gives every temporary the lowest place that nothing alive at the same time has. Returns the
// bytes.
size_t place_temporaries(std::vector<Temporary>& temporaries);

// Gives the steps of a binding the places of temporaries, which have negative roots till then.
void settle(std::vector<BoundStep>& steps, const Binding& binding,
            const std::vector<Temporary>& temporaries);

}  // namespace gleed
