// Hooks in backward, and the operations that the engine borrows from Python.
#include "engine.h"
#include "errors.h"
#include "tuples.h"

namespace gleed {

const char* const kEngineOpNames[kEngineOps] = {"add",   "add_",       "clone", "copy_",
                                                "zero_", "as_strided", "isnan"};
static PyObject* engine_ops[kEngineOps];

void set_engine_op(EngineOp op, PyObject* callable) {
  Py_XSETREF(engine_ops[static_cast<int>(op)], Py_NewRef(callable));
}

PyObject* call_engine_op(EngineOp op, std::span<PyObject* const> arguments) {
  PyObject* callable = engine_ops[static_cast<int>(op)];
  if (!callable) {
    return raise("RuntimeError", "backward: the engine's '%s' is not registered; import gleed",
                 kEngineOpNames[static_cast<int>(op)]);
  }
  return PyObject_Vectorcall(callable, arguments.data(), arguments.size(), nullptr);
}

PyObject* add_hook(PyObject** hooks, PyObject* hook) {
  if (!PyCallable_Check(hook)) {
    return raise("ArgumentError", "hook: a callable is expected; got a %s", Py_TYPE(hook)->tp_name);
  }
  if (!*hooks) {
    PyObject* module = PyImport_ImportModule("gleed.hooks");
    *hooks = module ? PyObject_CallMethod(module, "HookTable", nullptr) : nullptr;
    Py_XDECREF(module);
  }
  return *hooks ? PyObject_CallMethod(*hooks, "add", "(O)", hook) : nullptr;
}

PyObject* add_tensor_hook(Node* node, uint32_t slot, PyObject* hook) {
  auto& all = extras(node).tensor_hooks;
  for (auto& hooks : all) {
    if (hooks.slot == slot) return add_hook(&hooks.hooks, hook);
  }
  PyObject* hooks = nullptr;
  PyObject* handle = add_hook(&hooks, hook);
  if (hooks) all.push_back({slot, hooks});
  return handle;
}

std::vector<PyObject*> hook_tables(const Tensor* t) {
  std::vector<PyObject*> found;
  const AutogradMeta* meta = t->grad_meta;
  const Node* node = !meta ? nullptr : meta->grad_fn ? meta->grad_fn : meta->accumulator;
  if (!node || !node->extras) return found;
  for (const auto& hooks : node->extras->tensor_hooks) {
    if (hooks.slot == meta->slot) found.push_back(hooks.hooks);
  }
  if (node->extras->post_accumulate_hooks) found.push_back(node->extras->post_accumulate_hooks);
  return found;
}

Py_ssize_t count_hooks(const Tensor* t) {
  Py_ssize_t count = 0;
  for (PyObject* table : hook_tables(t)) count += PyDict_GET_SIZE(table);
  return count;
}

// Replaces a cotangent by what a hook returned. Takes over the reference to `result`.
static bool replace(Tensor** cotangent, PyObject* result, const char* where) {
  if (result == Py_None) {
    Py_DECREF(result);
    return true;
  }
  if (!is_tensor(result)) {
    raise("GradientError", "%s: a hook returns a tensor or None; it returned a %s", where,
          Py_TYPE(result)->tp_name);
    Py_DECREF(result);
    return false;
  }
  Tensor* replacement = as_tensor(result);
  if (*cotangent && (!same_sizes((*cotangent)->layout, replacement->layout) ||
                     (*cotangent)->dtype != replacement->dtype)) {
    raise("GradientError",
          "%s: a hook keeps the shape and dtype of the gradient; it returned another", where);
    Py_DECREF(result);
    return false;
  }
  Tensor* old = *cotangent;
  *cotangent = replacement;
  if (old) Py_DECREF(object(old));
  return true;
}

bool run_tensor_hooks(PyObject* hooks, Tensor** cotangent) {
  PyObject* calls = PyDict_Values(hooks);
  bool ok = calls != nullptr;
  for (Py_ssize_t i = 0; ok && i < PyList_GET_SIZE(calls); ++i) {
    PyObject* result = PyObject_CallOneArg(PyList_GET_ITEM(calls, i), object(*cotangent));
    ok = result && replace(cotangent, result, "register_hook");
  }
  Py_XDECREF(calls);
  return ok;
}

// Replaces tensors by those of a tuple that a node's hook returned; None leaves all as they are.
static bool replace_all(std::span<Tensor*> tensors, PyObject* result, const char* where) {
  bool ok =
      result == Py_None || (PyTuple_Check(result) &&
                            PyTuple_GET_SIZE(result) == static_cast<Py_ssize_t>(tensors.size()));
  if (!ok) {
    raise("GradientError", "%s: a hook returns None or a tuple of %zu gradients; it returned %R",
          where, tensors.size(), result);
  }
  for (size_t i = 0; ok && result != Py_None && i < tensors.size(); ++i) {
    ok = replace(&tensors[i], Py_NewRef(PyTuple_GET_ITEM(result, i)), where);
  }
  Py_DECREF(result);
  return ok;
}

bool run_pre_hooks(Node* node, std::span<Tensor*> cotangents) {
  PyObject* calls = PyDict_Values(node->extras->pre_hooks);
  bool ok = calls != nullptr;
  for (Py_ssize_t i = 0; ok && i < PyList_GET_SIZE(calls); ++i) {
    PyObject* outputs = tuple_of(cotangents);
    PyObject* result = outputs ? PyObject_CallOneArg(PyList_GET_ITEM(calls, i), outputs) : nullptr;
    Py_XDECREF(outputs);
    // A bare tensor will do for nodes with one output.
    if (result && is_tensor(result)) {
      PyObject* tuple = PyTuple_Pack(1, result);
      Py_SETREF(result, tuple);
    }
    ok = result && replace_all(cotangents, result, "register_prehook");
  }
  Py_XDECREF(calls);
  return ok;
}

bool run_post_hooks(Node* node, std::span<Tensor*> gradients, std::span<Tensor*> cotangents) {
  PyObject* calls = PyDict_Values(node->extras->post_hooks);
  bool ok = calls != nullptr;
  for (Py_ssize_t i = 0; ok && i < PyList_GET_SIZE(calls); ++i) {
    PyObject* inputs = tuple_of(gradients);
    PyObject* outputs = inputs ? tuple_of(cotangents) : nullptr;
    PyObject* arguments[] = {inputs, outputs};
    PyObject* result =
        outputs ? PyObject_Vectorcall(PyList_GET_ITEM(calls, i), arguments, 2, nullptr) : nullptr;
    Py_XDECREF(inputs);
    Py_XDECREF(outputs);
    ok = result && replace_all(gradients, result, "register_hook");
  }
  Py_XDECREF(calls);
  return ok;
}

}  // namespace gleed
