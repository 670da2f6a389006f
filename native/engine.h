// The backward engine: runs a graph from its roots, each node once, when all that flows into it is
// known.
#pragma once

#include <cstdint>
#include <span>

#include "node.h"

namespace gleed {

struct BackwardOptions {
  bool retain_graph = false;
  bool create_graph = false;
  bool partial = false;  // what flows into one of `inputs` goes no further
};

// Gradients of `roots`, given theirs (`cotangents`, one per root).
// * No `inputs`: accumulates into the grad of every leaf that is reached.
// * `inputs`, and `results` with as many places: new references to their gradients, null where no
//   path leads; no grad is touched.
// * `inputs` without `results`: accumulates into the grad of these tensors alone.
// False with an exception set.
bool run_backward(std::span<Tensor* const> roots, std::span<Tensor* const> cotangents,
                  std::span<Tensor* const> inputs, Tensor** results, BackwardOptions options);

// What applying a node takes and gives.
struct Application {
  std::span<Tensor*> cotangents;    // per slot; at least one is not null
  std::span<const uint8_t> needed;  // per edge
  std::span<Tensor*> gradients;     // per edge, null on entry; filled with new references
  BackwardOptions options;
};
bool apply(Node* node, Application& application);

// Ends of the way (accumulate.cpp). `gradient` is borrowed; its memory is taken over where the
// caller holds the only reference.
bool accumulate_grad(AccumulateNode* node, Tensor* gradient, bool create_graph);
bool accumulate_into(AutogradMeta* meta, Tensor* gradient, bool create_graph);

// Fresh tensors. `empty_strided` has the sizes and strides of `like` and values unset.
Tensor* empty_strided(const Layout& like, DType dtype);
Tensor* zeros(std::span<const int64_t> sizes, DType dtype);
Tensor* ones_like(const Tensor* t);  // for tensors of one element
// Whether nobody but the holder of the one reference can see this memory.
bool exclusive(const Tensor* t);
// Whether the strides that mean something are equal.
bool same_strides(const Layout& a, const Layout& b);

// Runs hooks (a dict id -> callable) over a cotangent, which each may replace. In place; false with
// an exception set.
bool run_tensor_hooks(PyObject* hooks, Tensor** cotangent);
bool run_pre_hooks(Node* node, std::span<Tensor*> cotangents);
bool run_post_hooks(Node* node, std::span<Tensor*> gradients, std::span<Tensor*> cotangents);

// Anomaly mode (anomaly.cpp), after a node was applied: a gradient that is NaN is an error, and
// with an error comes where the node was made. Returns false with an exception set, or `ok`.
bool check_anomaly(Node* node, std::span<Tensor*> gradients, bool ok);

}  // namespace gleed
