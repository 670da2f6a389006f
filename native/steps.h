// A plan as parsed from Python: docs/architecture.md, "Plans, as Python hands them to the core".
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "kernel.h"
#include "library.h"
#include "plan.h"

namespace gleed {

constexpr int kMaxAxes = 2 * kMaxDims;  // of one iteration space
constexpr int kMaxOperands = 64;        // of one kernel

struct DimExpression {
  enum class Op : uint8_t {
    kConst,
    kSize,
    kStride,
    kInt,
    kAdd,
    kSub,
    kMul,
    kFloorDiv,
    kMod,
    kMin,
    kMax,
  };
  Op op;
  int64_t a = 0, b = 0;
};

struct Guard {
  enum class Relation : uint8_t { kEq, kNe, kLt, kLe };
  Relation relation;
  int a, b;  // dims
};

struct InputType {
  DType dtype;
  int ndim;
};

struct ValueType {
  DType dtype;
  std::vector<int> dims;
};

struct AllocStep {
  int value;
  std::vector<int> like;
};

enum class Movement : uint8_t {
  kPermute,
  kReshape,
  kExpand,
  kSlice,
  kDiagonal,
  kWindow,
  kAsStrided,
};

struct ViewStep {
  int value, source;
  Movement movement;
  std::vector<int> arguments;  // as_strided: the strides, then the offset
};

// "reshape", or with row_major "compact".
struct CompactStep {
  int value, source;
  Kernel* kernel;
  bool row_major;  // a view is not enough
};

struct OperandEntry {
  enum class Kind : uint8_t { kValue, kIndex, kStatus, kShape };  // kShape: no memory, row-major
  Kind kind;
  int value = -1;  // kIndex: the dim of the base, or -1
  std::vector<int>
      mapping;  // per axis: dimension of the value, or (kIndex) dim of the coefficient; -1
};

struct ParamEntry {
  enum class Kind : uint8_t { kScalar, kDim, kStride };
  Kind kind;
  int a, b = 0;
};

struct KernelStep {
  Kernel* kernel;
  std::vector<int> axes;  // dims
  int parallel;
  std::vector<OperandEntry> operands;
  std::vector<ParamEntry> params;
  std::vector<OperandEntry> guides;  // see Launch
};

struct LibraryStep {
  const Routine* routine;
  std::vector<int> values, dims, scalars;
  // What follows point by point, and the operand of each that is followed.
  std::vector<std::pair<int, KernelStep>> epilogue;
  // What computes operands that nobody else reads, each with the number of the operand.
  std::vector<std::pair<int, KernelStep>> prologue;
};

struct LoopStep;
struct ChoiceStep;
using Step = std::variant<AllocStep, ViewStep, CompactStep, KernelStep, LibraryStep,
                          std::unique_ptr<LoopStep>, std::unique_ptr<ChoiceStep>>;

// In turn t of a loop `value` is row `start + t * step` of `source`.
struct CursorEntry {
  int value, source;
  int start;  // dim
  int step;   // 1 or -1
};

struct LoopStep {
  int count;  // dim
  std::vector<CursorEntry> cursors;
  std::vector<Step> steps;
};

// "branch": the first steps where the predicate is true, else the second. "while": the first steps
// make the predicate; as long as it is true the second follow, and it starts again.
struct ChoiceStep {
  int predicate;
  bool repeats;
  std::vector<Step> steps[2];
};

struct Plan {
  PyObject_HEAD;
  std::vector<InputType> inputs;
  std::vector<DimExpression> dims;
  std::vector<Guard> guards;
  std::vector<ValueType> values;  // the first inputs.size() stand for the inputs and are empty
  std::vector<Step> steps;
  std::vector<int> outputs, residuals, writes;
  GradRecord* grad;              // null: none
  PyObject* program;             // what Python made it from, for recorders; or null
  std::vector<PyObject*> owned;  // kernels, the record, the program
  // Bytes that a run takes, temporaries and results, as last bound; and if none shared a place.
  mutable size_t memory = 0, separate = 0;

  DType dtype(int value) const {
    const size_t v = static_cast<size_t>(value);
    return v < inputs.size() ? inputs[v].dtype : values[v].dtype;
  }
};

extern PyTypeObject* PlanType;

// Parses the arguments of _C.Plan into an empty plan. False with an exception set.
bool parse_plan(Plan& plan, PyObject* args, PyObject* kwargs);
void destroy_plan(Plan& plan);  // drops what it owns

// Reads a dtype, or the compiler's spelling of one ("f32"). False with an exception set.
bool read_dtype(PyObject* o, DType* dtype);

// Evaluates the dims for a call. False with an exception set if one does not fit 64 bits.
bool evaluate_dims(const Plan& plan, const Call& call, std::vector<int64_t>& cells);
bool guards_hold(const Plan& plan, const std::vector<int64_t>& cells);

}  // namespace gleed
