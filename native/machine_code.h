// Machine code that Python compiles: when it is asked for, or several pieces together.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <vector>

namespace gleed {

// The function that compile(*arguments) makes, which returns (object bytes, symbol); it is put into
// *slot, which is null so far. `now`: even if there is a batch. Takes `arguments` over. Null with
// an exception set.
void* machine_code(void** slot, PyObject* compile, PyObject* arguments, bool now = false);

// While one exists, this thread only notes what it finds missing, and a function that must not be
// called stands in its place; then all of it is compiled at once, by several threads.
class CodeBatch {
 public:
  CodeBatch();
  ~CodeBatch();
  CodeBatch(const CodeBatch&) = delete;
  CodeBatch& operator=(const CodeBatch&) = delete;

  bool empty() const { return requests_.empty(); }
  void add(void** slot, PyObject* compile, PyObject* arguments);
  bool compile();  // ends the noting; false with an exception set

 private:
  struct Request {
    void** slot;
    PyObject *compile, *arguments;
  };
  std::vector<Request> requests_;
  CodeBatch* outer_;
};

// together([(compile, arguments), ...]) returns what each compile(*arguments) does; null: they are
// compiled one by one.
void set_batch_compiler(PyObject* together);

}  // namespace gleed
