// Views and in-place writes: how history follows memory that several tensors share.
//
// A write through a view changes its base too, and every other view of it. So the write becomes
// part of the base's history (a ViewWrite node), and a view whose grad_fn is older than the memory
// makes itself a new one from its base when it is next asked.
#include "errors.h"
#include "node.h"

namespace gleed {

void record_view(Tensor* view, Tensor* source) {
  if (modes.inference || !view->base || !differentiable(view->dtype) ||
      view->dtype != view->base->dtype) {
    return;
  }
  AutogradMeta* meta = ensure_meta(view);
  if (meta->is_view) return;
  const AutogradMeta* from = source->grad_meta;
  meta->is_view = true;
  meta->tracked_view = modes.grad && (source == view->base || !from || from->tracked_view);
  meta->view_version = view->storage->version;
}

// Tuple of sizes or strides; new reference.
static PyObject* tuple_of(const int64_t* numbers, int count) {
  PyObject* tuple = PyTuple_New(count);
  for (int i = 0; tuple && i < count; ++i) {
    PyObject* number = PyLong_FromLongLong(numbers[i]);
    if (!number) Py_CLEAR(tuple);
    if (tuple) PyTuple_SET_ITEM(tuple, i, number);
  }
  return tuple;
}

// Makes the grad_fn of a view anew from its base. False with an exception set.
static bool regenerate(Tensor* view) {
  Tensor* base = view->base;
  if (!requires_grad(base)) {
    set_history(view, nullptr, 0);
    return true;
  }
  const Layout& layout = view->layout;
  PyObject* arguments[] = {object(base), tuple_of(layout.sizes, layout.ndim),
                           tuple_of(layout.strides, layout.ndim),
                           PyLong_FromLongLong(layout.offset)};
  Modes before = modes;
  modes = Modes{};
  PyObject* made = arguments[1] && arguments[2] && arguments[3]
                       ? call_engine_op(EngineOp::kAsStrided, arguments)
                       : nullptr;
  modes = before;
  for (int i = 1; i < 4; ++i) Py_XDECREF(arguments[i]);
  if (!made) return false;
  if (is_tensor(made) && as_tensor(made)->grad_meta) {
    AutogradMeta* fresh = as_tensor(made)->grad_meta;
    set_history(view, fresh->grad_fn, fresh->slot);
  }
  Py_DECREF(made);
  return true;
}

// A view that a custom Function returned has a history that its base knows nothing of.
static bool check_untracked(const Tensor* view) {
  if (!view->grad_meta->grad_fn) return true;
  raise("GradientError",
        "view: its history does not follow its memory; it was made without gradients (by a custom "
        "Function), and the memory was written to since; return a .clone() from the Function");
  return false;
}

Edge gradient_edge(Tensor* t, bool* ok) {
  AutogradMeta* meta = t->grad_meta;
  if (!meta) return {};
  if (meta->is_view && meta->view_version != t->storage->version) {
    if (meta->tracked_view ? !regenerate(t) : !check_untracked(t)) {
      *ok = false;
      return {};
    }
  }
  if (meta->grad_fn) return {meta->grad_fn, meta->slot};
  if (!meta->requires_grad) return {};
  Node* node = accumulator_of(t);
  if (!node) *ok = false;
  return {node, 0};
}

bool check_inplace(Tensor* t, const char* op) {
  if (t->inference && !modes.inference) {
    raise("GradientError",
          "%s: a tensor made under inference_mode cannot be changed outside of it; write to a "
          ".clone() of it, or stay in inference_mode",
          op);
    return false;
  }
  AutogradMeta* meta = t->grad_meta;
  if (meta && modes.grad) {
    if (meta->requires_grad && !meta->grad_fn) {
      raise("GradientError",
            "%s: a leaf that requires grad cannot be changed in place, its gradient would have no "
            "place to go; update it under gleed.no_grad(), or use the out-of-place form",
            op);
      return false;
    }
    if (meta->is_view && requires_grad(t->base)) {
      const AutogradMeta* base = t->base->grad_meta;
      if (base->requires_grad && !base->grad_fn) {
        raise("GradientError",
              "%s: a view of a leaf that requires grad cannot be changed in place; update the leaf "
              "under gleed.no_grad(), or write to a .clone()",
              op);
        return false;
      }
      if (!meta->tracked_view) {
        raise("GradientError",
              "%s: the view was made under no_grad and is changed with gradients enabled; should "
              "the change be differentiated? Do both inside no_grad, or both outside",
              op);
        return false;
      }
    }
  }
  note_write(t->storage, t->storage->version + 1, op);
  return true;
}

// The node that stands for a write into `view` in the history of `base`. `write` may be null: the
// written values are constants. New reference.
static Node* view_write(Tensor* base, Tensor* view, Node* write, uint32_t slot, int written_edge) {
  bool ok = true;
  Edge to_base = gradient_edge(base, &ok);
  if (!ok) return nullptr;
  // The write's own edges, the one to the old view replaced by one to the base.
  uint32_t edges = write ? write->edge_count + (written_edge < 0) : 1;
  uint32_t base_edge = written_edge < 0 ? edges - 1 : static_cast<uint32_t>(written_edge);
  auto* node = static_cast<ViewWriteNode*>(
      new_node(NodeKind::kViewWrite, sizeof(ViewWriteNode), edges, 0, 0, nullptr));
  if (!node) return nullptr;
  for (uint32_t i = 0; i < edges; ++i) {
    Edge edge = i == base_edge ? to_base : write->edges[i];
    if (edge.node) keep(edge.node);
    node->edges[i] = edge;
  }
  node->write = write ? keep(write) : nullptr;
  node->write_slot = slot;
  node->base_edge = base_edge;
  node->has_written_edge = written_edge >= 0;
  node->base = base->layout;
  node->view = view->layout;
  node->dtype = base->dtype;
  return node;
}

static bool rebase_view(Tensor* view, Node* write, uint32_t slot, int written_edge) {
  AutogradMeta* meta = view->grad_meta;
  if (!meta->tracked_view) {
    raise("GradientError",
          "in-place: a view made under no_grad was given values that require grad; make the view "
          "with gradients enabled, or write under no_grad");
    return false;
  }
  Node* node = view_write(view->base, view, write, slot, written_edge);
  if (!node) return false;
  set_history(view->base, node, 0);
  drop(node);
  meta->view_version =
      view->storage->version - 1;  // stale: to be made from the base when asked for
  return true;
}

bool share_history(Tensor* copy, Tensor* of) {
  bool ok = true;
  Edge edge = gradient_edge(of, &ok);
  if (!ok || !edge.node) return ok;
  if (edge.node->kind == NodeKind::kAccumulate) {
    AutogradMeta* meta = ensure_meta(copy);
    meta->requires_grad = true;
    meta->accumulator = keep(edge.node);
  } else {
    set_history(copy, edge.node, edge.slot);
  }
  return true;
}

bool rebase_history(Tensor* t, Node* node, uint32_t slot, int written_edge) {
  AutogradMeta* meta = ensure_meta(t);
  if (meta->is_view) return rebase_view(t, node, slot, written_edge);
  meta->requires_grad = false;  // it is no leaf any more
  set_history(t, node, slot);
  return true;
}

bool record_constant_write(Tensor* t) {
  AutogradMeta* meta = t->grad_meta;
  if (!meta || !modes.grad || !requires_grad(t)) return true;
  if (meta->is_view) return rebase_view(t, nullptr, 0, -1);
  // A write to all of it: the old value gets zeros.
  Node* node = view_write(t, t, nullptr, 0, -1);
  if (!node) return false;
  set_history(t, node, 0);
  drop(node);
  return true;
}

}  // namespace gleed
