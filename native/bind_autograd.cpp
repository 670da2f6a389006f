// The Python interface of the tape: GradRecord, backward, and the engine's settings.
#include "bind_autograd.h"

#include <cstring>
#include <vector>

#include "engine.h"
#include "errors.h"

namespace gleed {

PyTypeObject* GradRecordType = nullptr;

namespace {

GradRecord* as_record(PyObject* o) { return reinterpret_cast<GradRecord*>(o); }

bool read_int(PyObject* o, int* out) {
  long value = PyLong_AsLong(o);
  if (value == -1 && PyErr_Occurred()) return false;
  *out = static_cast<int>(value);
  if (value >= 0 && value < (1 << 20)) return true;
  raise("ValueError", "GradRecord: an index is out of range; %ld", value);
  return false;
}

bool read_pair(PyObject* pair, PyObject** first, int* second) {
  if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
    raise("TypeError", "GradRecord: pairs are expected; got %R", pair);
    return false;
  }
  *first = PyTuple_GET_ITEM(pair, 0);
  return read_int(PyTuple_GET_ITEM(pair, 1), second);
}

bool read_saved(PyObject* items, std::vector<std::pair<SavedKind, int>>& out) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); ++i) {
    PyObject* name;
    int index;
    if (!read_pair(PyTuple_GET_ITEM(items, i), &name, &index)) return false;
    SavedKind kind = SavedKind::kInput;
    if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "output") == 0) {
      kind = SavedKind::kOutput;
    } else if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "residual") == 0) {
      kind = SavedKind::kResidual;
    } else if (!PyUnicode_Check(name) || PyUnicode_CompareWithASCIIString(name, "input") != 0) {
      raise("ValueError", "GradRecord: saved are 'input', 'output' and 'residual'; got %R", name);
      return false;
    }
    out.emplace_back(kind, index);
  }
  return true;
}

bool read_sizes(PyObject* items, std::vector<std::pair<int, int>>& out) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); ++i) {
    PyObject* tensor;
    int index, axis;
    if (!read_pair(PyTuple_GET_ITEM(items, i), &tensor, &axis) || !read_int(tensor, &index)) {
      return false;
    }
    out.emplace_back(index, axis);
  }
  return true;
}

PyObject* record_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"name",  "compile", "formula", "inputs",
                                "saved", "sizes",   "outputs", nullptr};
  PyObject *name, *compile, *formula, *inputs, *saved, *sizes;
  int outputs = INT_MAX;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UOOO!O!O!|i:GradRecord",
                                   const_cast<char**>(names), &name, &compile, &formula,
                                   &PyTuple_Type, &inputs, &PyTuple_Type, &saved, &PyTuple_Type,
                                   &sizes, &outputs)) {
    return nullptr;
  }
  GradRecord* record = as_record(type->tp_alloc(type, 0));
  if (!record) return nullptr;
  new (&record->inputs) std::vector<int>;
  new (&record->saved) std::vector<std::pair<SavedKind, int>>;
  new (&record->sizes) std::vector<std::pair<int, int>>;
  record->name = Py_NewRef(name);
  record->formula = Py_NewRef(formula);
  record->saved_dims = -1;
  record->outputs = outputs;
  init_program(record->backward, compile, nullptr);
  bool ok = read_saved(saved, record->saved) && read_sizes(sizes, record->sizes);
  for (Py_ssize_t i = 0; ok && i < PyTuple_GET_SIZE(inputs); ++i) {
    int index = 0;
    ok = read_int(PyTuple_GET_ITEM(inputs, i), &index);
    record->inputs.push_back(index);
  }
  if (!ok) Py_CLEAR(record);
  return reinterpret_cast<PyObject*>(record);
}

int record_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_record(self)->formula);
  return traverse_program(as_record(self)->backward, visit, arg);
}

int record_clear(PyObject* self) {
  Py_CLEAR(as_record(self)->formula);
  clear_program(as_record(self)->backward);
  return 0;
}

void record_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  record_clear(self);
  GradRecord* record = as_record(self);
  Py_XDECREF(record->name);
  std::destroy_at(&record->inputs);
  std::destroy_at(&record->saved);
  std::destroy_at(&record->sizes);
  type->tp_free(self);
  Py_DECREF(type);
}

PyType_Slot record_slots[] = {
    {Py_tp_doc, const_cast<char*>("How the backward of one plan is obtained.")},
    {Py_tp_new, reinterpret_cast<void*>(record_new)},
    {Py_tp_traverse, reinterpret_cast<void*>(record_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(record_clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(record_dealloc)},
    {0, nullptr},
};
PyType_Spec record_spec = {"gleed._C.GradRecord", sizeof(GradRecord), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, record_slots};

// Tensors from a sequence of them, or from one. Borrowed from `*holder`, a new reference.
bool read_tensors(PyObject* o, const char* what, PyObject** holder, std::vector<Tensor*>& out) {
  *holder = is_tensor(o) ? PyTuple_Pack(1, o) : PySequence_Tuple(o);
  if (!*holder) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(*holder); ++i) {
    PyObject* item = PyTuple_GET_ITEM(*holder, i);
    if (!is_tensor(item)) {
      raise("ArgumentError", "backward: %s are tensors; number %zd is a %s", what, i,
            Py_TYPE(item)->tp_name);
      return false;
    }
    if (!concrete(as_tensor(item), "backward")) return false;
    out.push_back(as_tensor(item));
  }
  return true;
}

// The cotangent of a root: the given one, checked, or one; new reference.
Tensor* root_cotangent(const Tensor* root, PyObject* given, size_t index) {
  if (!requires_grad(root)) {
    raise(
        "GradientError",
        "backward: the tensor has no history; tensor %zu does not require grad; make it depend on "
        "one with requires_grad=True, outside of no_grad",
        index);
    return nullptr;
  }
  PyObject* shape = size_object(root->layout.shape());
  if (!shape) return nullptr;
  Tensor* cotangent = nullptr;
  if (given == Py_None) {
    if (root->layout.numel == 1) {
      cotangent = ones_like(root);
    } else {
      raise("GradientError",
            "backward: a gradient can be left out for a tensor of one element only; the tensor is "
            "%S; call .sum() or .mean() first, or give `gradient` of that shape",
            shape);
    }
  } else if (!is_tensor(given)) {
    raise("ArgumentError", "backward: a gradient is a tensor or None; number %zu is a %s", index,
          Py_TYPE(given)->tp_name);
  } else if (Tensor* gradient = as_tensor(given);
             !same_sizes(gradient->layout, root->layout) || gradient->dtype != root->dtype) {
    PyObject* got = size_object(gradient->layout.shape());
    if (got) {
      raise("ShapeError",
            "backward: a gradient has the shape and dtype of its tensor; the tensor is %S %s, the "
            "gradient %S %s; reshape or convert it",
            shape, info(root->dtype).name, got, info(gradient->dtype).name);
    }
    Py_XDECREF(got);
  } else if (concrete(gradient, "backward")) {
    cotangent = as_tensor(Py_NewRef(given));
  }
  Py_DECREF(shape);
  return cotangent;
}

bool check_inputs(const std::vector<Tensor*>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (requires_grad(inputs[i])) continue;
    raise(
        "GradientError",
        "backward: an input requires grad; input %zu does not; call requires_grad_() on it before "
        "it is used",
        i);
    return false;
  }
  return true;
}

// The results of grad(): a tuple of tensors, with None for what nothing flows to if that is
// allowed.
PyObject* result_tuple(std::vector<Tensor*>& results, bool allow_unused) {
  PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(results.size()));
  for (size_t i = 0; tuple && i < results.size(); ++i) {
    if (!results[i] && !allow_unused) {
      raise(
          "GradientError",
          "grad: every input is part of the graph; input %zu was not used to compute the outputs; "
          "give allow_unused=True to get None for it, or materialize_grads=True for zeros",
          i);
      Py_CLEAR(tuple);
      break;
    }
    PyTuple_SET_ITEM(tuple, i, Py_NewRef(results[i] ? object(results[i]) : Py_None));
  }
  for (Tensor* t : results) Py_XDECREF(reinterpret_cast<PyObject*>(t));
  return tuple;
}

struct Request {
  PyObject *outputs, *gradients, *inputs;  // gradients: a tuple as long as outputs
  BackwardOptions options;
  bool accumulate, allow_unused;
};

PyObject* run_request(const Request& request) {
  std::vector<Tensor*> roots, cotangents, inputs, results;
  PyObject *root_holder = nullptr, *input_holder = nullptr, *answer = nullptr;
  bool ok = read_tensors(request.outputs, "the outputs", &root_holder, roots);
  if (ok && request.inputs != Py_None) {
    ok = read_tensors(request.inputs, "the inputs", &input_holder, inputs) && check_inputs(inputs);
    if (ok && inputs.empty()) {
      raise("ArgumentError",
            "backward: `inputs` names the tensors that are wanted; it is empty; "
            "leave it out to reach all leaves");
      ok = false;
    }
  }
  if (ok && PyTuple_GET_SIZE(request.gradients) != static_cast<Py_ssize_t>(roots.size())) {
    raise("ArgumentError", "backward: one gradient per output is expected; %zd came for %zu",
          PyTuple_GET_SIZE(request.gradients), roots.size());
    ok = false;
  }
  for (size_t i = 0; ok && i < roots.size(); ++i) {
    Tensor* cotangent = root_cotangent(roots[i], PyTuple_GET_ITEM(request.gradients, i), i);
    ok = cotangent != nullptr;
    if (ok) cotangents.push_back(cotangent);
  }
  if (ok) {
    if (!request.accumulate) results.assign(inputs.size(), nullptr);
    ok = run_backward(roots, cotangents, inputs, request.accumulate ? nullptr : results.data(),
                      request.options);
  }
  for (Tensor* t : cotangents) Py_DECREF(object(t));
  if (ok && request.accumulate) {
    answer = Py_NewRef(Py_None);
  } else if (ok) {
    answer = result_tuple(results, request.allow_unused);
  } else {
    for (Tensor* t : results) Py_XDECREF(reinterpret_cast<PyObject*>(t));
  }
  Py_XDECREF(root_holder);
  Py_XDECREF(input_holder);
  return answer;
}

// retain_graph=None means: as create_graph.
bool read_options(PyObject* retain, int create, BackwardOptions* out) {
  int keep_graph = retain == Py_None ? create : PyObject_IsTrue(retain);
  *out = {keep_graph == 1, create == 1};
  return keep_graph >= 0;
}

// run_backward(outputs, gradients, retain_graph, create_graph, inputs, accumulate, allow_unused,
//              partial=False)
PyObject* py_run_backward(PyObject*, PyObject* args) {
  Request request;
  PyObject* retain;
  int create, accumulate, allow_unused, partial = 0;
  if (!PyArg_ParseTuple(args, "OO!OpOpp|p:run_backward", &request.outputs, &PyTuple_Type,
                        &request.gradients, &retain, &create, &request.inputs, &accumulate,
                        &allow_unused, &partial) ||
      !read_options(retain, create, &request.options)) {
    return nullptr;
  }
  request.options.partial = partial;
  request.accumulate = accumulate;
  request.allow_unused = allow_unused;
  return run_request(request);
}

PyObject* register_engine_op(PyObject*, PyObject* args) {
  const char* name;
  PyObject* callable;
  if (!PyArg_ParseTuple(args, "sO:register_engine_op", &name, &callable)) return nullptr;
  for (int i = 0; i < kEngineOps; ++i) {
    if (std::strcmp(name, kEngineOpNames[i]) != 0) continue;
    set_engine_op(static_cast<EngineOp>(i), callable);
    Py_RETURN_NONE;
  }
  return raise("ValueError", "register_engine_op: no operation of the engine is called '%s'", name);
}

PyObject* set_anomaly(PyObject*, PyObject* args) {
  int enabled, check_nan;
  if (!PyArg_ParseTuple(args, "pp:set_anomaly", &enabled, &check_nan)) return nullptr;
  anomaly_enabled = enabled;
  anomaly_checks_nan = check_nan;
  Py_RETURN_NONE;
}

PyObject* get_anomaly(PyObject*, PyObject*) {
  return Py_BuildValue("(OO)", anomaly_enabled ? Py_True : Py_False,
                       anomaly_checks_nan ? Py_True : Py_False);
}

PyObject* get_stats(PyObject*, PyObject*) {
  return Py_BuildValue("{s:L,s:L}", "nodes", static_cast<long long>(autograd_stats.nodes), "metas",
                       static_cast<long long>(autograd_stats.metas));
}

PyMethodDef functions[] = {
    {"run_backward", py_run_backward, METH_VARARGS,
     "run_backward(outputs, gradients, retain_graph, create_graph, inputs, accumulate, "
     "allow_unused, partial=False). partial: what flows into an input goes no further."},
    {"register_engine_op", register_engine_op, METH_VARARGS,
     "register_engine_op(name, callable): an operation that the engine itself uses."},
    {"set_anomaly", set_anomaly, METH_VARARGS, "set_anomaly(enabled, check_nan)"},
    {"get_anomaly", get_anomaly, METH_NOARGS, "(enabled, check_nan)"},
    {"autograd_stats", get_stats, METH_NOARGS,
     "How many nodes and how many tensors' autograd data are alive."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

PyObject* tensor_backward(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"gradient", "retain_graph", "create_graph", "inputs", nullptr};
  PyObject *gradient = Py_None, *retain = Py_None, *inputs = Py_None;
  int create = 0;
  Request request;
  if ((PyTuple_GET_SIZE(args) || kwargs) &&
      !PyArg_ParseTupleAndKeywords(args, kwargs, "|OOpO:backward", const_cast<char**>(names),
                                   &gradient, &retain, &create, &inputs)) {
    return nullptr;
  }
  if (!read_options(retain, create, &request.options)) return nullptr;
  request.outputs = self;
  request.gradients = PyTuple_Pack(1, gradient);
  request.inputs = inputs;
  request.accumulate = true;
  request.allow_unused = true;
  PyObject* answer = request.gradients ? run_request(request) : nullptr;
  Py_XDECREF(request.gradients);
  return answer;
}

void bind_autograd(nanobind::module_& m) {
  PyObject* module = m.ptr();
  GradRecordType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&record_spec));
  if (!GradRecordType ||
      PyModule_AddObjectRef(module, "GradRecord", reinterpret_cast<PyObject*>(GradRecordType)) <
          0 ||
      PyModule_AddFunctions(module, functions) < 0 || !init_node_type(module) ||
      !init_grad_modes(module) || !init_function(module) || !init_tensor_autograd(module) ||
      !init_module_base(module)) {
    throw nanobind::python_error();
  }
}

}  // namespace gleed
