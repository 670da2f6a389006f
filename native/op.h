// Operation calls: from Python's arguments to a Call. docs/architecture.md, "Operation calls, as
// Python declares them", has the kinds and flags.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "plan.h"
#include "small_buffer.h"

namespace gleed {

constexpr int kMaxParameters = 32;

enum class Kind : uint8_t {
  kTensor,
  kOptionalTensor,
  kOperand,
  kOptionalOperand,
  kTensors,
  kScalar,
  kOptionalScalar,
  kInt,
  kOptionalInt,
  kInts,
  kOptionalInts,
  kStatic,
  kGenerator,  // an object whose address becomes a run-time number; None is 0
};

// What an argument adds to a call.
struct Frame {
  SmallBuffer<Tensor*, 16> tensors;
  SmallBuffer<int64_t, 32> ints;
  SmallBuffer<uint64_t, 16> scalars;
  SmallBuffer<uint64_t, 48> words;
  bool traced = false;             // a stand-in is among the tensors
  bool tracked = false;            // some tensor has autograd metadata
  SmallBuffer<PyObject*, 4> held;  // counted; keeps tensors of lists that Python could change

  ~Frame() {
    for (PyObject* o : held) Py_DECREF(o);
  }
};

struct Parameter {
  PyObject* name;   // interned
  PyObject* alias;  // interned second name, or null
  PyObject* second_alias;
  PyObject* default_value;  // null: required
  Kind kind;
  bool keyword_only, variadic, out;
  // The default, already encoded.
  std::vector<int64_t> preset_ints;
  std::vector<uint64_t> preset_scalars, preset_words;
};

struct Overload {
  std::vector<Parameter> parameters;
  int positional = 0;  // parameters that may be given by position
  int out = -1;        // the out= parameter
  Program program;
  PyObject* result_type;  // null: a tensor, or a tuple of several
};

struct Op {
  PyObject_HEAD;
  vectorcallfunc vectorcall;
  PyObject* dict;
  PyObject* weakrefs;
  PyObject* name;
  const char* text;  // of the name
  std::vector<Overload>* overloads;
};

extern PyTypeObject* OpType;
bool init_op_type(PyObject* module);  // false with an exception set

// The arguments of a call, sorted by parameter: borrowed, null where the default holds. A variadic
// parameter that was given item by item has `variadic` as its index and the items beside it.
struct Arguments {
  PyObject* values[kMaxParameters];
  PyObject* const* items;
  Py_ssize_t item_count;
  int variadic;
};

// Why a call does not fit an overload: "argument 'x' must be a Tensor; got str".
using Mismatch = std::string;

enum class Fit { kYes, kNo, kError };  // kError: with an exception set

// Sorts the arguments of a call by the parameters of an overload.
Fit sort_arguments(const Overload& overload, PyObject* const* args, Py_ssize_t nargs,
                   PyObject* kwnames, Arguments& sorted, Mismatch& mismatch);
// Adds sorted arguments to a frame. frame.words[0] is left for the grad mask.
Fit encode_arguments(const Overload& overload, const Arguments& sorted, Frame& frame,
                     Mismatch& mismatch);
// A list of the arguments in schema order, defaults filled in; null with an exception set. Plans
// know nothing of out=, so for them it is None.
PyObject* list_of(const Overload& overload, const Arguments& sorted);
// Encodes a parameter's default into its presets. False with an exception set.
bool encode_default(const char* op, Parameter& parameter);
// One TypeError: what did not fit, and what would be accepted.
PyObject* raise_mismatch(const Op& op, const Mismatch& mismatch);

// Encodes a static value: equal words mean equal values, exactly. False with an exception set.
bool encode_static(PyObject* value, SmallBuffer<uint64_t, 48>& words);

// Runs overload number `number` with arguments that fit; null with an exception set.
PyObject* call_overload(Op& op, int number, const Arguments& sorted, Frame& frame);

// Runs a captured program: the first overload of an op, whose only parameter is `tensors`, with
// run-time numbers as the core keeps them, in 64 bits each. What is not differentiable may write to
// parameters.
PyObject* run_program(Op& op, PyObject* tensors, std::span<const uint64_t> numbers,
                      bool differentiable);

// Conversion: called instead of some ops of this thread as converter(op, *args, **kwargs), while
// which it is off. Returns the previous (converter, ops), both None if there was none.
PyObject* exchange_converter(PyObject* converter, PyObject* ops);
bool converting();  // whether this thread has a converter

// out= goes through out_helper(out, result), registered from Python, unless memory can be copied.
void set_out_helper(PyObject* helper);

// What kGenerator accepts; registered by whoever defines it.
extern PyTypeObject* GeneratorType;
extern PyObject* DefaultGenerator;  // what None means

}  // namespace gleed
