#include "recording.h"

#include <utility>

#include "binding.h"
#include "program.h"
#include "tuples.h"

namespace gleed {

thread_local constinit PyObject* recorder = nullptr;
thread_local constinit bool dry_runs = false;
PyTypeObject* NumberType = nullptr;

namespace {

// Calls a method of the recorder, which is not told of what that does. Takes the arguments over.
// The answer is a new reference, or null with an exception set.
template <size_t N>
PyObject* ask(const char* method, PyObject* (&&arguments)[N]) {
  bool ok = true;
  for (PyObject* argument : arguments) ok = ok && argument;
  PyObject* own = std::exchange(recorder, nullptr);
  PyObject* name = ok ? PyUnicode_InternFromString(method) : nullptr;
  PyObject* result = nullptr;
  if (name) {
    PyObject* all[N + 1] = {own};
    for (size_t i = 0; i < N; ++i) all[i + 1] = arguments[i];
    result = PyObject_VectorcallMethod(name, all, N + 1, nullptr);
  }
  Py_XDECREF(name);
  for (PyObject* argument : arguments) Py_XDECREF(argument);
  // False: it gives up, and wants to hear no more.
  const bool stop = result == Py_False;
  if (stop) {
    Py_DECREF(own);
  } else {
    recorder = own;
  }
  return result;
}

template <size_t N>
bool tell(const char* method, PyObject* (&&arguments)[N]) {
  PyObject* answer = ask(method, std::move(arguments));
  Py_XDECREF(answer);
  return answer != nullptr;
}

// What the recorder makes of something, if that is a tuple; null without an exception if not.
template <size_t N>
PyObject* tuple_from(const char* method, PyObject* (&&arguments)[N]) {
  PyObject* answer = ask(method, std::move(arguments));
  if (answer && !PyTuple_Check(answer)) Py_CLEAR(answer);
  return answer;
}

}  // namespace

PyObject* exchange_recorder(PyObject* next) {
  PyObject* previous = std::exchange(recorder, next == Py_None ? nullptr : Py_NewRef(next));
  return previous ? previous : Py_NewRef(Py_None);
}

bool record_inputs(const Binding& binding, const Call& call) {
  PyObject* program = binding.plan->program;
  return tell("before", {Py_NewRef(program ? program : Py_None), tuple_of(call.tensors),
                         tuple_of(call.ints), tuple_of(call.scalars), arguments_of(call),
                         PyLong_FromVoidPtr(const_cast<void*>(call.origin))});
}

bool record_outputs(const Binding& binding, Tensor* const* outputs) {
  return tell("after", {tuple_of(std::span<Tensor* const>{outputs, binding.outputs.size()})});
}

bool record_node(const Binding& binding, const void* node) {
  PyObject* program = binding.plan->program;
  return tell("node", {Py_NewRef(program ? program : Py_None),
                       PyLong_FromVoidPtr(const_cast<void*>(node))});
}

PyObject* record_sizes(Tensor* t) {
  PyObject* sizes = tuple_from("sizes", {Py_NewRef(object(t))});
  return sizes || PyErr_Occurred() ? sizes : size_object(t->layout.shape());
}

PyObject* record_strides(Tensor* t) {
  PyObject* strides = tuple_from("strides", {Py_NewRef(object(t))});
  const Layout& layout = t->layout;
  if (strides || PyErr_Occurred()) return strides;
  return tuple_of({layout.strides, static_cast<size_t>(layout.ndim)});
}

PyObject* record_index(Tensor* t, PyObject* index) {
  return tuple_from("index", {Py_NewRef(object(t)), Py_NewRef(index)});
}

PyObject* record_integers(const void* node) {
  return tuple_from("integers", {PyLong_FromVoidPtr(const_cast<void*>(node))});
}

bool record_read(Tensor* t, const char* what) {
  return tell("read", {Py_NewRef(object(t)), PyUnicode_FromString(what)});
}

bool record_grad(Tensor* t, bool assigned) {
  return tell("grad", {Py_NewRef(object(t)), PyBool_FromLong(assigned)});
}

bool sized(const Tensor* t, const char* what) {
  return concrete(t, what) &&
         (!recording() ||
          tell("shape", {Py_NewRef(object(const_cast<Tensor*>(t))), PyUnicode_FromString(what)}));
}

bool readable(Tensor* t, const char* what) {
  return concrete(t, what) && (!recording() || record_read(t, what));
}

}  // namespace gleed
