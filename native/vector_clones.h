// Vector instructions beyond the ones that every processor of its kind has.
#pragma once

// Compiles a function once for each of these instruction sets; the loader picks.
#if defined(__x86_64__) && defined(__linux__)
#define GLEED_VECTOR_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GLEED_VECTOR_CLONES
#endif
