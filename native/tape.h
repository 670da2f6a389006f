// The tape: autograd metadata of tensors, nodes, and what an operation call records.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plan.h"
#include "tensor.h"

namespace gleed {

struct Node;

struct Edge {
  Node* node = nullptr;  // counted
  uint32_t slot = 0;     // which of the node's outputs
};

// Shared by a tensor and everything that must find its gradient later.
struct AutogradMeta {
  int32_t refs = 1;
  bool requires_grad = false;
  bool retains_grad = false;
  uint32_t slot = 0;          // output number in grad_fn
  Node* grad_fn = nullptr;    // counted; null for leaves
  Node* accumulator = nullptr;  // not counted; the live AccumulateGrad node of a leaf
  PyObject* grad = nullptr;   // a Tensor or null
  PyObject* hooks = nullptr;  // dict id -> callable, or null
  struct ViewOf* view = nullptr;  // set for views whose base takes part in differentiation
};

// What a node keeps of a tensor: its memory and layout, never a Python object.
struct SavedTensor {
  Storage* storage = nullptr;
  Layout layout;
  DType dtype;
  uint32_t version = 0;
  AutogradMeta* meta = nullptr;  // counted; null for constants and for the node's own outputs
  int own_output = -1;           // >= 0: output (or residual) of the saving node itself
};

// How the backward of one plan is obtained; made in Python together with the plan.
struct GradRecord {
  PyObject_HEAD;
  Program backward;        // compiles backward plans; words = (defined cotangents, needed gradients)
  PyObject* name;          // "AddBackward0"
  PyObject* formula;       // the Python object behind it: runs the rule as ordinary ops (create_graph)
  std::vector<int> inputs;  // for each edge: index into Call::tensors
  // What to save: kind 0 = input, 1 = output, 2 = residual; and its index.
  std::vector<std::pair<int, int>> saved;
  // Input sizes the backward needs, as (tensor, axis): appended to the forward call's ints when the
  // backward is called (Call::ints = forward ints, then these).
  std::vector<std::pair<int, int>> sizes;
};
// Python: _C.GradRecord(name, compile, formula, inputs, saved, sizes)

bool grad_enabled();  // thread-local
void set_grad_enabled(bool enabled);
bool inference_enabled();
void set_inference_enabled(bool enabled);

inline bool requires_grad(const Tensor* t);

// Called after a binding with a GradRecord has run: makes the node, saves tensors, links edges, sets
// the grad_meta of the differentiable outputs. For written inputs does the in-place bookkeeping
// (leaf check, rebasing of views). False with an exception set.
bool record_operation(GradRecord& record, const Binding& binding, const Call& call,
                      Tensor* const* outputs);

// In-place writes: raises versions; checks that a leaf that requires grad is not overwritten.
bool check_inplace(Tensor* t, const char* op);
inline void bump_version(Tensor* t) { ++t->storage->version; }

// Marks `view` as a view of `base` for differentiation (only if base takes part in it).
void record_view(Tensor* view, Tensor* base);

void drop_meta(AutogradMeta* meta);

inline bool requires_grad(const Tensor* t) {
  return t->grad_meta && (t->grad_meta->requires_grad || t->grad_meta->grad_fn);
}

}  // namespace gleed
