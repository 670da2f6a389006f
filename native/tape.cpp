#include "tape.h"

#include <algorithm>

#include "errors.h"
#include "node.h"
#include "recording.h"

namespace gleed {

thread_local constinit Modes modes;

// Metadata comes from a free list: most results of differentiable operations need one.
static AutogradMeta* free_metas = nullptr;  // linked through grad_fn

AutogradMeta* ensure_meta(Tensor* t) {
  if (AutogradMeta* meta = t->grad_meta) return meta;
  AutogradMeta* meta = free_metas;
  if (meta) {
    free_metas = reinterpret_cast<AutogradMeta*>(meta->grad_fn);
    *meta = AutogradMeta{};
  } else {
    meta = new AutogradMeta;
  }
  meta->tensor = t;
  t->grad_meta = meta;
  ++autograd_stats.metas;
  return meta;
}

static void forget_retained(AutogradMeta* meta) {
  auto& retained = extras(meta->grad_fn).retained;
  retained.erase(std::remove(retained.begin(), retained.end(), meta), retained.end());
}

void drop_meta(AutogradMeta* meta) {
  meta->tensor->grad_meta = nullptr;
  if (Node* node = meta->grad_fn) {
    if (meta->retains_grad) forget_retained(meta);
    drop(node);
  }
  if (Node* node = meta->accumulator) {
    auto* accumulate = static_cast<AccumulateNode*>(node);
    if (accumulate->leaf == meta) accumulate->leaf = nullptr;
    drop(node);
  }
  Py_XDECREF(meta->grad);
  meta->grad_fn = reinterpret_cast<Node*>(free_metas);
  free_metas = meta;
  --autograd_stats.metas;
}

int traverse_meta(AutogradMeta* meta, visitproc visit, void* arg) {
  Py_VISIT(meta->grad);
  // What hangs on a node belongs to this tensor only if nothing else leads there.
  for (Node* node : {meta->grad_fn, meta->accumulator}) {
    if (node && node->refs == 1) {
      if (int stop = traverse_node(node, visit, arg)) return stop;
    }
  }
  return 0;
}

void set_history(Tensor* t, Node* node, uint32_t slot) {
  AutogradMeta* meta = ensure_meta(t);
  Node* old = meta->grad_fn;
  if (old && meta->retains_grad) forget_retained(meta);
  meta->grad_fn = node ? keep(node) : nullptr;
  meta->slot = slot;
  if (node && meta->retains_grad) extras(node).retained.push_back(meta);
  if (meta->is_view) meta->view_version = t->storage->version;
  if (old) drop(old);
}

Tensor* detach(Tensor* t) {
  Tensor* detached = new_tensor(keep(t->storage), t->layout, t->dtype);
  if (detached) detached->inference = t->inference;
  return detached;
}

// Recording an operation.
namespace {

// The tensor that a record saves, or null for an index out of range.
Tensor* tensor_to_save(SavedKind kind, int index, const Call& call, Tensor* const* outputs,
                       int output_count, int residual_count) {
  if (kind == SavedKind::kInput) {
    return index < static_cast<int>(call.tensors.size()) ? call.tensors[index] : nullptr;
  }
  if (kind == SavedKind::kOutput) return index < output_count ? outputs[index] : nullptr;
  return index < residual_count ? outputs[output_count + index] : nullptr;
}

// Checks a record's indices against the plan it came with, and counts what saving takes; once,
// since every call of a plan has the same ranks.
bool check_record(GradRecord& record, const Binding& binding, const Call& call,
                  Tensor* const* outputs) {
  const auto tensors = static_cast<int>(call.tensors.size());
  bool ok = std::all_of(record.inputs.begin(), record.inputs.end(),
                        [&](int input) { return input < tensors; });
  for (auto [tensor, axis] : record.sizes) {
    ok = ok && tensor < tensors && axis < call.tensors[tensor]->layout.ndim;
  }
  int dims = 0;
  for (auto [kind, index] : record.saved) {
    Tensor* t =
        tensor_to_save(kind, index, call, outputs, output_count(binding), residual_count(binding));
    ok = ok && t;
    if (t) dims += t->layout.ndim;
  }
  if (ok) record.saved_dims = dims;
  if (!ok) raise("ValueError", "%U: a GradRecord names tensors its plan has not", record.name);
  return ok;
}

bool contains(std::span<const int> items, int item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

// Whether a tensor's memory was written to by the call, perhaps as that of another argument.
bool shares_memory(const Call& call, std::span<const int> written, const Tensor* t) {
  return std::any_of(written.begin(), written.end(),
                     [&](int input) { return call.tensors[input]->storage == t->storage; });
}

// Where an input's gradient goes. A view that this call has written to is not out of date for that.
Edge edge_before_call(Tensor* t, bool written, bool* ok) {
  AutogradMeta* meta = t->grad_meta;
  const uint32_t version = t->storage->version;
  if (written && meta && meta->view_version + 1 == version) meta->view_version = version;
  return gradient_edge(t, ok);
}

// Links edges and saves tensors, ints and scalars. False with an exception set.
bool fill_node(OperationNode* node, const GradRecord& record, const Binding& binding,
               const Call& call, Tensor* const* outputs, char* extra) {
  std::span<const int> written = written_inputs(binding);
  bool ok = true;
  for (uint32_t i = 0; i < node->edge_count; ++i) {
    const int input = record.inputs[i];
    Edge edge = edge_before_call(call.tensors[input],
                                 shares_memory(call, written, call.tensors[input]), &ok);
    if (!ok) return false;
    if (edge.node) keep(edge.node);
    node->edges[i] = edge;
  }
  auto* cells = reinterpret_cast<int64_t*>(extra);
  node->ints = cells;
  for (int64_t value : call.ints) *cells++ = value;
  for (auto [tensor, axis] : record.sizes) *cells++ = call.tensors[tensor]->layout.sizes[axis];
  node->scalars = reinterpret_cast<uint64_t*>(cells);
  for (uint64_t value : call.scalars) *cells++ = static_cast<int64_t>(value);

  const int outputs_count = output_count(binding);
  for (auto [kind, index] : record.saved) {
    SavedTensor& saved = node->saved[node->saved_count];
    if (kind == SavedKind::kInput) {
      Tensor* t = call.tensors[index];
      const bool overwritten = shares_memory(call, written, t);
      Edge history = edge_before_call(t, overwritten, &ok);
      if (!ok) return false;
      save_tensor(saved, t, -1, history, cells);
      // The value before the call is meant, and it is gone: using it must be an error.
      saved.version -= overwritten;
    } else {
      int slot = kind == SavedKind::kOutput ? index : outputs_count + index;
      save_tensor(saved, outputs[slot], slot, Edge{}, cells);
    }
    cells += 2 * saved.ndim;
    ++node->saved_count;
  }
  return true;
}

int edge_of_input(const GradRecord& record, int input) {
  auto found = std::find(record.inputs.begin(), record.inputs.end(), input);
  return found == record.inputs.end() ? -1 : static_cast<int>(found - record.inputs.begin());
}

// Gives an output that shares an input's memory its history.
bool record_alias(const GradRecord& record, const Binding& binding, const Call& call,
                  Tensor* output, int input, OperationNode* node, int slot) {
  Tensor* source = call.tensors[input];
  if (output != source) {
    record_view(output, source);
    set_history(output, node, slot);
    return true;
  }
  if (!contains(written_inputs(binding), input)) return true;  // handed through as it is
  return rebase_history(output, node, slot, edge_of_input(record, input));
}

// Writes that no output shows could not be differentiated.
bool check_written_returned(const GradRecord& record, const Binding& binding, const Call& call,
                            Tensor* const* outputs) {
  for (int input : written_inputs(binding)) {
    Tensor* const* end = outputs + output_count(binding);
    if (std::find(outputs, end, call.tensors[input]) == end && requires_grad(call.tensors[input])) {
      raise("GradientError",
            "%U: a tensor that requires grad was written without being returned; argument %d; "
            "call it under gleed.no_grad()",
            record.name, input);
      return false;
    }
  }
  return true;
}

}  // namespace

bool record_operation(GradRecord& record, const Binding& binding, const Call& call,
                      Tensor* const* outputs) {
  const int outputs_count = output_count(binding);
  if (record.saved_dims < 0 && !check_record(record, binding, call, outputs)) return false;
  const auto edges = static_cast<uint32_t>(record.inputs.size());
  const auto saved = static_cast<uint32_t>(record.saved.size());
  const size_t int_count = call.ints.size() + record.sizes.size();
  const size_t cells = int_count + call.scalars.size() + 2 * record.saved_dims;
  char* extra;
  auto* node = static_cast<OperationNode*>(new_node(NodeKind::kOperation, sizeof(OperationNode),
                                                    edges, saved, cells * sizeof(int64_t), &extra));
  if (!node) return false;
  Py_INCREF(&record);
  node->record = &record;
  node->slot_count = outputs_count + residual_count(binding);
  node->int_count = static_cast<uint32_t>(int_count);
  node->scalar_count = static_cast<uint32_t>(call.scalars.size());
  bool ok = fill_node(node, record, binding, call, outputs, extra);
  if (ok && anomaly_enabled) note_forward(node);
  for (int k = 0; ok && k < std::min(outputs_count, record.outputs); ++k) {
    if (!differentiable(outputs[k]->dtype)) continue;
    int input = alias_of(binding, k);
    if (input < 0) {
      set_history(outputs[k], node, k);
    } else {
      ok = record_alias(record, binding, call, outputs[k], input, node, k);
    }
  }
  if (ok && !written_inputs(binding).empty()) {
    ok = check_written_returned(record, binding, call, outputs);
  }
  if (ok && recording()) ok = record_node(binding, node);
  drop(node);
  return ok;
}

}  // namespace gleed
