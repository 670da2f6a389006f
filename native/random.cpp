// The routines that draw random numbers, one after another as PyTorch's CPU generator does.
//
// Each fills its last operand, which lies densely in memory in whatever order of axes, from front
// to back. dims[0]: 1: scalars[0] is a generator; 0: the default source serves; 2: the state to
// draw from is the last operand but two, and the state afterwards goes to the last but one.
// dims[1]: whether the first operand is a bool that says if the arguments are valid; if they are
// not, nothing is drawn and the program's `explain` raises the error. Numbers follow as operands of
// one element.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numbers>

#include "errors.h"
#include "generator.h"
#include "library.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr uint64_t kMask53 = (uint64_t{1} << 53) - 1;

int64_t count_of(const RoutineGeometry& g) { return g.operands.back().layout->numel; }

template <class T>
T* result_of(const RoutineCall& c) {
  return reinterpret_cast<T*>(c.pointers[c.geometry.operands.size() - 1]);
}

// Number `k` among the operands.
template <class T>
T number(const RoutineCall& c, int64_t k) {
  return *reinterpret_cast<const T*>(c.pointers[c.geometry.dims[1] + k]);
}

// Draws with `draw(call, source)`, one caller at a time.
template <void (*draw)(const RoutineCall&, RandomState&)>
void execute(const RoutineCall& c) {
  if (c.geometry.dims[1] && *c.pointers[0] == 0) {
    *c.status = 1;
    return;
  }
  if (c.geometry.dims[0] == 2) {
    char* const* states = c.pointers + c.geometry.operands.size() - 3;
    std::memcpy(states[1], states[0], sizeof(RandomState));
    return draw(c, *reinterpret_cast<RandomState*>(states[1]));
  }
  RandomSource& source = c.geometry.dims[0] ? random_source(c.scalars[0]) : default_random_source();
  const std::scoped_lock lock(source.mutex);
  draw(c, source);
}

template <int picoseconds>
bool prepare(const RoutineGeometry& g, RoutinePlan& plan) {
  plan.nanoseconds = static_cast<double>(count_of(g)) * picoseconds * 1e-3;
  return true;
}

// ---- uniform in [0, 1): float32 from the low 24 bits of a word, float64 from the low 53 of two

GLEED_VECTOR_CLONES void to_floats(const uint32_t* words, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    out[i] = static_cast<float>(static_cast<int32_t>(words[i] & 0xffffffu)) * 0x1p-24f;
  }
}

// The 53 bits of a pair of words.
inline int64_t bits_of(const uint32_t* pair) {
  return static_cast<int64_t>((uint64_t{pair[0]} << 32 | pair[1]) & kMask53);
}

GLEED_VECTOR_CLONES void to_doubles(const uint32_t* words, double* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<double>(bits_of(words + 2 * i)) * 0x1p-53;
}

void fill_doubles(RandomState& source, double* out, int64_t n) {
  source.words.each(n, 2, [out](const uint32_t* words, int64_t first, int64_t count) {
    to_doubles(words, out + first, count);
  });
}

void draw_uniform(const RoutineCall& c, RandomState& source) {
  const int64_t n = count_of(c.geometry);
  if (c.geometry.operands.back().dtype == DType::kFloat32) {
    float* out = result_of<float>(c);
    source.words.each(n, 1, [out](const uint32_t* words, int64_t first, int64_t count) {
      to_floats(words, out + first, count);
    });
  } else {
    fill_doubles(source, result_of<double>(c), n);
  }
}

// ---- events: true with probability number 0 (a double). dims[2]: certain ones draw nothing.

GLEED_VECTOR_CLONES void compare(const uint32_t* words, int64_t bound, uint8_t* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = bits_of(words + 2 * i) < bound;
}

void draw_events(const RoutineCall& c, RandomState& source) {
  const double probability = number<double>(c, 0);
  uint8_t* out = result_of<uint8_t>(c);
  const int64_t n = count_of(c.geometry);
  if (c.geometry.dims[2] && (probability == 0 || probability == 1)) {
    std::fill_n(out, n, static_cast<uint8_t>(probability));
    return;
  }
  // bits * 2^-53 < p  just where  bits < ceil(p * 2^53), and the product is exact.
  const int64_t bound = static_cast<int64_t>(std::ceil(probability * 0x1p53));
  source.words.each(n, 2, [out, bound](const uint32_t* words, int64_t first, int64_t count) {
    compare(words, bound, out + first, count);
  });
}

// ---- integers from number 0 to number 1, both included: a word, or two, modulo how many there
// are. dims[2]: how many words; 0: what the range needs.

GLEED_VECTOR_CLONES void reduce(const uint32_t* words, uint32_t range, int64_t low, int64_t* out,
                                int64_t n) {
  // The quotient by the reciprocal is right or one too small.
  const uint32_t reciprocal = static_cast<uint32_t>(((uint64_t{1} << 32) - 1) / range);
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t quotient = static_cast<uint32_t>((uint64_t{words[i]} * reciprocal) >> 32);
    const uint32_t rest = words[i] - quotient * range;
    out[i] = low + static_cast<int64_t>(rest >= range ? rest - range : rest);
  }
}

void reduce_wide(const uint32_t* words, uint64_t range, uint64_t low, int64_t* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t bits = uint64_t{words[2 * i]} << 32 | words[2 * i + 1];
    out[i] = static_cast<int64_t>(low + (range ? bits % range : bits));
  }
}

void draw_integers(const RoutineCall& c, RandomState& source) {
  const int64_t low = number<int64_t>(c, 0), high = number<int64_t>(c, 1);
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;  // 0: 2^64
  const int64_t asked = c.geometry.dims[2];
  const bool wide = asked == 2 || (asked == 0 && (range == 0 || range >= uint64_t{1} << 28));
  int64_t* out = result_of<int64_t>(c);
  const int64_t n = count_of(c.geometry);
  if (wide) {
    source.words.each(n, 2, [=](const uint32_t* words, int64_t first, int64_t count) {
      reduce_wide(words, range, static_cast<uint64_t>(low), out + first, count);
    });
  } else {
    const uint32_t narrow = static_cast<uint32_t>(range);
    source.words.each(n, 1, [=](const uint32_t* words, int64_t first, int64_t count) {
      reduce(words, narrow, low, out + first, count);
    });
  }
}

// ---- a permutation (Fisher and Yates, 1938)

void draw_permutation(const RoutineCall& c, RandomState& source) {
  const int64_t n = count_of(c.geometry);
  int64_t* out = result_of<int64_t>(c);
  for (int64_t i = 0; i < n; ++i) out[i] = i;
  source.words.each(n - 1, 1, [=](const uint32_t* words, int64_t first, int64_t count) {
    int64_t place[Mt19937::kWords];
    for (int64_t k = 0; k < count; ++k) {
      const int64_t i = first + k;
      place[k] = i + words[k] % static_cast<uint32_t>(n - i);
      __builtin_prefetch(out + place[k], 1);
    }
    for (int64_t k = 0; k < count; ++k) std::swap(out[first + k], out[place[k]]);
  });
}

// ---- normal numbers of mean 0 and deviation 1, as float64: one by one, or (dims[2]) in blocks of
// 16 whose first eight uniform numbers decide radii and the others angles; the last block is drawn
// anew where it is not whole.

void transform_block(double* block) {
  for (int j = 0; j < 8; ++j) {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - block[j]));
    const double angle = 2.0 * std::numbers::pi * block[j + 8];
    block[j] = radius * std::cos(angle);
    block[j + 8] = radius * std::sin(angle);
  }
}

void draw_normal(const RoutineCall& c, RandomState& source) {
  double* out = result_of<double>(c);
  const int64_t n = count_of(c.geometry);
  if (!c.geometry.dims[2]) {
    for (int64_t i = 0; i < n; ++i) out[i] = source.normal();
    return;
  }
  fill_doubles(source, out, n);
  constexpr int64_t kChunk = 256;
  const int64_t blocks = n / 16;
  parallel_for((blocks + kChunk - 1) / kChunk, [=](int64_t task) {
    const int64_t end = std::min(blocks, (task + 1) * kChunk);
    for (int64_t b = task * kChunk; b < end; ++b) transform_block(out + 16 * b);
  });
  if (n % 16 != 0) {
    fill_doubles(source, out + n - 16, 16);
    transform_block(out + n - 16);
  }
}

// ---- choices with replacement: row by row, places in number 0, whose rows are weights, each as
// likely as its weight

template <class T>
void draw_choices_of(const RoutineCall& c, RandomState& source) {
  const Layout& layout = *c.geometry.operands[c.geometry.dims[1]].layout;
  const T* weights = reinterpret_cast<const T*>(c.pointers[c.geometry.dims[1]]);
  const int64_t rows = layout.sizes[0], count = layout.sizes[1];
  const int64_t samples = c.geometry.operands.back().layout->sizes[1];
  T* sums = reinterpret_cast<T*>(c.workspace);
  int64_t* out = result_of<int64_t>(c);
  for (int64_t row = 0; row < rows; ++row, weights += layout.strides[0]) {
    T sum = 0;
    for (int64_t k = 0; k < count; ++k) sums[k] = sum += weights[k * layout.strides[1]];
    for (int64_t k = 0; k < count; ++k) sums[k] /= sum;
    sums[count - 1] = 1;
    for (int64_t i = 0; i < samples; ++i) {
      *out++ = std::lower_bound(sums, sums + count, source.words.unit()) - sums;
    }
  }
}

void draw_choices(const RoutineCall& c, RandomState& source) {
  const DType dtype = c.geometry.operands[c.geometry.dims[1]].dtype;
  dtype == DType::kFloat32 ? draw_choices_of<float>(c, source) : draw_choices_of<double>(c, source);
}

bool prepare_choices(const RoutineGeometry& g, RoutinePlan& plan) {
  const Layout& layout = *g.operands[g.dims[1]].layout;
  plan.workspace = static_cast<size_t>(layout.sizes[1]) * sizeof(double);
  plan.nanoseconds = 2.0 * static_cast<double>(layout.numel) +
                     50.0 * static_cast<double>(g.operands.back().layout->numel);
  return true;
}

// ---- uniform float64 numbers where number 0 holds, in order; zeros elsewhere

void draw_uniform_where(const RoutineCall& c, RandomState& source) {
  const bool* wanted = reinterpret_cast<const bool*>(c.pointers[c.geometry.dims[1]]);
  double* out = result_of<double>(c);
  const int64_t n = count_of(c.geometry);
  for (int64_t i = 0; i < n; ++i) out[i] = wanted[i] ? source.words.unit() : 0.0;
}

// ---- what the numbers from here on follow from

void copy_state(const RoutineCall& c, RandomState& source) {
  std::memcpy(result_of<RandomState>(c), &source, sizeof(source));
}

const RegisterRoutine state({.name = "random_state",
                             .prepare = prepare<1>,
                             .execute = execute<copy_state>});
const RegisterRoutine uniform({.name = "random_uniform",
                               .prepare = prepare<800>,
                               .execute = execute<draw_uniform>});
const RegisterRoutine events({.name = "random_events",
                              .prepare = prepare<1500>,
                              .execute = execute<draw_events>});
const RegisterRoutine integers({.name = "random_integers",
                                .prepare = prepare<1500>,
                                .execute = execute<draw_integers>});
const RegisterRoutine permutation({.name = "random_permutation",
                                   .prepare = prepare<6000>,
                                   .execute = execute<draw_permutation>});
const RegisterRoutine normal({.name = "random_normal",
                              .prepare = prepare<20000>,
                              .execute = execute<draw_normal>});
const RegisterRoutine choices({.name = "random_choices",
                               .prepare = prepare_choices,
                               .execute = execute<draw_choices>});
const RegisterRoutine uniform_where({.name = "random_uniform_where",
                                     .prepare = prepare<4000>,
                                     .execute = execute<draw_uniform_where>});

}  // namespace

}  // namespace gleed
