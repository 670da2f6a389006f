// Anomaly mode: which line of the forward a failing backward belongs to.
#include "engine.h"
#include "errors.h"

namespace gleed {

// The Python stack of the caller as text, and its innermost line as "file:line".
void note_forward(Node* node) {
  PyObject* traceback = PyImport_ImportModule("traceback");
  PyObject* stack = traceback ? PyObject_CallMethod(traceback, "extract_stack", nullptr) : nullptr;
  PyObject* lines = stack ? PyObject_CallMethod(traceback, "format_list", "(O)", stack) : nullptr;
  PyObject* last = stack ? PySequence_GetItem(stack, -1) : nullptr;
  PyObject* file = last ? PyObject_GetAttrString(last, "filename") : nullptr;
  PyObject* number = last ? PyObject_GetAttrString(last, "lineno") : nullptr;
  PyObject* location = file && number ? PyUnicode_FromFormat("%U:%S", file, number) : nullptr;
  NodeExtras& more = extras(node);
  if (!more.metadata) more.metadata = PyDict_New();
  if (more.metadata && lines && location) {
    PyDict_SetItemString(more.metadata, "traceback_", lines);
    PyDict_SetItemString(more.metadata, "location_", location);
  }
  for (PyObject* o : {traceback, stack, lines, last, file, number, location}) Py_XDECREF(o);
  PyErr_Clear();  // a missing note must not fail the operation
}

// Adds a note about where the node was made to the exception that is set.
static void explain(Node* node) {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  PyObject* metadata = node->extras ? node->extras->metadata : nullptr;
  PyObject* lines = metadata ? PyDict_GetItemString(metadata, "traceback_") : nullptr;
  PyObject* empty = lines ? PyUnicode_FromString("") : nullptr;
  PyObject* text = empty ? PyUnicode_Join(empty, lines) : nullptr;
  PyObject* name = node_name(node);
  PyObject* note = text && name
                       ? PyUnicode_FromFormat(
                             "%U failed; it was recorded in the forward call at\n%U", name, text)
                       : nullptr;
  PyObject* added = note ? PyObject_CallMethod(value, "add_note", "(O)", note) : nullptr;
  for (PyObject* o : {empty, text, name, note, added}) Py_XDECREF(o);
  PyErr_Clear();
  PyErr_Restore(type, value, traceback);
}

bool check_anomaly(Node* node, std::span<Tensor*> gradients, bool ok) {
  for (size_t i = 0; ok && anomaly_checks_nan && i < gradients.size(); ++i) {
    if (!gradients[i]) continue;
    PyObject* arguments[] = {object(gradients[i])};
    PyObject* found = call_engine_op(EngineOp::kIsNan, arguments);
    int is_nan = found ? PyObject_IsTrue(found) : -1;
    Py_XDECREF(found);
    ok = is_nan == 0;
    if (is_nan != 1) continue;
    if (PyObject* name = node_name(node)) {
      raise("GradientError",
            "backward: no gradient may be NaN in anomaly mode; %U returned NaN "
            "for its input %zu; look at the values that flow into the forward call",
            name, i);
      Py_DECREF(name);
    }
  }
  if (!ok) explain(node);
  return ok;
}

}  // namespace gleed
