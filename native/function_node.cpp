// The native side of autograd.Function: the context that forward and backward share, and the node.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <algorithm>
#include <vector>

#include "bind_autograd.h"
#include "engine.h"
#include "errors.h"

namespace gleed {

namespace {

struct FunctionContext {
  PyObject_HEAD;
  FunctionNode* node;            // borrowed; null before the node is made and after it is gone
  PyObject* to_save;             // tuple, until the node has saved the tensors
  PyObject* dirty;               // tuple
  PyObject* non_differentiable;  // tuple
  PyObject* needs_input_grad;    // tuple of bools
  char materialize;              // undefined cotangents become zeros
  char finished;                 // the node was made, or no gradient is recorded
};

FunctionContext* as_context(PyObject* o) { return reinterpret_cast<FunctionContext*>(o); }

PyTypeObject* context_type = nullptr;

PyObject* context_new(PyTypeObject* type, PyObject*, PyObject*) {
  auto* context = as_context(type->tp_alloc(type, 0));
  if (!context) return nullptr;
  context->materialize = 1;
  for (PyObject** tuple : {&context->to_save, &context->dirty, &context->non_differentiable,
                           &context->needs_input_grad}) {
    *tuple = PyTuple_New(0);
  }
  return reinterpret_cast<PyObject*>(context);
}

int context_traverse(PyObject* self, visitproc visit, void* arg) {
  FunctionContext* context = as_context(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(context->to_save);
  Py_VISIT(context->dirty);
  Py_VISIT(context->non_differentiable);
  Py_VISIT(context->needs_input_grad);
  return 0;
}

int context_clear(PyObject* self) {
  FunctionContext* context = as_context(self);
  Py_CLEAR(context->to_save);
  Py_CLEAR(context->dirty);
  Py_CLEAR(context->non_differentiable);
  Py_CLEAR(context->needs_input_grad);
  return 0;
}

void context_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  context_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* context_save(PyObject* self, PyObject* args) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) {
    PyObject* item = PyTuple_GET_ITEM(args, i);
    if (item == Py_None || is_tensor(item)) continue;
    return raise(
        "ArgumentError",
        "save_for_backward: saves tensors and None; argument %zd is a %s; keep other values "
        "as attributes of ctx",
        i, Py_TYPE(item)->tp_name);
  }
  Py_XSETREF(as_context(self)->to_save, Py_NewRef(args));
  Py_RETURN_NONE;
}

PyObject* set_tensors(PyObject** field, PyObject* args, const char* method) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) {
    if (is_tensor(PyTuple_GET_ITEM(args, i))) continue;
    return raise("ArgumentError", "%s: takes tensors; argument %zd is a %s", method, i,
                 Py_TYPE(PyTuple_GET_ITEM(args, i))->tp_name);
  }
  Py_XSETREF(*field, Py_NewRef(args));
  Py_RETURN_NONE;
}

PyObject* context_mark_dirty(PyObject* self, PyObject* args) {
  return set_tensors(&as_context(self)->dirty, args, "mark_dirty");
}

PyObject* context_mark_non_differentiable(PyObject* self, PyObject* args) {
  return set_tensors(&as_context(self)->non_differentiable, args, "mark_non_differentiable");
}

PyObject* context_set_materialize(PyObject* self, PyObject* value) {
  int on = PyObject_IsTrue(value);
  if (on < 0) return nullptr;
  as_context(self)->materialize = static_cast<char>(on);
  Py_RETURN_NONE;
}

PyObject* context_saved_tensors(PyObject* self, void*) {
  FunctionContext* context = as_context(self);
  if (!context->finished) return Py_XNewRef(context->to_save);
  FunctionNode* node = context->node;
  if (!node) {
    return raise(
        "GradientError",
        "saved_tensors: they live as long as the graph; the graph is gone; keep a result of "
        "the Function alive");
  }
  if (node->released) return raise_released(node);
  PyObject* tensors = PyTuple_New(node->saved_count);
  for (uint32_t i = 0; tensors && i < node->saved_count; ++i) {
    const SavedTensor& saved = node->saved[i];
    PyObject* t =
        saved.storage ? object(unpack(saved, node, /*attached=*/true)) : Py_NewRef(Py_None);
    if (!t) Py_CLEAR(tensors);
    if (tensors) PyTuple_SET_ITEM(tensors, i, t);
  }
  return tensors;
}

PyMethodDef context_methods[] = {
    {"save_for_backward", context_save, METH_VARARGS,
     "Keep tensors for backward, which finds them in `saved_tensors`. What was written to in "
     "between is an error there."},
    {"mark_dirty", context_mark_dirty, METH_VARARGS,
     "Name the inputs that forward has changed in place; it must return them."},
    {"mark_non_differentiable", context_mark_non_differentiable, METH_VARARGS,
     "Name the outputs that no gradient flows through."},
    {"set_materialize_grads", context_set_materialize, METH_O,
     "Whether backward gets zeros (the default) or None for outputs nothing flows back to."},
    {nullptr, nullptr, 0, nullptr},
};
PyMemberDef context_members[] = {
    {"needs_input_grad", T_OBJECT, offsetof(FunctionContext, needs_input_grad), 0,
     "For each input, whether its gradient is needed."},
    {nullptr, 0, 0, 0, nullptr},
};
PyGetSetDef context_getset[] = {
    {"saved_tensors", context_saved_tensors, nullptr, "What save_for_backward has kept.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyType_Slot context_slots[] = {
    {Py_tp_doc, const_cast<char*>("What forward and backward of a Function share.")},
    {Py_tp_new, reinterpret_cast<void*>(context_new)},
    {Py_tp_methods, context_methods},
    {Py_tp_members, context_members},
    {Py_tp_getset, context_getset},
    {Py_tp_traverse, reinterpret_cast<void*>(context_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(context_clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(context_dealloc)},
    {0, nullptr},
};
PyType_Spec context_spec = {"gleed._C.FunctionContext", sizeof(FunctionContext), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
                            context_slots};

Py_ssize_t position(PyObject* tuple, PyObject* item) {
  for (Py_ssize_t i = 0; tuple && i < PyTuple_GET_SIZE(tuple); ++i) {
    if (PyTuple_GET_ITEM(tuple, i) == item) return i;
  }
  return -1;
}

// Copies sizes behind the node; advances `cells`.
FunctionNode::Shape shape_of(PyObject* o, int64_t** cells) {
  if (!is_tensor(o)) return {-1, DType::kFloat32, nullptr};
  const Tensor* t = as_tensor(o);
  FunctionNode::Shape shape{static_cast<int8_t>(t->layout.ndim), t->dtype, *cells};
  for (int64_t size : t->layout.shape()) *(*cells)++ = size;
  return shape;
}

// Function works on values: stand-ins of the tracer have none yet.
bool all_concrete(PyObject* tuple) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) {
    PyObject* item = PyTuple_GET_ITEM(tuple, i);
    if (is_tensor(item) && !concrete(as_tensor(item), "Function")) return false;
  }
  return true;
}

int rank(PyObject* o) { return is_tensor(o) ? as_tensor(o)->layout.ndim : 0; }

// Moves what save_for_backward was given into the node.
bool save_all(FunctionContext* context, FunctionNode* node, PyObject* outputs, int64_t* cells) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(context->to_save); ++i) {
    PyObject* item = PyTuple_GET_ITEM(context->to_save, i);
    SavedTensor& saved = node->saved[node->saved_count];
    if (item == Py_None) {
      saved = SavedTensor{};
    } else {
      Tensor* t = as_tensor(item);
      bool ok = true;
      auto own = static_cast<int>(position(outputs, item));
      Edge history = own < 0 ? gradient_edge(t, &ok) : Edge{};
      if (!ok) return false;
      save_tensor(saved, t, own, history, cells);
      cells += 2 * t->layout.ndim;
    }
    ++node->saved_count;
  }
  return true;
}

// The node of a call, with its edges and saved tensors; null with an exception set.
FunctionNode* make_node(FunctionContext* context, const std::vector<PyObject*>& inputs,
                        PyObject* outputs) {
  const Py_ssize_t output_count = PyTuple_GET_SIZE(outputs);
  size_t cells = 0;
  for (PyObject* input : inputs) cells += rank(input);
  for (Py_ssize_t i = 0; i < output_count; ++i) cells += rank(PyTuple_GET_ITEM(outputs, i));
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(context->to_save); ++i) {
    cells += 2 * rank(PyTuple_GET_ITEM(context->to_save, i));
  }
  char* extra;
  auto* node = static_cast<FunctionNode*>(new_node(
      NodeKind::kFunction, sizeof(FunctionNode), static_cast<uint32_t>(inputs.size()),
      static_cast<uint32_t>(PyTuple_GET_SIZE(context->to_save)),
      (inputs.size() + output_count) * sizeof(FunctionNode::Shape) + cells * sizeof(int64_t),
      &extra));
  if (!node) return nullptr;
  node->context = Py_NewRef(reinterpret_cast<PyObject*>(context));
  node->slot_count = static_cast<uint32_t>(output_count);
  node->input_shapes = reinterpret_cast<FunctionNode::Shape*>(extra);
  node->output_shapes = node->input_shapes + inputs.size();
  auto* sizes = reinterpret_cast<int64_t*>(node->output_shapes + output_count);
  bool ok = true;
  for (size_t i = 0; ok && i < inputs.size(); ++i) {
    node->input_shapes[i] = shape_of(inputs[i], &sizes);
    Edge edge = gradient_edge(as_tensor(inputs[i]), &ok);
    if (ok && edge.node) keep(edge.node);
    if (ok) node->edges[i] = edge;
  }
  for (Py_ssize_t i = 0; i < output_count; ++i) {
    node->output_shapes[i] = shape_of(PyTuple_GET_ITEM(outputs, i), &sizes);
  }
  if (!ok || !save_all(context, node, outputs, sizes)) {
    drop(node);
    return nullptr;
  }
  if (anomaly_enabled) note_forward(node);
  return node;
}

// A written input becomes a result of the node; leaves and views of leaves cannot.
bool attach_dirty(Tensor* t, FunctionNode* node, uint32_t slot,
                  const std::vector<PyObject*>& inputs) {
  if (!check_inplace(t, "mark_dirty")) return false;
  int edge = -1;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == object(t)) edge = static_cast<int>(i);
  }
  return rebase_history(t, node, slot, edge);
}

// Output `slot` with its place in the graph; new reference.
PyObject* attach_output(FunctionContext* context, FunctionNode* node, PyObject* output,
                        uint32_t slot, const std::vector<PyObject*>& inputs) {
  if (!is_tensor(output)) return Py_NewRef(output);
  Tensor* t = as_tensor(output);
  const bool is_input = std::find(inputs.begin(), inputs.end(), output) != inputs.end();
  if (position(context->dirty, output) >= 0) {
    if (node && !attach_dirty(t, node, slot, inputs)) return nullptr;
    return Py_NewRef(output);
  }
  const bool constant =
      !node || !differentiable(t->dtype) || position(context->non_differentiable, output) >= 0;
  // An input that is handed on must not lose its own history, nor another result of the same call.
  if (is_input || (t->grad_meta && t->grad_meta->grad_fn)) {
    t = detach(t);
    if (!t) return nullptr;
  } else {
    Py_INCREF(output);
  }
  if (!constant) {
    set_history(t, node, slot);
    track(t);  // the context may refer to its own results
  }
  return object(t);
}

// record_function(ctx, inputs, outputs) -> outputs
PyObject* record_function(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 3 || !PyObject_TypeCheck(args[0], context_type) || !PyTuple_Check(args[1]) ||
      !PyTuple_Check(args[2])) {
    return raise("TypeError", "record_function: takes a context and two tuples");
  }
  FunctionContext* context = as_context(args[0]);
  PyObject* outputs = args[2];
  if (context->finished) return raise("RuntimeError", "Function: a context serves one call");
  for (PyObject* tensors : {args[1], args[2], context->to_save}) {
    if (!all_concrete(tensors)) return nullptr;
  }
  std::vector<PyObject*> inputs;
  bool records = false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args[1]); ++i) {
    PyObject* input = PyTuple_GET_ITEM(args[1], i);
    if (!is_tensor(input)) continue;
    inputs.push_back(input);
    records = records || requires_grad(as_tensor(input));
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(context->dirty); ++i) {
    if (position(outputs, PyTuple_GET_ITEM(context->dirty, i)) >= 0) continue;
    return raise("GradientError",
                 "mark_dirty: what was changed in place must be returned; tensor "
                 "%zd was not; return it from forward",
                 i);
  }
  FunctionNode* node = nullptr;
  if (records && modes.grad) {
    node = make_node(context, inputs, outputs);
    if (!node) return nullptr;
  }
  PyObject* attached = PyTuple_New(PyTuple_GET_SIZE(outputs));
  for (Py_ssize_t i = 0; attached && i < PyTuple_GET_SIZE(outputs); ++i) {
    PyObject* output = attach_output(context, node, PyTuple_GET_ITEM(outputs, i),
                                     static_cast<uint32_t>(i), inputs);
    if (!output) Py_CLEAR(attached);
    if (attached) PyTuple_SET_ITEM(attached, i, output);
  }
  context->node = node;
  context->finished = node != nullptr;
  Py_SETREF(context->dirty, PyTuple_New(0));
  Py_SETREF(context->non_differentiable, PyTuple_New(0));
  if (node) {
    Py_SETREF(context->to_save, PyTuple_New(0));
    drop(node);
  }
  return attached;
}

PyMethodDef functions[] = {
    {"record_function", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(record_function)),
     METH_FASTCALL, "record_function(ctx, inputs, outputs): the outputs, with their history."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool materializes(const FunctionNode* node) { return as_context(node->context)->materialize; }

void forget_function_node(PyObject* context) { as_context(context)->node = nullptr; }

bool init_function(PyObject* module) {
  context_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&context_spec));
  return context_type &&
         PyModule_AddObjectRef(module, "FunctionContext",
                               reinterpret_cast<PyObject*>(context_type)) == 0 &&
         PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace gleed
