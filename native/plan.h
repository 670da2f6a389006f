// Programs, plans, bindings: from a call's arguments to machine code.
//
// A Program is what can be called: an overload of an op, or the backward of one. Its plans are made
// by Python on a miss and are symbolic in all sizes; a binding is a plan for one exact geometry.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor.h"

namespace gleed {

struct GradRecord;  // tape.h
struct Binding;     // binding.h
struct PlanTable;   // program.cpp

// The arguments of one call, flattened in schema order.
struct Call {
  std::span<Tensor* const>
      tensors;                    // every tensor argument (lists flattened; absent ones left out)
  std::span<const int64_t> ints;  // symbolic integers: sizes, starts, lengths
  std::span<const uint64_t> scalars;  // run-time numbers: bits of a double or of an int64
  std::span<const uint64_t> words;  // static part of the signature: grad mask, presence of optional
                                    // arguments, list lengths, scalar kinds, static values
  PyObject* arguments;              // borrowed; passed to the callbacks of the program
  // Makes `arguments` when it is null and a callback needs it: a new reference, or null with an
  // exception set. So a hit builds no Python objects.
  PyObject* (*describe)(void* context) = nullptr;
  void* context = nullptr;
  // Where the one fresh result is to be written: dense, of its dtype and sizes; or null.
  Tensor* out = nullptr;
  // The node whose backward this is, for recorders; or null.
  const void* origin = nullptr;
};

struct Program {
  uint64_t id;        // unique; 0: not initialised
  PyObject* compile;  // compile(arguments, sizes, ints, words) -> Plan
  PyObject* explain;  // explain(arguments) raises the error behind a nonzero status; or null
  PlanTable* plans;   // by words, dtypes and ranks
};

void init_program(Program& program, PyObject* compile, PyObject* explain);  // keeps both
int traverse_program(Program& program, visitproc visit, void* arg);
void clear_program(Program& program);  // drops the callbacks and plans; may be called twice

// Finds (binding hit), binds (plan hit) or compiles (miss). Null with an exception set on failure.
// The binding is the engine's: it stays valid until the calling code has returned to Python.
//
// On a miss calls  program.compile(arguments, sizes, ints, words)  where `arguments` is
// call.arguments, `sizes` a tuple with one tuple of concrete sizes per tensor, `ints` the concrete
// integers, `words` the static words; it returns a gleed._C.Plan or raises.
const Binding* find_binding(Program& program, const Call& call);

// Runs a binding. `outputs` receives new references: first the plan's outputs, then its residuals.
// False with an exception set on failure. Views among them are marked as such (Tensor::base) but
// not yet known to the tape: see record_operation and record_view.
bool run(const Binding& binding, const Call& call, Tensor** outputs);

int output_count(const Binding& binding);
int residual_count(const Binding& binding);
GradRecord* grad_record(const Binding& binding);              // null: nothing to differentiate
std::span<const int> written_inputs(const Binding& binding);  // tensors changed in place
// For output k: the input whose memory it shares (a view of it or itself), or -1.
int alias_of(const Binding& binding, int k);

// Where calls found their binding, since the start.
struct EngineStats {
  int64_t hits = 0, plan_hits = 0, misses = 0, bindings = 0, launches = 0;
};
extern EngineStats engine_stats;

}  // namespace gleed
