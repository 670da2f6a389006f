// The tape: what tensors know of their gradients, and what an operation call records.
//
// Everything here is called with the GIL held. The graph is made of nodes (node.h); edges point
// from a result's node to the nodes of what it was computed from, so dropping a result drops its
// history.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "plan.h"
#include "tensor.h"

namespace gleed {

struct Node;

// One output of a node. `node` is counted where a field holds it, borrowed where a function gives
// it.
struct Edge {
  Node* node = nullptr;
  uint32_t slot = 0;
};

// What a tensor that takes part in differentiation knows about it. Never shared between tensors.
struct AutogradMeta {
  Tensor* tensor = nullptr;  // the one it belongs to
  bool requires_grad = false;
  bool retains_grad = false;
  bool is_view = false;  // of tensor->base
  bool tracked_view =
      false;  // made with gradients enabled; otherwise the view counts as a constant
  uint32_t view_version = 0;    // of the storage when the view's grad_fn was made
  uint32_t slot = 0;            // output number in grad_fn
  Node* grad_fn = nullptr;      // counted; null for leaves
  Node* accumulator = nullptr;  // counted; a leaf's AccumulateGrad, made when first needed
  PyObject* grad = nullptr;     // a Tensor or null
};

// What a GradRecord's node saves: an input (its value before the call), an output or a residual.
enum class SavedKind : uint8_t { kInput, kOutput, kResidual };

// How the backward of one plan is obtained; made in Python together with the plan:
// _C.GradRecord(name, compile, formula, inputs, saved, sizes, outputs).
//
// Backward is a call of `backward` with
//   tensors = the defined cotangents in slot order (outputs, then residuals), then the saved
//   tensors; ints    = those of the forward call, then `sizes`;    scalars = those of the forward
//   call; words   = bit masks over slots (cotangent defined) and over edges (gradient needed), each
//   in as
//             many 64-bit words as it takes;
// and one output per needed edge. On a miss `compile(arguments, sizes, ints, words)` gets as
// `arguments` the tuple (defined, needed, tensors): two ints used as bit masks, and a tuple.
//
// With create_graph the engine calls, with gradients enabled,
//   formula(cotangents, saved, ints, scalars, needed)
// instead: cotangents is a tuple with None for undefined ones, saved a tuple of tensors with their
// history, ints and scalars tuples as above (scalars as raw 64-bit patterns), needed a bit mask. It
// returns one gradient or None per edge.
struct GradRecord {
  PyObject_HEAD;
  Program backward;
  PyObject* name;  // "AddBackward0"
  PyObject* formula;
  std::vector<int> inputs;                       // for each edge: index into Call::tensors
  std::vector<std::pair<SavedKind, int>> saved;  // ("input", 0) in Python
  // Input sizes that the backward needs, as (tensor, axis).
  std::vector<std::pair<int, int>> sizes;
  int outputs;     // only the first so many of the plan's have a gradient
  int saved_dims;  // the ranks of the saved tensors together, or -1 before the first call
};
extern PyTypeObject* GradRecordType;

// Modes, thread-local.
struct Modes {
  bool grad = true;
  bool inference = false;
};
extern thread_local constinit Modes modes __attribute__((tls_model("initial-exec")));
inline bool grad_enabled() { return modes.grad; }
inline void set_grad_enabled(bool enabled) { modes.grad = enabled; }
inline bool inference_enabled() { return modes.inference; }

inline bool requires_grad(const Tensor* t) {
  const AutogradMeta* meta = t->grad_meta;
  return meta &&
         (meta->requires_grad || meta->grad_fn || (meta->tracked_view && requires_grad(t->base)));
}

// The tables of the hooks that its gradient passes; borrowed.
std::vector<PyObject*> hook_tables(const Tensor* t);
Py_ssize_t count_hooks(const Tensor* t);

// Called after a binding with a GradRecord has run (and after the versions of what it wrote were
// raised): makes the node, saves tensors, links edges, gives the differentiable outputs their
// history, and rebases what was written in place. Also calls record_view for aliasing outputs.
// False with an exception set.
bool record_operation(GradRecord& record, const Binding& binding, const Call& call,
                      Tensor* const* outputs);

// In-place writes, in this order: check_inplace before the write, for each written tensor;
// bump_version after it; then record_operation, or record_constant_write if the call has no record.
bool check_inplace(Tensor* t, const char* op);  // false with an exception set
inline void bump_version(Tensor* t) { ++t->storage->version; }
// The written values depend on nothing: the old ones get zeros.
bool record_constant_write(Tensor* t);

// Marks `view`, whose Tensor::base is set, as a view for differentiation; `source` is what it was
// made from. To be called for every aliasing output (one that is another tensor object than its
// input) of a call without a GradRecord.
void record_view(Tensor* view, Tensor* source);

// For the Tensor type: on deallocation and tp_clear (then reset t->grad_meta), and in tp_traverse.
void drop_meta(AutogradMeta* meta);
int traverse_meta(AutogradMeta* meta, visitproc visit, void* arg);

// For the tape's own files, and for whatever makes tensors with a history of its own.
AutogradMeta* ensure_meta(Tensor* t);
// Where t's gradient goes; {null} for a constant. The node is borrowed, and `ok` false with an
// exception set if the history of a view could not be brought up to date.
Edge gradient_edge(Tensor* t, bool* ok);
void set_history(Tensor* t, Node* node, uint32_t slot);  // node is borrowed
// Gives a tensor that was written in place its new history, through its base if it is a view.
// `node` is borrowed; `written_edge` is the edge of `node` that leads to the old value, or -1.
bool rebase_history(Tensor* t, Node* node, uint32_t slot, int written_edge);
Tensor* detach(Tensor* t);  // new reference; shares memory
// Makes a fresh tensor count as the same value as another: gradients go where the other's go.
bool share_history(Tensor* copy, Tensor* of);  // false with an exception set

}  // namespace gleed
