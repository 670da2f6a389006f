// Recording: while a Python function is captured, Python is told what every run computes of what,
// and of whatever else a capture cannot see: values that are looked at, gradients that come and go.
#pragma once

#include "plan.h"

namespace gleed {

// Told of everything in this thread; null: nobody is. It has the methods
//   before(program, inputs, ints, scalars, arguments, origin)   a run is about to happen, for the
//                                                       backward of node `origin` (0: of none),
//   after(outputs)                                      it has,
//   node(number)                                        it has made this node,
//   shape(tensor)                                       sizes are about to be looked at,
//   read(tensor, what)                                  a value is about to be looked at,
//   grad(tensor, assigned)                              .grad is about to be read or assigned.
// `program` is what the plan was made with. An exception in any of them ends what was going on.
// While one runs nothing is recorded.
extern thread_local constinit PyObject* recorder __attribute__((tls_model("initial-exec")));
inline bool recording() { return recorder != nullptr; }

// Runs take memory for their results but compute nothing: for what is only to be recorded.
extern thread_local constinit bool dry_runs __attribute__((tls_model("initial-exec")));

// Returns the previous one, or None; new references.
PyObject* exchange_recorder(PyObject* next);

// These are false with an exception set, and to be called only while recording.
bool record_inputs(const Binding& binding, const Call& call);
bool record_outputs(const Binding& binding, Tensor* const* outputs);
bool record_node(const void* node);
bool record_shape(Tensor* t);
bool record_read(Tensor* t, const char* what);
bool record_grad(Tensor* t, bool assigned);

// Whether the sizes of a tensor may be looked at: it has some, and a capture takes note of it.
bool sized(const Tensor* t, const char* what);
// Whether the elements of a tensor may be looked at: it has some, and no capture forbids it. False
// with an exception set.
bool readable(Tensor* t, const char* what);

}  // namespace gleed
