// A kernel and its growing table of machine-code variants.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dtype.h"

namespace gleed {

// geometry: the loop sizes n0 n1 n2, then three byte strides per operand. docs/architecture.md says
// what the loops are in each orientation.
using KernelFunction = void (*)(char* const* pointers, const int64_t* geometry,
                                const uint64_t* params);

enum class Orientation : uint8_t { kMap, kRow, kColumn };

// A large reduction to few results, in two parts: `partial` reduces chunks of the reduced range to
// raw accumulators (its chunk number is one more parallel axis, the first), `finish` reduces those
// and does what follows. Operands of `partial`: the kernel's inputs, then the accumulators.
// Operands of `finish`: the accumulators, then the kernel's operands that do not move along reduced
// axes.
struct Kernel;
struct Split {
  Kernel* partial;
  Kernel* finish;
  std::vector<DType> accumulators;
};

struct Kernel {
  PyObject_HEAD;
  PyObject* ir;
  PyObject* compile;  // compile(ir, orientation, strides) -> (object bytes, symbol)
  int inputs;         // the first operands, which are only read
  bool reduces;       // has reduced axes even where all of them have size 1
  bool ordered;       // depends on the row-major order of reduced axes (argmax, scan)
  bool sequential;    // must run point by point, in order
  bool gathers;       // reads at computed offsets
  Split* split;       // owned; or null
  Kernel* online;     // the same for long rows, with fewer passes over them; or null
  std::unordered_map<std::string, void*>* variants;  // null: not compiled yet
  std::unordered_map<uint64_t, double>* costs;
};

extern PyTypeObject* KernelType;

// The machine code for an orientation and the class of each operand's innermost stride: '0' it does
// not move, '1' unit, '2' twice that, 'r' minus that, 's' any, 'n' unit and written past the
// caches. Compiled when first asked for; null with an exception set.
KernelFunction find_variant(Kernel* kernel, Orientation orientation, std::string_view classes);

// Arithmetic per point, in nanoseconds on one thread, where the operands in a mask are the same at
// all points. The GIL is held.
double cost_of(Kernel* kernel, uint64_t still);

}  // namespace gleed
