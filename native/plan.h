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
struct Binding;     // plan.cpp
struct Plan;        // plan.cpp

// The arguments of one call, flattened in schema order.
struct Call {
  static constexpr int kMaxStatics = 64;
  std::span<Tensor* const> tensors;   // every tensor argument (lists flattened; absent ones left out)
  std::span<const int64_t> ints;      // symbolic integers: sizes, starts, lengths
  std::span<const uint64_t> scalars;  // run-time numbers: bits of a double or of an int64
  std::span<const uint64_t> words;    // static part of the signature: presence of optional arguments,
                                      // list lengths, scalar kinds, static values, grad mask
  PyObject* arguments;                // borrowed; passed to the compile callback on a miss only
};

struct Program {
  uint64_t id;         // unique
  PyObject* compile;   // compile(arguments, call description) -> Plan; see below
};

// Finds (binding hit), binds (plan hit) or compiles (miss). Null with an exception set on failure.
//
// On a miss calls  program.compile(arguments, sizes, ints, words)  where `arguments` is
// call.arguments, `sizes` a tuple with one tuple of concrete sizes per tensor, `ints` the concrete
// integers, `words` the static words; it returns a gleed._C.Plan or raises.
const Binding* find_binding(Program& program, const Call& call);

// Runs a binding. `outputs` receives new references: first the plan's outputs, then its residuals.
// False with an exception set on failure.
bool run(const Binding& binding, const Call& call, Tensor** outputs);

int output_count(const Binding& binding);
int residual_count(const Binding& binding);
GradRecord* grad_record(const Binding& binding);           // null: nothing to differentiate
std::span<const int> written_inputs(const Binding& binding);  // tensors changed in place
// For output k: the input whose memory it shares (a view of it or itself), or -1.
int alias_of(const Binding& binding, int k);

}  // namespace gleed
