// Nodes of the graph: what flows back through them, to where, and what they keep for it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tape.h"

namespace gleed {

enum class NodeKind : uint8_t {
  kOperation,   // a call of an op
  kAccumulate,  // the end of the way: adds to a leaf's grad
  kFunction,    // a custom autograd.Function
  kViewWrite,   // an in-place write through a view, as its base sees it
};

// What a node keeps of a tensor: its memory and layout, never a Python object.
struct SavedTensor {
  Storage* storage;  // counted; null: None was saved
  int64_t offset, numel;
  int64_t* dims;     // sizes, then strides; inside the node's block
  Edge history;      // counted; null for constants and for the node's own outputs
  int32_t own_slot;  // the output (or residual) of the node itself that this is, or -1
  uint32_t version;  // of the storage when it was saved
  int8_t ndim;
  bool contiguous;
  DType dtype;
};

// What few nodes have.
struct NodeExtras {
  struct TensorHooks {
    uint32_t slot;
    PyObject* hooks;  // run on the complete cotangent of the slot
  };
  std::vector<TensorHooks> tensor_hooks;
  std::vector<AutogradMeta*> retained;  // of living tensors that keep their grad; borrowed
  PyObject* pre_hooks = nullptr;        // gleed.hooks.HookTable: dict id -> callable
  PyObject* post_hooks = nullptr;
  PyObject* post_accumulate_hooks = nullptr;
  PyObject* metadata = nullptr;  // a dict; holds "traceback_" in anomaly mode
};

struct Node {
  int32_t refs;
  NodeKind kind;
  uint8_t size_class;
  bool released;  // what was saved is gone: backward ran without retain_graph
  uint32_t edge_count;
  uint32_t slot_count;  // outputs and residuals
  uint32_t saved_count;
  uint64_t sequence;  // nodes made later have larger numbers; accumulators the largest
  Edge* edges;        // counted; null nodes for constants
  SavedTensor* saved;
  NodeExtras* extras;
  PyObject* object;  // the Python object for this node while there is one; borrowed
};

struct OperationNode : Node {
  GradRecord* record;  // counted
  uint32_t int_count, scalar_count;
  int64_t* ints;
  uint64_t* scalars;
};

struct AccumulateNode : Node {
  AutogradMeta* leaf;  // borrowed; null once the leaf is gone
};

struct FunctionNode : Node {
  PyObject* context;  // a FunctionContext (function_node.cpp)
  // Of each edge's input and each slot's output: what gradients must look like.
  struct Shape {
    int8_t ndim;
    DType dtype;
    int64_t* sizes;
  };
  Shape* input_shapes;
  Shape* output_shapes;
};

struct ViewWriteNode : Node {
  Node* write;  // counted; its gradients are with respect to the view; null: constants were written
  uint32_t write_slot;
  uint32_t base_edge;     // the edge that leads to the old base
  bool has_written_edge;  // `write` passes a gradient on to the old view, through that same edge
  Layout base, view;
  DType dtype;
};

// A block for a node, its edges, saved tensors and `extra` more bytes, in that order behind the
// struct. The fields of Node are set (edges to null); the rest is not.
Node* new_node(NodeKind kind, size_t struct_size, uint32_t edges, uint32_t saved, size_t extra,
               char** extra_out);
void destroy_node(Node* node);  // called by drop on the last reference; never recurses

inline Node* keep(Node* node) {
  ++node->refs;
  return node;
}
inline void drop(Node* node) {
  if (--node->refs == 0) destroy_node(node);
}

NodeExtras& extras(Node* node);  // made when first asked for
// Adds a hook to a gleed.hooks.HookTable, made when it is null; returns the handle, or null with an
// exception set.
PyObject* add_hook(PyObject** hooks, PyObject* hook);
PyObject* add_tensor_hook(Node* node, uint32_t slot, PyObject* hook);
PyObject* node_name(Node* node);    // new reference: "AddBackward0"
PyObject* node_object(Node* node);  // new reference; null with an exception set
int traverse_node(Node* node, visitproc visit, void* arg);  // what only this node holds

// Saving and getting back. `dims` has room for 2 * ndim numbers.
void save_tensor(SavedTensor& saved, Tensor* t, int own_slot, Edge history, int64_t* dims);
// A new reference. With `attached`, the tensor takes part in differentiation as it did when saved.
// Null with an exception set if it was overwritten since.
Tensor* unpack(const SavedTensor& saved, Node* owner, bool attached);
void release_saved(Node* node);
// A clear error for a node whose saved tensors are gone.
PyObject* raise_released(Node* node);

// Whether a custom Function wants zeros where nothing flows back.
bool materializes(const FunctionNode* node);

// In-place writes to shared memory, remembered for the message about overwritten values.
void note_write(const Storage* storage, uint32_t version, const char* op);

// Anomaly mode: nodes remember the Python stack they were made in.
extern bool anomaly_enabled, anomaly_checks_nan;
void note_forward(Node* node);

// Operations that the engine itself needs; registered from Python.
enum class EngineOp { kAdd, kAddInplace, kClone, kCopyInplace, kZeroInplace, kAsStrided, kIsNan };
constexpr int kEngineOps = 7;
extern const char* const kEngineOpNames[kEngineOps];
void set_engine_op(EngineOp op, PyObject* callable);
// Calls one; new reference, or null with an exception set.
PyObject* call_engine_op(EngineOp op, std::span<PyObject* const> arguments);

Node* accumulator_of(Tensor* leaf);  // borrowed

struct AutogradStats {
  int64_t nodes, metas;  // alive
};
extern AutogradStats autograd_stats;

}  // namespace gleed
