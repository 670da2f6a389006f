// What autograd adds to the Tensor type.
#include "bind_autograd.h"
#include "engine.h"
#include "errors.h"
#include "recording.h"
#include "tuples.h"

namespace gleed {

namespace {

// Where the gradient of `self` goes; sets `ok` to false with an exception set if that fails.
Edge edge_of(PyObject* self, bool* ok) {
  *ok = true;
  return gradient_edge(as_tensor(self), ok);
}

PyObject* get_requires_grad(PyObject* self, void*) {
  return PyBool_FromLong(requires_grad(as_tensor(self)));
}

bool change_requires_grad(Tensor* t, bool wanted) {
  bool ok = true;
  Edge edge = gradient_edge(t, &ok);
  if (!ok) return false;
  AutogradMeta* meta = t->grad_meta;
  if (edge.node && meta->grad_fn) {
    if (wanted) return true;
    raise("GradientError",
          "requires_grad: only that of a leaf can be switched off; the tensor is a result of an "
          "operation; use .detach()");
    return false;
  }
  if (wanted && !differentiable(t->dtype)) {
    raise("GradientError",
          "requires_grad: only tensors of floating-point or complex numbers have gradients; the "
          "dtype is %s; convert it first, with .float()",
          info(t->dtype).name);
    return false;
  }
  if (wanted && t->inference && !modes.inference) {
    raise("GradientError",
          "requires_grad: a tensor made under inference_mode takes part in no graph; use .clone() "
          "outside of inference_mode");
    return false;
  }
  if (wanted || meta) ensure_meta(t)->requires_grad = wanted;
  return true;
}

bool read_flag(const char* op, PyObject* value, bool& out) {
  out = value == Py_True;
  if (PyBool_Check(value)) return true;
  raise("ArgumentError", "%s: must be True or False; a %s came; use bool() on it", op,
        Py_TYPE(value)->tp_name);
  return false;
}

int set_requires_grad(PyObject* self, PyObject* value, void*) {
  if (!value) {
    raise("AttributeError", "requires_grad: cannot be deleted");
    return -1;
  }
  bool wanted;
  if (!read_flag("requires_grad", value, wanted)) return -1;
  return change_requires_grad(as_tensor(self), wanted) ? 0 : -1;
}

PyObject* requires_grad_inplace(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"requires_grad", nullptr};
  PyObject* value = Py_True;
  bool wanted;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:requires_grad_", const_cast<char**>(names),
                                   &value) ||
      !read_flag("requires_grad_", value, wanted)) {
    return nullptr;
  }
  return change_requires_grad(as_tensor(self), wanted) ? Py_NewRef(self) : nullptr;
}

PyObject* get_grad(PyObject* self, void*) {
  if (recording() && !record_grad(as_tensor(self), false)) return nullptr;
  const AutogradMeta* meta = as_tensor(self)->grad_meta;
  if (!meta) Py_RETURN_NONE;
  if (!meta->grad && meta->grad_fn && !meta->retains_grad &&
      PyErr_WarnEx(
          PyExc_UserWarning,
          "grad: only leaves keep their gradient; this tensor is a result of an operation; "
          "call retain_grad() on it before backward",
          1) < 0) {
    return nullptr;
  }
  return Py_NewRef(meta->grad ? meta->grad : Py_None);
}

bool check_new_grad(const Tensor* t, PyObject* value) {
  if (!is_tensor(value)) {
    raise("ArgumentError", "grad: a tensor or None is expected; got a %s", Py_TYPE(value)->tp_name);
    return false;
  }
  const Tensor* grad = as_tensor(value);
  if (grad == t) {
    raise("GradientError", "grad: a tensor cannot be its own gradient; assign a .clone()");
    return false;
  }
  if (same_sizes(t->layout, grad->layout) && t->dtype == grad->dtype) return true;
  PyObject* wanted = size_object(t->layout.shape());
  PyObject* got = size_object(grad->layout.shape());
  if (wanted && got) {
    raise(
        "ShapeError",
        "grad: a gradient has the shape and dtype of its tensor; the tensor is %S %s, the gradient "
        "%S %s; reshape or convert it",
        wanted, info(t->dtype).name, got, info(grad->dtype).name);
  }
  Py_XDECREF(wanted);
  Py_XDECREF(got);
  return false;
}

int set_grad(PyObject* self, PyObject* value, void*) {
  Tensor* t = as_tensor(self);
  if (recording() && !record_grad(t, true)) return -1;
  if (!value || value == Py_None) {
    if (t->grad_meta) Py_CLEAR(t->grad_meta->grad);
    return 0;
  }
  if (!check_new_grad(t, value)) return -1;
  Py_XSETREF(ensure_meta(t)->grad, Py_NewRef(value));
  track(t);
  return 0;
}

PyObject* get_grad_fn(PyObject* self, void*) {
  bool ok;
  Edge edge = edge_of(self, &ok);
  if (!ok) return nullptr;
  if (!edge.node || edge.node->kind == NodeKind::kAccumulate) Py_RETURN_NONE;
  return node_object(edge.node);
}

PyObject* get_is_leaf(PyObject* self, void*) {
  bool ok;
  Edge edge = edge_of(self, &ok);
  if (!ok) return nullptr;
  return PyBool_FromLong(!edge.node || edge.node->kind == NodeKind::kAccumulate);
}

PyObject* get_output_nr(PyObject* self, void*) {
  bool ok;
  Edge edge = edge_of(self, &ok);
  return ok ? PyLong_FromUnsignedLong(edge.node ? edge.slot : 0) : nullptr;
}

PyObject* get_retains_grad(PyObject* self, void*) {
  const AutogradMeta* meta = as_tensor(self)->grad_meta;
  return PyBool_FromLong(meta && meta->retains_grad && meta->grad_fn);
}

PyObject* retain_grad(PyObject* self, PyObject*) {
  bool ok;
  Edge edge = edge_of(self, &ok);
  if (!ok) return nullptr;
  if (!edge.node) {
    return raise("GradientError",
                 "retain_grad: the tensor does not require grad; make it depend on one that does");
  }
  AutogradMeta* meta = as_tensor(self)->grad_meta;
  if (meta->grad_fn && !meta->retains_grad) {
    meta->retains_grad = true;
    extras(meta->grad_fn).retained.push_back(meta);
    track(as_tensor(self));
  }
  Py_RETURN_NONE;
}

PyObject* get_data(PyObject* self, void*) {
  Tensor* t = as_tensor(self);
  return t->storage ? object(detach(t)) : Py_NewRef(self);
}

int set_data(PyObject* self, PyObject* value, void*) {
  Tensor* t = as_tensor(self);
  if (!value || !is_tensor(value)) {
    raise("ArgumentError", "data: a tensor is expected; got a %s",
          value ? Py_TYPE(value)->tp_name : "deletion");
    return -1;
  }
  Tensor* source = as_tensor(value);
  if (!readable(t, "data") || !concrete(source, "data")) return -1;
  if (requires_grad(t) && !differentiable(source->dtype)) {
    raise("DTypeError",
          "data: the tensor requires grad and needs floating-point data; got %s; "
          "convert it, with .float()",
          info(source->dtype).name);
    return -1;
  }
  Storage* old = t->storage;
  t->storage = keep(source->storage);
  t->layout = source->layout;
  t->dtype = source->dtype;
  drop(old);
  return 0;
}

// A stand-in has no history to be cut off; the tracer decides what flows through it.
PyObject* method_detach(PyObject* self, PyObject*) { return get_data(self, nullptr); }

PyObject* method_detach_inplace(PyObject* self, PyObject*) {
  Tensor* t = as_tensor(self);
  if (AutogradMeta* meta = t->grad_meta) {
    if (meta->is_view && meta->tracked_view && requires_grad(t)) {
      return raise("GradientError",
                   "detach_: a view cannot be cut off from its base in place; use .detach()");
    }
    set_history(t, nullptr, 0);
    meta->requires_grad = false;
  }
  return Py_NewRef(self);
}

PyObject* register_hook(PyObject* self, PyObject* hook) {
  bool ok;
  Edge edge = edge_of(self, &ok);
  if (!ok) return nullptr;
  if (!edge.node) {
    return raise("GradientError",
                 "register_hook: the tensor does not require grad, so no gradient will pass; call "
                 "requires_grad_() first");
  }
  track(as_tensor(self));
  return add_tensor_hook(edge.node, edge.slot, hook);
}

PyObject* get_hook_tables(PyObject* self, PyObject*) {
  std::vector<PyObject*> tables = hook_tables(as_tensor(self));
  return tuple_of(std::span{tables}, [](PyObject* table) { return Py_NewRef(table); });
}

PyObject* register_post_accumulate_grad_hook(PyObject* self, PyObject* hook) {
  bool ok;
  Edge edge = edge_of(self, &ok);
  if (!ok) return nullptr;
  if (!edge.node || edge.node->kind != NodeKind::kAccumulate) {
    return raise("GradientError",
                 "register_post_accumulate_grad_hook: only leaves that require grad accumulate; "
                 "this tensor %s",
                 edge.node ? "is a result of an operation" : "does not require grad");
  }
  track(as_tensor(self));
  return add_hook(&extras(edge.node).post_accumulate_hooks, hook);
}

PyMethodDef methods[] = {
    {"backward", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(tensor_backward)),
     METH_VARARGS | METH_KEYWORDS,
     "backward(gradient=None, retain_graph=None, create_graph=False, inputs=None)\n--\n\n"
     "Add the gradients of this tensor to the `grad` of the leaves it depends on.\n\n"
     "`gradient` is the cotangent, of the tensor's shape and dtype; a tensor of one element needs "
     "none. "
     "`retain_graph` keeps what the graph has saved, for another backward; `create_graph` makes "
     "the "
     "gradients differentiable; `inputs` are the only tensors whose `grad` changes."},
    {"_hook_tables", get_hook_tables, METH_NOARGS,
     "_hook_tables()\n--\n\nTables of hooks on its grad."},
    {"requires_grad_",
     reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(requires_grad_inplace)),
     METH_VARARGS | METH_KEYWORDS,
     "requires_grad_(requires_grad=True)\n--\n\nSwitch the recording for this leaf on or off."},
    {"retain_grad", retain_grad, METH_NOARGS, "Keep `grad` although this is no leaf."},
    {"detach", method_detach, METH_NOARGS,
     "A tensor over the same memory that counts as a constant."},
    {"detach_", method_detach_inplace, METH_NOARGS,
     "Forget the history: the tensor becomes a leaf."},
    {"register_hook", register_hook, METH_O,
     "Call `hook(grad)` when the gradient of this tensor is known; what it returns, unless None, "
     "takes its place. Returns a handle whose remove() takes the hook off."},
    {"register_post_accumulate_grad_hook", register_post_accumulate_grad_hook, METH_O,
     "Call `hook(tensor)` after a backward has added to this leaf's `grad`."},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef getters[] = {
    {"requires_grad", get_requires_grad, set_requires_grad,
     "Whether operations on this tensor are recorded.", nullptr},
    {"grad", get_grad, set_grad, "The accumulated gradient of a leaf, or None.", nullptr},
    {"grad_fn", get_grad_fn, nullptr, "The node that this tensor is a result of, or None.",
     nullptr},
    {"is_leaf", get_is_leaf, nullptr, "Whether no recorded operation made it.", nullptr},
    {"output_nr", get_output_nr, nullptr, "Which output of grad_fn it is.", nullptr},
    {"retains_grad", get_retains_grad, nullptr, "Whether retain_grad() was called.", nullptr},
    {"data", get_data, set_data, "The values, as a constant over the same memory.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

// Adds a descriptor to the Tensor type; takes over the reference.
bool add_descriptor(const char* name, PyObject* descriptor) {
  bool ok = descriptor &&
            PyObject_SetAttrString(reinterpret_cast<PyObject*>(TensorType), name, descriptor) == 0;
  Py_XDECREF(descriptor);
  return ok;
}

}  // namespace

bool init_tensor_autograd(PyObject*) {
  for (PyMethodDef* method = methods; method->ml_name; ++method) {
    if (!add_descriptor(method->ml_name, PyDescr_NewMethod(TensorType, method))) return false;
  }
  for (PyGetSetDef* getter = getters; getter->name; ++getter) {
    if (!add_descriptor(getter->name, PyDescr_NewGetSet(TensorType, getter))) return false;
  }
  return true;
}

}  // namespace gleed
