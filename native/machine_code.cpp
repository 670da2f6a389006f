#include "machine_code.h"

#include <algorithm>
#include <string>

#include "errors.h"
#include "objects.h"

namespace gleed {

namespace {

PyObject* batch_compiler = nullptr;
thread_local CodeBatch* batch = nullptr;

void not_compiled() {}
void* const kNotCompiled = reinterpret_cast<void*>(not_compiled);

// Loads what a compiler has made. False with an exception set.
bool load(void** slot, PyObject* made) {
  const char* data = nullptr;
  const char* symbol = nullptr;
  Py_ssize_t size = 0;
  if (!PyTuple_Check(made)) {
    raise("TypeError", "Kernel: compile returns (object bytes, symbol); got %s",
          Py_TYPE(made)->tp_name);
    return false;
  }
  if (!PyArg_ParseTuple(made, "y#s", &data, &size, &symbol)) return false;
  std::string error;
  *slot = load_object({data, static_cast<size_t>(size)}, symbol, error);
  if (*slot) return true;
  raise("RuntimeError", "Kernel: the object cannot be loaded; %s", error.c_str());
  return false;
}

}  // namespace

void* machine_code(void** slot, PyObject* compile, PyObject* arguments, bool now) {
  if (!arguments) return nullptr;
  if (batch && !now) {
    batch->add(slot, compile, arguments);
    return kNotCompiled;
  }
  PyObject* made = PyObject_CallObject(compile, arguments);
  if (made) load(slot, made);
  Py_XDECREF(made);
  Py_DECREF(arguments);
  return *slot;
}

CodeBatch::CodeBatch() : outer_(batch) {
  if (batch_compiler) batch = this;  // else all is compiled one by one
}

CodeBatch::~CodeBatch() {
  if (batch == this) batch = outer_;
  for (const Request& request : requests_) {
    Py_DECREF(request.compile);
    Py_DECREF(request.arguments);
  }
}

void CodeBatch::add(void** slot, PyObject* compile, PyObject* arguments) {
  const bool known = std::any_of(requests_.begin(), requests_.end(),
                                 [&](const Request& request) { return request.slot == slot; });
  if (known) return Py_DECREF(arguments);
  requests_.push_back({slot, Py_NewRef(compile), arguments});
}

bool CodeBatch::compile() {
  batch = outer_;
  PyObject* wanted = PyList_New(0);
  for (const Request& request : requests_) {
    PyObject* pair = wanted ? PyTuple_Pack(2, request.compile, request.arguments) : nullptr;
    if (!pair || PyList_Append(wanted, pair) < 0) Py_CLEAR(wanted);
    Py_XDECREF(pair);
  }
  PyObject* made = wanted ? PyObject_CallOneArg(batch_compiler, wanted) : nullptr;
  Py_XDECREF(wanted);
  bool ok = made != nullptr;
  for (size_t i = 0; ok && i < requests_.size(); ++i) {
    PyObject* one = PySequence_GetItem(made, static_cast<Py_ssize_t>(i));
    ok = one && load(requests_[i].slot, one);
    Py_XDECREF(one);
  }
  Py_XDECREF(made);
  return ok;
}

void set_batch_compiler(PyObject* together) { Py_XSETREF(batch_compiler, Py_XNewRef(together)); }

}  // namespace gleed
