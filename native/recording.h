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
//   sizes(tensor), strides(tensor) -> numbers or None   what Python gets to see of its layout,
//   shape(tensor, what)                                 sizes are looked at by the core, for
//   `what`, index(tensor, index) -> (code, ints) or None        a basic index, if it is in symbols,
//   integers(number) -> ints                            of a node whose formula is about to run,
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
bool record_node(const Binding& binding, const void* node);
bool record_read(Tensor* t, const char* what);
bool record_grad(Tensor* t, bool assigned);
// New references; null with an exception set, or (the last two) without one: nothing is special.
PyObject* record_sizes(Tensor* t);
PyObject* record_strides(Tensor* t);
PyObject* record_index(Tensor* t, PyObject* index);
PyObject* record_integers(const void* node);

// Numbers that a recorder hands out in place of Python's are objects of this type (or null), or of
// one that derives from it. Reading them by `__index__` and the like ends their being followed; the
// number they have in this call is this, a new reference, a new reference.
extern PyTypeObject* NumberType;
inline bool is_followed(PyObject* o) { return NumberType && PyObject_TypeCheck(o, NumberType); }
inline PyObject* present_number(PyObject* o) { return PyObject_GetAttrString(o, "hint"); }

// Whether the sizes of a tensor may be looked at: it has some, and a capture takes note of it.
bool sized(const Tensor* t, const char* what);
// Whether the elements of a tensor may be looked at: it has some, and no capture forbids it. False
// with an exception set.
bool readable(Tensor* t, const char* what);

}  // namespace gleed
