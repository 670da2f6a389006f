// ModuleBase, the C part of nn.Module: a call without hooks goes to `forward` with nothing between.
//
// Attribute dicts and weak references come with Python's subclasses, which have them in the layout
// that the interpreter reads fastest.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include "bind_autograd.h"
#include "small_buffer.h"

namespace gleed {

namespace {

struct ModuleBase {
  PyObject_HEAD;
  vectorcallfunc vectorcall;
  char hooked;  // calls go to _call_hooked
};

PyObject *forward_name, *call_hooked_name, *annotate_name;

// Lets the module add its path to the message of the exception that is set.
void annotate_error(PyObject* self) {
  if (!PyErr_ExceptionMatches(PyExc_RuntimeError) && !PyErr_ExceptionMatches(PyExc_ValueError)) {
    return;
  }
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback) PyException_SetTraceback(value, traceback);
  if (PyObject_HasAttr(self, annotate_name)) {
    PyObject* result = PyObject_CallMethodOneArg(self, annotate_name, value);
    Py_XDECREF(result);
    PyErr_Clear();  // what went wrong there matters less than the error itself
  }
  PyErr_Restore(type, value, traceback);
}

PyObject* module_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf,
                            PyObject* kwnames);

PyObject* module_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  return PyVectorcall_Call(self, args, kwargs);
}

// A `__call__` that was put on the class later comes first.
PyObject* call_replaced(PyObject* self, PyObject* const* args, Py_ssize_t positional,
                        PyObject* kwnames) {
  PyObject* tuple = PyTuple_New(positional);
  PyObject* kwargs = kwnames ? PyDict_New() : nullptr;
  bool ok = tuple && (kwargs || !kwnames);
  for (Py_ssize_t i = 0; ok && i < positional; ++i) PyTuple_SET_ITEM(tuple, i, Py_NewRef(args[i]));
  for (Py_ssize_t i = 0; ok && kwnames && i < PyTuple_GET_SIZE(kwnames); ++i) {
    ok = PyDict_SetItem(kwargs, PyTuple_GET_ITEM(kwnames, i), args[positional + i]) == 0;
  }
  PyObject* result = ok ? Py_TYPE(self)->tp_call(self, tuple, kwargs) : nullptr;
  Py_XDECREF(tuple);
  Py_XDECREF(kwargs);
  return result;
}

PyObject* module_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf,
                            PyObject* kwnames) {
  const Py_ssize_t positional = PyVectorcall_NARGS(nargsf);
  if (Py_TYPE(self)->tp_call != module_call) return call_replaced(self, args, positional, kwnames);
  PyObject* name = reinterpret_cast<ModuleBase*>(self)->hooked ? call_hooked_name : forward_name;
  PyObject* result;
  if (nargsf & PY_VECTORCALL_ARGUMENTS_OFFSET) {
    // The caller lends the place before the arguments, which is where `self` goes.
    auto** with_self = const_cast<PyObject**>(args) - 1;
    PyObject* lent = with_self[0];
    with_self[0] = self;
    result = PyObject_VectorcallMethod(name, with_self, positional + 1, kwnames);
    with_self[0] = lent;
  } else {
    const Py_ssize_t total = positional + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
    SmallBuffer<PyObject*, 8> with_self(total + 1);
    with_self[0] = self;
    for (Py_ssize_t i = 0; i < total; ++i) with_self[i + 1] = args[i];
    result = PyObject_VectorcallMethod(name, with_self.data(), positional + 1, kwnames);
  }
  if (!result) annotate_error(self);
  return result;
}

PyObject* module_new(PyTypeObject* type, PyObject*, PyObject*) {
#if PY_VERSION_HEX < 0x030C0000
  // Later versions let subclasses inherit the flag.
  if (type->tp_call == module_call) type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
#endif
  auto* module = reinterpret_cast<ModuleBase*>(type->tp_alloc(type, 0));
  if (module) module->vectorcall = module_vectorcall;
  return reinterpret_cast<PyObject*>(module);
}

int module_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return 0;
}

void module_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(ModuleBase, vectorcall), READONLY, nullptr},
    {"_hooked", T_BOOL, offsetof(ModuleBase, hooked), 0,
     "Whether a call goes to `_call_hooked` in place of `forward`."},
    {nullptr, 0, 0, 0, nullptr},
};
PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("Calling an instance calls its `forward`, or `_call_hooked`.")},
    {Py_tp_new, reinterpret_cast<void*>(module_new)},
    {Py_tp_call, reinterpret_cast<void*>(module_call)},
    {Py_tp_members, members},
    {Py_tp_traverse, reinterpret_cast<void*>(module_traverse)},
    {Py_tp_dealloc, reinterpret_cast<void*>(module_dealloc)},
    {0, nullptr},
};
PyType_Spec spec = {
    "gleed._C.ModuleBase", sizeof(ModuleBase), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL,
    slots};

}  // namespace

bool init_module_base(PyObject* module) {
  forward_name = PyUnicode_InternFromString("forward");
  call_hooked_name = PyUnicode_InternFromString("_call_hooked");
  annotate_name = PyUnicode_InternFromString("_annotate_error");
  PyObject* type = PyType_FromSpec(&spec);
  bool ok = type && PyModule_AddObjectRef(module, "ModuleBase", type) == 0;
  Py_XDECREF(type);
  return ok;
}

}  // namespace gleed
