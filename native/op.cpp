// The Op type: a callable that is a function of gleed and a method of Tensor at once.
#include "op.h"

#include <structmember.h>

#include <cstddef>
#include <utility>

#include "tape.h"

namespace gleed {

PyTypeObject* OpType = nullptr;

namespace {

// Counts threads with a converter, so that calls look at thread-local state only
// where there is one.
int converting_threads = 0;
thread_local PyObject* converter = nullptr;
thread_local PyObject* converted = nullptr;  // the set of ops that go through it

const char* const kKindNames[] = {"tensor", "tensor?", "operand",  "operand?", "tensors",
                                  "scalar", "scalar?", "int",      "int?",     "ints",
                                  "ints?",  "static",  "generator"};
const char* const kAccepted[] = {
    "Tensor",           "Tensor or None", "Tensor or number", "Tensor, number or None",
    "Tensors",          "number",         "number or None",   "int",
    "int or None",      "ints",           "ints or None",     "static",
    "Generator or None"};

std::string text_of(PyObject* o) {
  const char* text = PyUnicode_Check(o) ? PyUnicode_AsUTF8(o) : nullptr;
  PyErr_Clear();
  return text ? text : "?";
}

std::string repr_of(PyObject* o) {
  PyObject* repr = PyObject_Repr(o);
  std::string text = repr ? text_of(repr) : "…";
  PyErr_Clear();
  Py_XDECREF(repr);
  return text;
}

// What an overload accepts: "add(input: Tensor, other: Tensor or number, *, alpha: number = 1)".
std::string accepted(const Op& op, const Overload& overload) {
  std::string text = std::string(op.text) + "(";
  bool keyword_only = false;
  for (size_t i = 0; i < overload.parameters.size(); ++i) {
    const Parameter& parameter = overload.parameters[i];
    if (i > 0) text += ", ";
    if (parameter.keyword_only && !keyword_only) text += "*, ";
    keyword_only |= parameter.keyword_only;
    if (parameter.variadic) text += "*";
    text += text_of(parameter.name) + ": " + kAccepted[static_cast<int>(parameter.kind)];
    if (parameter.default_value) text += " = " + repr_of(parameter.default_value);
  }
  return text + ")";
}

// Calls converter(op, *args, **kwargs), which calls the op itself.
PyObject* call_converted(PyObject* op, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  SmallBuffer<PyObject*, 16> all;
  all.push(op);
  const Py_ssize_t count = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
  for (Py_ssize_t i = 0; i < count; ++i) all.push(args[i]);
  PyObject* outer = std::exchange(converter, nullptr);
  PyObject* result =
      PyObject_Vectorcall(outer, all.data(), static_cast<size_t>(nargs + 1), kwnames);
  converter = outer;
  return result;
}

PyObject* raise_traced(const Op& op) {
  return raise(
      "TraceError",
      "%s: a stand-in has no value outside of its trace; it came as an argument; use it only "
      "in the function that is being traced",
      op.text);
}

PyObject* call(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Op& op = *reinterpret_cast<Op*>(self);
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if (converting_threads) [[unlikely]] {
    const int converts = converter ? PySet_Contains(converted, self) : 0;
    if (converts) return converts < 0 ? nullptr : call_converted(self, args, nargs, kwnames);
  }
  Mismatch mismatch;
  const int overloads = static_cast<int>(op.overloads->size());
  for (int i = 0; i < overloads; ++i) {
    const Overload& overload = (*op.overloads)[i];
    Arguments sorted;
    Frame frame;
    Fit fit = sort_arguments(overload, args, nargs, kwnames, sorted, mismatch);
    if (fit == Fit::kYes) fit = encode_arguments(overload, sorted, frame, mismatch);
    if (fit == Fit::kYes) [[likely]] {
      return frame.traced ? raise_traced(op) : call_overload(op, i, sorted, frame);
    }
    if (fit == Fit::kError) return nullptr;
  }
  // What no overload takes may be served by a Python function, `op.fallback`, which returns
  // NotImplemented where it does not take it either.
  if (PyObject* fallback = PyDict_GetItemString(op.dict, "fallback")) {
    PyObject* result = PyObject_Vectorcall(fallback, args, nargsf, kwnames);
    if (result != Py_NotImplemented) return result;
    Py_DECREF(result);
  }
  return raise_mismatch(op, mismatch);
}

// ---- construction

// inspect.Parameter.empty, which stands for "no default"; borrowed, null with an exception set.
PyObject* no_default() {
  static PyObject* empty = nullptr;
  if (empty) return empty;
  PyObject* inspect = PyImport_ImportModule("inspect");
  PyObject* parameter = inspect ? PyObject_GetAttrString(inspect, "Parameter") : nullptr;
  empty = parameter ? PyObject_GetAttrString(parameter, "empty") : nullptr;
  Py_XDECREF(parameter);
  Py_XDECREF(inspect);
  return empty;
}

// What makes the result of several outputs: a tuple type, a named tuple's _make, a struct sequence.
PyObject* result_maker(PyObject* type) {
  if (type == reinterpret_cast<PyObject*>(&PyTuple_Type)) return Py_NewRef(type);
  PyObject* make = PyObject_GetAttrString(type, "_make");
  if (make) return make;
  PyErr_Clear();
  return Py_NewRef(type);
}

bool parse_parameter(PyObject* entry, const char* op, bool first, Parameter& parameter) {
  PyObject* name;
  PyObject* default_value;
  const char* kind;
  const char* flags;
  if (!PyArg_ParseTuple(entry, "UsOs:Op parameter", &name, &kind, &default_value, &flags)) {
    return false;
  }
  const std::string wanted = kind;
  int number = 0;
  constexpr int kKinds = static_cast<int>(std::size(kKindNames));
  while (number < kKinds && wanted != kKindNames[number]) ++number;
  if (number == kKinds) {
    raise("ValueError", "Op: unknown kind '%s' of argument '%U' of %s", kind, name, op);
    return false;
  }
  const std::string marks = flags;
  parameter.kind = static_cast<Kind>(number);
  parameter.keyword_only = marks.find('k') != std::string::npos;
  parameter.variadic = marks.find('*') != std::string::npos;
  parameter.out = marks.find('o') != std::string::npos;
  parameter.name = Py_NewRef(name);
  PyUnicode_InternInPlace(&parameter.name);
  const std::string text = text_of(name);
  const auto alias = [](const char* other) { return PyUnicode_InternFromString(other); };
  if (first && text != "self") parameter.alias = alias("self");
  if (text == "dim") parameter.alias = alias("axis");
  if (text == "keepdim") parameter.alias = alias("keepdims");
  if (text == "input") parameter.second_alias = alias("x1");
  if (text == "other") parameter.second_alias = alias("x2");
  PyObject* required = no_default();
  if (!required) return false;
  if (default_value != required) parameter.default_value = Py_NewRef(default_value);
  return encode_default(op, parameter);
}

bool parse_overload(PyObject* entry, const char* op, Overload& overload) {
  PyObject* parameters;
  PyObject* compile;
  PyObject* explain = Py_None;
  PyObject* result_type = Py_None;
  if (!PyArg_ParseTuple(entry, "O!O|OO:Op overload", &PyTuple_Type, &parameters, &compile, &explain,
                        &result_type)) {
    return false;
  }
  const Py_ssize_t count = PyTuple_GET_SIZE(parameters);
  if (count > kMaxParameters) {
    raise("ValueError", "Op: %s has more than %d parameters", op, kMaxParameters);
    return false;
  }
  init_program(overload.program, compile, explain);
  if (result_type != Py_None) overload.result_type = result_maker(result_type);
  bool keyword_only = false;
  overload.parameters.resize(static_cast<size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    Parameter& parameter = overload.parameters[i];
    PyObject* parts = PyTuple_GET_ITEM(parameters, i);
    if (!PyTuple_Check(parts)) {
      raise("TypeError", "Op: a parameter is (name, kind, default, flags); got %s",
            Py_TYPE(parts)->tp_name);
      return false;
    }
    if (!parse_parameter(parts, op, i == 0, parameter)) return false;
    keyword_only |= parameter.keyword_only;
    if (!keyword_only) ++overload.positional;
    parameter.keyword_only = keyword_only;
    if (parameter.out) overload.out = static_cast<int>(i);
  }
  return true;
}

bool parse_overloads(Op& op, PyObject* entries) {
  PyObject* fast = PySequence_Fast(entries, "Op: overloads must be a sequence");
  if (!fast) return false;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(fast);
  op.overloads->resize(static_cast<size_t>(count));
  bool good = true;
  for (Py_ssize_t i = 0; good && i < count; ++i) {
    PyObject* entry = PySequence_Fast_GET_ITEM(fast, i);
    good = PyTuple_Check(entry) && parse_overload(entry, op.text, (*op.overloads)[i]);
    if (!good && !PyErr_Occurred()) {
      raise("TypeError", "Op: an overload is (parameters, compile, explain); got %s",
            Py_TYPE(entry)->tp_name);
    }
  }
  Py_DECREF(fast);
  return good;
}

PyObject* op_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const kNames[] = {"name", "overloads", nullptr};
  PyObject* name;
  PyObject* overloads;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UO:Op", const_cast<char**>(kNames), &name,
                                   &overloads)) {
    return nullptr;
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  Op& op = *reinterpret_cast<Op*>(self);
  op.vectorcall = call;
  op.name = Py_NewRef(name);
  op.text = PyUnicode_AsUTF8(name);
  while (op.text && *op.text == '_') ++op.text;  // messages name the function of users
  op.overloads = new std::vector<Overload>;
  op.dict = PyDict_New();
  const bool good = op.text && op.dict && PyDict_SetItemString(op.dict, "__name__", name) == 0 &&
                    PyDict_SetItemString(op.dict, "__qualname__", name) == 0 &&
                    parse_overloads(op, overloads);
  if (!good) Py_CLEAR(self);
  return self;
}

int op_traverse(PyObject* self, visitproc visit, void* arg) {
  Op& op = *reinterpret_cast<Op*>(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(op.dict);
  if (!op.overloads) return 0;
  for (Overload& overload : *op.overloads) {
    if (int result = traverse_program(overload.program, visit, arg)) return result;
    Py_VISIT(overload.result_type);
    for (Parameter& parameter : overload.parameters) Py_VISIT(parameter.default_value);
  }
  return 0;
}

int op_clear(PyObject* self) {
  Op& op = *reinterpret_cast<Op*>(self);
  Py_CLEAR(op.dict);
  if (!op.overloads) return 0;
  for (Overload& overload : *op.overloads) {
    clear_program(overload.program);
    Py_CLEAR(overload.result_type);
  }
  return 0;
}

void op_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Op& op = *reinterpret_cast<Op*>(self);
  if (op.weakrefs) PyObject_ClearWeakRefs(self);
  op_clear(self);
  if (op.overloads) {
    for (Overload& overload : *op.overloads) {
      for (Parameter& parameter : overload.parameters) {
        Py_XDECREF(parameter.name);
        Py_XDECREF(parameter.alias);
        Py_XDECREF(parameter.second_alias);
        Py_XDECREF(parameter.default_value);
      }
    }
    delete op.overloads;
  }
  Py_XDECREF(op.name);
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* op_get(PyObject* self, PyObject* instance, PyObject*) {
  return instance ? PyMethod_New(self, instance) : Py_NewRef(self);
}

PyObject* op_repr(PyObject* self) {
  return PyUnicode_FromFormat("<op %U>", reinterpret_cast<Op*>(self)->name);
}

// Pickled by name, as functions are.
PyObject* op_reduce(PyObject* self, PyObject*) {
  return PyObject_GetAttrString(self, "__qualname__");
}

PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(Op, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Op, weakrefs), READONLY, nullptr},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Op, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMethodDef methods[] = {
    {"__reduce__", op_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(op_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(op_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(op_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(op_clear)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_descr_get, reinterpret_cast<void*>(op_get)},
    {Py_tp_repr, reinterpret_cast<void*>(op_repr)},
    {Py_tp_members, members},
    {Py_tp_getset, getset},
    {Py_tp_methods, methods},
    {Py_tp_getattro, reinterpret_cast<void*>(PyObject_GenericGetAttr)},
    {Py_tp_setattro, reinterpret_cast<void*>(PyObject_GenericSetAttr)},
    {0, nullptr},
};

PyType_Spec spec = {
    "gleed._C.Op",
    sizeof(Op),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
        Py_TPFLAGS_METHOD_DESCRIPTOR,
    slots,
};

}  // namespace

bool converting() { return converter != nullptr; }

PyObject* run_program(Op& op, PyObject* tensors, std::span<const uint64_t> numbers,
                      bool differentiable) {
  const Overload& overload = op.overloads->front();
  Mismatch mismatch;
  Arguments sorted;
  Frame frame;
  Fit fit = sort_arguments(overload, &tensors, 1, nullptr, sorted, mismatch);
  if (fit == Fit::kYes) fit = encode_arguments(overload, sorted, frame, mismatch);
  if (fit != Fit::kYes) return fit == Fit::kNo ? raise_mismatch(op, mismatch) : nullptr;
  for (uint64_t bits : numbers) frame.scalars.push(bits);
  if (frame.traced) return raise_traced(op);
  const bool enabled = grad_enabled();
  set_grad_enabled(enabled && differentiable);
  PyObject* result = call_overload(op, 0, sorted, frame);
  set_grad_enabled(enabled);
  return result;
}

bool init_op_type(PyObject* module) {
  PyObject* type = PyType_FromSpec(&spec);
  OpType = reinterpret_cast<PyTypeObject*>(type);
  return type && PyModule_AddObjectRef(module, "Op", type) == 0;
}

PyObject* raise_mismatch(const Op& op, const Mismatch& mismatch) {
  std::string forms;
  for (const Overload& overload : *op.overloads) {
    if (!forms.empty()) forms += " or ";
    forms += accepted(op, overload);
  }
  return raise("ArgumentError", "%s: %s; it takes %s", op.text, mismatch.c_str(), forms.c_str());
}

PyObject* exchange_converter(PyObject* next, PyObject* ops) {
  PyObject* previous =
      converter ? PyTuple_Pack(2, converter, converted) : PyTuple_Pack(2, Py_None, Py_None);
  if (!previous) return nullptr;
  converting_threads += (next != Py_None) - (converter != nullptr);
  Py_XSETREF(converter, next == Py_None ? nullptr : Py_NewRef(next));
  Py_XSETREF(converted, next == Py_None ? nullptr : Py_NewRef(ops));
  return previous;
}

}  // namespace gleed
