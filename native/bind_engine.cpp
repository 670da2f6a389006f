// The engine as Python sees it: Op, Plan, Kernel and a few functions of gleed._C.
#define PY_SSIZE_T_CLEAN
#include "bind_engine.h"

#include <structmember.h>

#include <cstddef>
#include <string>
#include <utility>

#include "kernel.h"
#include "launch.h"
#include "machine_code.h"
#include "objects.h"
#include "op.h"
#include "recording.h"
#include "steps.h"
#include "temporaries.h"
#include "threads.h"
#include "tuples.h"

namespace gleed {

namespace {

// ---- Kernel

bool flag_of(PyObject* ir, const char* name, bool& flag) {
  PyObject* value = PyObject_GetAttrString(ir, name);
  if (!value) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return false;
    PyErr_Clear();
    return true;
  }
  const int truth = PyObject_IsTrue(value);
  Py_DECREF(value);
  flag = truth > 0;
  return truth >= 0;
}

bool parse_split(PyObject* parts, Kernel& kernel) {
  PyObject* partial;
  PyObject* finish;
  PyObject* dtypes;
  if (!PyArg_ParseTuple(parts, "O!O!O!:Kernel split", KernelType, &partial, KernelType, &finish,
                        &PyTuple_Type, &dtypes)) {
    return false;
  }
  kernel.split = new Split{reinterpret_cast<Kernel*>(Py_NewRef(partial)),
                           reinterpret_cast<Kernel*>(Py_NewRef(finish)),
                           {}};
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(dtypes); ++i) {
    DType dtype;
    PyObject* o = PyTuple_GET_ITEM(dtypes, i);
    if (!read_dtype(o, &dtype)) return false;
    kernel.split->accumulators.push_back(dtype);
  }
  return true;
}

PyObject* kernel_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const kNames[] = {"ir", "inputs", "compile", "split", "online", nullptr};
  PyObject* ir;
  PyObject* compile;
  PyObject* split = Py_None;
  PyObject* online = Py_None;
  int inputs;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OiO|OO:Kernel", const_cast<char**>(kNames), &ir,
                                   &inputs, &compile, &split, &online)) {
    return nullptr;
  }
  if (online != Py_None && !PyObject_TypeCheck(online, KernelType)) {
    return raise("TypeError", "Kernel: online is a Kernel or None; got %s",
                 Py_TYPE(online)->tp_name);
  }
  if (inputs < 0 || inputs > kMaxOperands) {
    return raise("ValueError", "Kernel: inputs must be 0 to %d; got %d", kMaxOperands, inputs);
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  Kernel& kernel = *reinterpret_cast<Kernel*>(self);
  kernel.ir = Py_NewRef(ir);
  kernel.compile = Py_NewRef(compile);
  if (online != Py_None) kernel.online = reinterpret_cast<Kernel*>(Py_NewRef(online));
  kernel.inputs = inputs;
  kernel.variants = new std::unordered_map<std::string, void*>;
  kernel.costs = new std::unordered_map<uint64_t, double>;
  const bool good =
      flag_of(ir, "reduces", kernel.reduces) && flag_of(ir, "ordered", kernel.ordered) &&
      flag_of(ir, "sequential", kernel.sequential) && flag_of(ir, "gathers", kernel.gathers) &&
      (split == Py_None || (PyTuple_Check(split) && parse_split(split, kernel)));
  if (!good) {
    if (!PyErr_Occurred()) raise("TypeError", "Kernel: split is (partial, finish, dtypes)");
    Py_CLEAR(self);
  }
  return self;
}

int kernel_traverse(PyObject* self, visitproc visit, void* arg) {
  Kernel& kernel = *reinterpret_cast<Kernel*>(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(kernel.ir);
  Py_VISIT(kernel.compile);
  Py_VISIT(kernel.online);
  if (kernel.split) {
    Py_VISIT(kernel.split->partial);
    Py_VISIT(kernel.split->finish);
  }
  return 0;
}

int kernel_clear(PyObject* self) {
  // The IR and `compile` stay until the end: a kernel that is still reachable can still be asked
  // for a variant.
  (void)self;
  return 0;
}

void kernel_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Kernel& kernel = *reinterpret_cast<Kernel*>(self);
  if (kernel.split) {
    Py_DECREF(kernel.split->partial);
    Py_DECREF(kernel.split->finish);
    delete kernel.split;
  }
  Py_XDECREF(kernel.online);
  Py_XDECREF(kernel.ir);
  Py_XDECREF(kernel.compile);
  delete kernel.variants;
  delete kernel.costs;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef kernel_members[] = {
    {"ir", T_OBJECT, offsetof(Kernel, ir), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot kernel_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(kernel_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(kernel_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(kernel_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(kernel_clear)},
    {Py_tp_members, kernel_members},
    {0, nullptr},
};
PyType_Spec kernel_spec = {"gleed._C.Kernel", sizeof(Kernel), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, kernel_slots};

// ---- Plan

PyObject* plan_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  Plan& plan = *reinterpret_cast<Plan*>(self);
  const PyObject head = plan.ob_base;
  new (&plan) Plan{};
  plan.ob_base = head;
  if (!parse_plan(plan, args, kwargs)) Py_CLEAR(self);
  return self;
}

void plan_dealloc(PyObject* self) {
  Plan& plan = *reinterpret_cast<Plan*>(self);
  destroy_plan(plan);
  PyTypeObject* type = Py_TYPE(self);
  plan.~Plan();
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef plan_members[] = {
    {"program", T_OBJECT, offsetof(Plan, program), READONLY, nullptr},
    {"memory", T_ULONG, offsetof(Plan, memory), READONLY, nullptr},
    {"separate", T_ULONG, offsetof(Plan, separate), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot plan_slots[] = {
    {Py_tp_members, plan_members},
    {Py_tp_new, reinterpret_cast<void*>(plan_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(plan_dealloc)},
    {0, nullptr},
};
PyType_Spec plan_spec = {"gleed._C.Plan", sizeof(Plan), 0, Py_TPFLAGS_DEFAULT, plan_slots};

// ---- functions

PyObject* set_recorder(PyObject*, PyObject* next) { return exchange_recorder(next); }

PyObject* set_number_type(PyObject*, PyObject* type) {
  NumberType = reinterpret_cast<PyTypeObject*>(Py_NewRef(type));
  Py_RETURN_NONE;
}

PyObject* set_dry_runs(PyObject*, PyObject* dry) {
  return PyBool_FromLong(std::exchange(dry_runs, dry == Py_True));
}

PyObject* is_recording(PyObject*, PyObject*) { return PyBool_FromLong(recording()); }

// place_of(tensor) -> (serial of the storage, dtype, offset, sizes, strides)
PyObject* place_of(PyObject*, PyObject* o) {
  if (!is_tensor(o) || !concrete(as_tensor(o), "place_of")) {
    return PyErr_Occurred()
               ? nullptr
               : raise("TypeError", "place_of: it takes a Tensor; got %s", Py_TYPE(o)->tp_name);
  }
  const Tensor* t = as_tensor(o);
  const Layout& layout = t->layout;
  return Py_BuildValue("KsLNN", static_cast<unsigned long long>(t->storage->serial),
                       info(t->dtype).kernel_name, static_cast<long long>(layout.offset),
                       tuple_of(layout.shape()),
                       tuple_of({layout.strides, static_cast<size_t>(layout.ndim)}));
}

PyObject* set_converter(PyObject*, PyObject* args) {
  PyObject *callable, *ops;
  if (!PyArg_ParseTuple(args, "OO:set_converter", &callable, &ops)) return nullptr;
  if (callable != Py_None && !(PyCallable_Check(callable) && PyAnySet_Check(ops))) {
    return raise("TypeError",
                 "set_converter: it takes a callable and a set of ops, or None; got %s"
                 " and %s",
                 Py_TYPE(callable)->tp_name, Py_TYPE(ops)->tp_name);
  }
  return exchange_converter(callable, ops);
}

PyObject* set_identity_kernels(PyObject*, PyObject* kernels) {
  if (!PyDict_Check(kernels)) {
    return raise("TypeError",
                 "set_identity_kernels: it takes a dict from dtypes to Kernels; got %s",
                 Py_TYPE(kernels)->tp_name);
  }
  PyObject *key, *value;
  Py_ssize_t position = 0;
  while (PyDict_Next(kernels, &position, &key, &value)) {
    DType dtype;
    if (!read_dtype(key, &dtype)) return nullptr;
    if (Py_TYPE(value) != KernelType) {
      return raise("TypeError", "set_identity_kernels: %R is no Kernel", value);
    }
    set_identity_kernel(dtype, reinterpret_cast<Kernel*>(value));
  }
  Py_RETURN_NONE;
}

PyObject* set_together(PyObject*, PyObject* together) {
  set_batch_compiler(together == Py_None ? nullptr : together);
  Py_RETURN_NONE;
}

PyObject* set_helper(PyObject*, PyObject* helper) {
  if (helper != Py_None && !PyCallable_Check(helper)) {
    return raise("TypeError", "set_out_helper: it must be callable or None; got %s",
                 Py_TYPE(helper)->tp_name);
  }
  set_out_helper(helper);
  Py_RETURN_NONE;
}

PyObject* get_num_threads(PyObject*, PyObject*) { return PyLong_FromLong(thread_count()); }

PyObject* set_num_threads(PyObject*, PyObject* count) {
  const long number = PyLong_AsLong(count);
  if (number == -1 && PyErr_Occurred()) return nullptr;
  if (number < 1 || number > INT32_MAX) {
    return raise("ValueError", "set_num_threads: the number of threads must be positive; got %ld",
                 number);
  }
  set_thread_count(static_cast<int>(number));
  Py_RETURN_NONE;
}

PyObject* set_memory_reuse(PyObject*, PyObject* reuse) {
  return PyBool_FromLong(std::exchange(reuse_memory, reuse == Py_True));
}

PyObject* stats(PyObject*, PyObject*) {
  const EngineStats& s = engine_stats;
  return Py_BuildValue("{s:L,s:L,s:L,s:L,s:L}", "hits", s.hits, "plan_hits", s.plan_hits, "misses",
                       s.misses, "bindings", s.bindings, "launches", s.launches);
}

PyObject* check_object(PyObject*, PyObject* args) {
  const char* data;
  const char* symbol;
  Py_ssize_t size;
  if (!PyArg_ParseTuple(args, "y#s:check_object", &data, &size, &symbol)) return nullptr;
  std::string error;
  if (!load_object({data, static_cast<size_t>(size)}, symbol, error)) {
    return raise("ValueError", "check_object: the object cannot be loaded; %s", error.c_str());
  }
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"set_converter", set_converter, METH_VARARGS,
     "set_converter(callable, ops) -> previous. Calls converter(op, *args, **kwargs) instead of "
     "those ops in this thread; None, None: none."},
    {"set_recorder", set_recorder, METH_O,
     "set_recorder(recorder) -> previous. Tells recorder.before, after, read and grad what happens "
     "in this thread; None: nobody."},
    {"set_dry_runs", set_dry_runs, METH_O,
     "set_dry_runs(bool) -> previous. Whether operations of this thread only take memory."},
    {"set_number_type", set_number_type, METH_O,
     "set_number_type(type). What recorders hand out in place of numbers: `hint` is the number."},
    {"is_recording", is_recording, METH_NOARGS, "Whether a recorder is told what happens here."},
    {"place_of", place_of, METH_O,
     "place_of(tensor) -> (serial of its memory, dtype, offset, sizes, strides)."},
    {"set_identity_kernels", set_identity_kernels, METH_O,
     "set_identity_kernels({dtype: kernel}). Copying kernels, for operands that need staging."},
    {"set_batch_compiler", set_together, METH_O,
     "set_batch_compiler(together). What compiles several kernels at once: "
     "together([(compile, arguments), ...]) returns what each compile(*arguments) does; None: "
     "they are compiled one by one."},
    {"set_out_helper", set_helper, METH_O,
     "set_out_helper(callable). Called as callable(out, result) to resize, convert and copy."},
    {"get_num_threads", get_num_threads, METH_NOARGS, "The number of threads that kernels use."},
    {"set_num_threads", set_num_threads, METH_O, "Sets the number of threads that kernels use."},
    {"set_memory_reuse", set_memory_reuse, METH_O,
     "set_memory_reuse(bool) -> previous. Whether the temporaries of plans bound from now on may "
     "have the memory of others that are not needed any more."},
    {"engine_stats", stats, METH_NOARGS,
     "Counts since the start: binding hits, plan hits, misses, launches; and the bindings alive."},
    {"check_object", check_object, METH_VARARGS,
     "check_object(bytes, symbol). Loads an ELF object; raises ValueError if it is malformed."},
    {nullptr, nullptr, 0, nullptr},
};

bool add_type(PyObject* module, const char* name, PyType_Spec& spec, PyTypeObject** type) {
  PyObject* made = PyType_FromSpec(&spec);
  *type = reinterpret_cast<PyTypeObject*>(made);
  return made && PyModule_AddObjectRef(module, name, made) == 0;
}

}  // namespace

void bind_engine(nanobind::module_& m) {
  PyObject* module = m.ptr();
  const bool good = add_type(module, "Kernel", kernel_spec, &KernelType) &&
                    add_type(module, "Plan", plan_spec, &PlanType) && init_op_type(module) &&
                    init_entry_type(module) && PyModule_AddFunctions(module, functions) == 0;
  if (!good) throw nanobind::python_error();
}

}  // namespace gleed
