#include "node.h"

#include <cstdlib>
#include <new>

#include "bind_autograd.h"

namespace gleed {

AutogradStats autograd_stats;

// Blocks of nodes come in classes of 64 bytes; those given back wait in a list per class.
namespace {

constexpr size_t kGranule = 64;
constexpr size_t kClasses = 33;  // the last one stands for blocks from malloc

struct FreeBlock {
  FreeBlock* next;
};
FreeBlock* free_blocks[kClasses];

void* take_block(size_t bytes, uint8_t* size_class) {
  size_t k = (bytes + kGranule - 1) / kGranule;
  if (k >= kClasses) {
    *size_class = kClasses;
    return std::malloc(bytes);
  }
  *size_class = static_cast<uint8_t>(k);
  if (FreeBlock* block = free_blocks[k]) {
    free_blocks[k] = block->next;
    return block;
  }
  return std::malloc(k * kGranule);
}

void give_block(void* block, uint8_t size_class) {
  if (size_class >= kClasses) return std::free(block);
  auto* free_block = static_cast<FreeBlock*>(block);
  free_block->next = free_blocks[size_class];
  free_blocks[size_class] = free_block;
}

}  // namespace

Node* new_node(NodeKind kind, size_t struct_size, uint32_t edges, uint32_t saved, size_t extra,
               char** extra_out) {
  static uint64_t next_sequence = 0;
  struct_size = (struct_size + 7) & ~size_t{7};
  size_t edges_at = struct_size;
  size_t saved_at = edges_at + edges * sizeof(Edge);
  size_t extra_at = saved_at + saved * sizeof(SavedTensor);
  uint8_t size_class;
  auto* block = static_cast<char*>(take_block(extra_at + extra, &size_class));
  if (!block) {
    PyErr_NoMemory();
    return nullptr;
  }
  auto* node = reinterpret_cast<Node*>(block);
  node->refs = 1;
  node->kind = kind;
  node->size_class = size_class;
  node->released = false;
  node->edge_count = edges;
  node->slot_count = 1;
  node->saved_count = 0;  // counts those that are filled in
  node->sequence = kind == NodeKind::kAccumulate ? UINT64_MAX : next_sequence++;
  node->edges = reinterpret_cast<Edge*>(block + edges_at);
  node->saved = reinterpret_cast<SavedTensor*>(block + saved_at);
  node->extras = nullptr;
  node->object = nullptr;
  for (uint32_t i = 0; i < edges; ++i) node->edges[i] = Edge{};
  if (extra_out) *extra_out = block + extra_at;
  ++autograd_stats.nodes;
  return node;
}

static void destroy_extras(NodeExtras* extras) {
  for (auto& hooks : extras->tensor_hooks) Py_DECREF(hooks.hooks);
  Py_XDECREF(extras->pre_hooks);
  Py_XDECREF(extras->post_hooks);
  Py_XDECREF(extras->post_accumulate_hooks);
  Py_XDECREF(extras->metadata);
  delete extras;
}

static void release_node(Node* node) {
  release_saved(node);
  for (uint32_t i = 0; i < node->edge_count; ++i) {
    if (Node* next = node->edges[i].node) drop(next);
  }
  switch (node->kind) {
    case NodeKind::kOperation:
      Py_DECREF(static_cast<OperationNode*>(node)->record);
      break;
    case NodeKind::kAccumulate:
      break;
    case NodeKind::kFunction:
      forget_function_node(static_cast<FunctionNode*>(node)->context);
      Py_DECREF(static_cast<FunctionNode*>(node)->context);
      break;
    case NodeKind::kViewWrite:
      if (Node* write = static_cast<ViewWriteNode*>(node)->write) drop(write);
      break;
  }
  if (node->extras) destroy_extras(node->extras);
  give_block(node, node->size_class);
  --autograd_stats.nodes;
}

// Nodes whose last reference went wait here while one is taken apart, so that graphs of any depth
// are freed without recursion, also where Python objects (contexts of Functions, hooks) link them.
static std::vector<Node*> dead;
static bool draining = false;

void destroy_node(Node* node) {
  if (draining) return dead.push_back(node);
  draining = true;
  // Python code may run below, and must not see or lose an exception that is on its way.
  PyObject *type = nullptr, *value, *traceback;
  if (PyErr_Occurred()) PyErr_Fetch(&type, &value, &traceback);
  release_node(node);
  while (!dead.empty()) {
    Node* next = dead.back();
    dead.pop_back();
    release_node(next);
  }
  if (type) PyErr_Restore(type, value, traceback);
  draining = false;
}

NodeExtras& extras(Node* node) {
  if (!node->extras) node->extras = new NodeExtras;
  return *node->extras;
}

PyObject* node_name(Node* node) {
  switch (node->kind) {
    case NodeKind::kOperation:
      return Py_NewRef(static_cast<OperationNode*>(node)->record->name);
    case NodeKind::kAccumulate:
      return PyUnicode_FromString("AccumulateGrad");
    case NodeKind::kFunction:
      return PyObject_GetAttrString(static_cast<FunctionNode*>(node)->context, "_name");
    case NodeKind::kViewWrite:
      return PyUnicode_FromString("CopySlices");  // PyTorch's name
  }
  Py_UNREACHABLE();
}

int traverse_node(Node* node, visitproc visit, void* arg) {
  if (node->kind == NodeKind::kFunction) Py_VISIT(static_cast<FunctionNode*>(node)->context);
  if (NodeExtras* more = node->extras) {
    for (auto& hooks : more->tensor_hooks) Py_VISIT(hooks.hooks);
    Py_VISIT(more->pre_hooks);
    Py_VISIT(more->post_hooks);
    Py_VISIT(more->post_accumulate_hooks);
    Py_VISIT(more->metadata);
  }
  return 0;
}

Node* accumulator_of(Tensor* leaf) {
  AutogradMeta* meta = leaf->grad_meta;
  if (!meta->accumulator) {
    Node* node = new_node(NodeKind::kAccumulate, sizeof(AccumulateNode), 0, 0, 0, nullptr);
    if (!node) return nullptr;
    static_cast<AccumulateNode*>(node)->leaf = meta;
    meta->accumulator = node;
  }
  return meta->accumulator;
}

}  // namespace gleed
