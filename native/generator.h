// Generators of random numbers, as Python sees them: gleed._C.Generator.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <mutex>
#include <optional>
#include <type_traits>

#include "mt19937.h"

namespace gleed {

// What PyTorch's CPU generator is. As an int64 tensor it is what a program draws again from.
struct RandomState {
  Mt19937 words;
  // The second number of a Box-Muller pair, kept for the next call.
  std::optional<double> spare;

  explicit RandomState(uint64_t seed) : words(seed) {}
  void reseed(uint64_t seed) {
    words.reseed(seed);
    spare.reset();
  }
  double normal();  // of mean 0 and deviation 1; one by one, in double precision
};
static_assert(std::is_trivially_copyable_v<RandomState> && sizeof(RandomState) == 628 * 8);

// Whoever draws holds `mutex`: routines run without the GIL.
struct RandomSource : RandomState {
  std::mutex mutex;
  using RandomState::RandomState;
};

// The source behind a run-time number of kind "generator": the address of the Python object.
RandomSource& random_source(uint64_t generator);
// The one that serves calls without a generator.
RandomSource& default_random_source();

bool init_generator_type(PyObject* module);  // false with an exception set

}  // namespace gleed
