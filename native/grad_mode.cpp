// no_grad, enable_grad, set_grad_enabled and inference_mode: context managers that also decorate.
#include "bind_autograd.h"
#include "errors.h"
#include "tape.h"

namespace gleed {

namespace {

enum class Switch : uint8_t { kNoGrad, kEnableGrad, kSetGrad, kInference };

struct GradMode {
  PyObject_HEAD;
  Switch kind;
  bool enabled;  // the argument of set_grad_enabled and inference_mode
  Modes before;
};

PyTypeObject* mode_types[4];
PyObject* decorate = nullptr;  // decorate(context, function), from Python

void switch_on(const GradMode* mode) {
  switch (mode->kind) {
    case Switch::kNoGrad:
      modes.grad = false;
      break;
    case Switch::kEnableGrad:
      modes.grad = true;
      break;
    case Switch::kSetGrad:
      modes.grad = mode->enabled;
      break;
    case Switch::kInference:
      modes = Modes{!mode->enabled, mode->enabled};
      break;
  }
}

PyObject* make_mode(Switch kind, bool enabled) {
  auto* mode = PyObject_New(GradMode, mode_types[static_cast<int>(kind)]);
  if (!mode) return nullptr;
  mode->kind = kind;
  mode->enabled = enabled;
  mode->before = modes;
  return reinterpret_cast<PyObject*>(mode);
}

PyObject* decorated(PyObject* mode, PyObject* function) {
  if (!decorate) return raise("RuntimeError", "grad mode: the decorator is not registered");
  PyObject* arguments[] = {mode, function};
  return PyObject_Vectorcall(decorate, arguments, 2, nullptr);
}

// The one argument of a constructor by position or by the keyword `name`; false with an exception
// set.
bool one_argument(const char* type, const char* name, PyObject* const* args, size_t nargsf,
                  PyObject* kwnames, PyObject** out) {
  const Py_ssize_t positional = PyVectorcall_NARGS(nargsf);
  const Py_ssize_t total = positional + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
  *out = nullptr;
  if (total == 0) return true;
  const bool named = positional == 0 && total == 1 &&
                     PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), name) == 0;
  if (total > 1 || (positional == 0 && !named)) {
    raise("ArgumentError", "%s: takes one argument at most, '%s'; got %zd", type, name, total);
    return false;
  }
  *out = args[0];
  return true;
}

// no_grad() and enable_grad(); given a function they decorate it at once.
template <Switch kind>
PyObject* call_plain(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  PyObject* function;
  const char* name = reinterpret_cast<PyTypeObject*>(type)->tp_name;
  if (!one_argument(name, "function", args, nargsf, kwnames, &function)) return nullptr;
  PyObject* mode = make_mode(kind, true);
  if (!function || !mode) return mode;
  PyObject* result = PyCallable_Check(function)
                         ? decorated(mode, function)
                         : raise("ArgumentError",
                                 "%s: takes a function to decorate, or nothing; "
                                 "got a %s",
                                 name, Py_TYPE(function)->tp_name);
  Py_DECREF(mode);
  return result;
}

// set_grad_enabled(mode), which acts at once, and inference_mode(mode=True).
template <Switch kind>
PyObject* call_with_flag(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  PyObject* argument;
  const char* name = reinterpret_cast<PyTypeObject*>(type)->tp_name;
  if (!one_argument(name, "mode", args, nargsf, kwnames, &argument)) return nullptr;
  if (kind == Switch::kInference && argument && PyCallable_Check(argument)) {
    PyObject* mode = make_mode(kind, true);
    PyObject* result = mode ? decorated(mode, argument) : nullptr;
    Py_XDECREF(mode);
    return result;
  }
  if (kind == Switch::kSetGrad && !argument) {
    return raise("ArgumentError", "%s: the argument 'mode' is missing; give True or False", name);
  }
  int enabled = argument ? PyObject_IsTrue(argument) : 1;
  if (enabled < 0) return nullptr;
  PyObject* mode = make_mode(kind, enabled);
  if (mode && kind == Switch::kSetGrad) modes.grad = enabled;
  return mode;
}

PyObject* mode_enter(PyObject* self, PyObject*) {
  auto* mode = reinterpret_cast<GradMode*>(self);
  if (mode->kind != Switch::kSetGrad) mode->before = modes;
  switch_on(mode);
  return Py_NewRef(self);
}

PyObject* mode_exit(PyObject* self, PyObject* const*, Py_ssize_t) {
  auto* mode = reinterpret_cast<GradMode*>(self);
  // The other switch is left alone: it may have been moved since by somebody else.
  modes.grad = mode->before.grad;
  if (mode->kind == Switch::kInference) modes.inference = mode->before.inference;
  Py_RETURN_NONE;
}

// A context of the same kind: a decorated function makes one for each call.
PyObject* mode_clone(PyObject* self, PyObject*) {
  auto* mode = reinterpret_cast<GradMode*>(self);
  return make_mode(mode->kind, mode->enabled);
}

PyObject* mode_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject* function;
  auto* mode = reinterpret_cast<GradMode*>(self);
  if ((kwargs && PyDict_GET_SIZE(kwargs)) || !PyArg_ParseTuple(args, "O", &function)) {
    if (!PyErr_Occurred()) raise("ArgumentError", "grad mode: decorates one function");
    return nullptr;
  }
  // As a decorator set_grad_enabled acts inside the function only.
  if (mode->kind == Switch::kSetGrad) modes.grad = mode->before.grad;
  return decorated(self, function);
}

void mode_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_Free(self);
  Py_DECREF(type);
}

PyMethodDef mode_methods[] = {
    {"__enter__", mode_enter, METH_NOARGS, nullptr},
    {"__exit__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(mode_exit)), METH_FASTCALL,
     nullptr},
    {"clone", mode_clone, METH_NOARGS, "Another context of the same kind."},
    {nullptr, nullptr, 0, nullptr},
};

struct ModeType {
  const char* name;
  const char* doc;
  vectorcallfunc call;
};
const ModeType mode_specs[] = {
    {"gleed.no_grad",
     "no_grad()\n--\n\nNo gradients are recorded inside. A context manager and a decorator.",
     call_plain<Switch::kNoGrad>},
    {"gleed.enable_grad",
     "enable_grad()\n--\n\nGradients are recorded inside, also within no_grad. A context manager "
     "and "
     "a decorator.",
     call_plain<Switch::kEnableGrad>},
    {"gleed.set_grad_enabled",
     "set_grad_enabled(mode)\n--\n\nSwitch the recording of gradients on or off: at once, or for a "
     "`with` block or a decorated function.",
     call_with_flag<Switch::kSetGrad>},
    {"gleed.inference_mode",
     "inference_mode(mode=True)\n--\n\nLike no_grad, and what is made inside can never be part of "
     "a "
     "graph, so views need no bookkeeping.",
     call_with_flag<Switch::kInference>},
};

PyObject* is_grad_enabled(PyObject*, PyObject*) { return PyBool_FromLong(modes.grad); }
PyObject* is_inference(PyObject*, PyObject*) { return PyBool_FromLong(modes.inference); }
PyObject* set_mode_decorator(PyObject*, PyObject* function) {
  Py_XSETREF(decorate, Py_NewRef(function));
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"is_grad_enabled", is_grad_enabled, METH_NOARGS, "Whether operations are recorded now."},
    {"is_inference_mode_enabled", is_inference, METH_NOARGS, "Whether inference_mode is on."},
    {"set_mode_decorator", set_mode_decorator, METH_O,
     "Set decorate(context, function), which the grad modes use as decorators."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool init_grad_modes(PyObject* module) {
  for (int i = 0; i < 4; ++i) {
    PyType_Slot slots[] = {
        {Py_tp_doc, const_cast<char*>(mode_specs[i].doc)},
        {Py_tp_methods, mode_methods},
        {Py_tp_call, reinterpret_cast<void*>(mode_call)},
        {Py_tp_dealloc, reinterpret_cast<void*>(mode_dealloc)},
        {0, nullptr},
    };
    PyType_Spec spec = {mode_specs[i].name, sizeof(GradMode), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    auto* type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    if (!type) return false;
    type->tp_vectorcall = mode_specs[i].call;
    mode_types[i] = type;
    if (PyModule_AddObjectRef(module, mode_specs[i].name + sizeof("gleed.") - 1,
                              reinterpret_cast<PyObject*>(type)) < 0) {
      return false;
    }
  }
  return PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace gleed
