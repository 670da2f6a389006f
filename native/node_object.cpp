// Nodes as Python sees them: tensor.grad_fn and what hangs on it.
//
// Objects are made when they are asked for, and the node knows its object while there is one, so
// `y.grad_fn is y.grad_fn`. Every name has a type of its own, as in PyTorch:
// type(y.grad_fn).__name__.
#include "bind_autograd.h"
#include "errors.h"
#include "node.h"

namespace gleed {

namespace {

struct NodeObject {
  PyObject_HEAD;
  Node* node;  // counted
};

PyTypeObject* node_type = nullptr;
PyObject* types_by_name = nullptr;  // dict

Node* node_of(PyObject* self) { return reinterpret_cast<NodeObject*>(self)->node; }

// The type for nodes of this name; new reference.
PyObject* type_named(PyObject* name) {
  PyObject* type = PyDict_GetItemWithError(types_by_name, name);
  if (type) return Py_NewRef(type);
  if (PyErr_Occurred()) return nullptr;
  type = PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyType_Type), "O(O){s:(),s:s}", name,
                               node_type, "__slots__", "__module__", "gleed.autograd");
  if (type && PyDict_SetItem(types_by_name, name, type) < 0) Py_CLEAR(type);
  return type;
}

void node_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Node* node = node_of(self);
  node->object = nullptr;
  type->tp_free(self);
  Py_DECREF(type);
  drop(node);
}

int node_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return node_of(self)->refs == 1 ? traverse_node(node_of(self), visit, arg) : 0;
}

PyObject* node_repr(PyObject* self) {
  PyObject* name = node_name(node_of(self));
  PyObject* text = name ? PyUnicode_FromFormat("<%U object at %p>", name, self) : nullptr;
  Py_XDECREF(name);
  return text;
}

PyObject* node_get_name(PyObject* self, PyObject*) { return node_name(node_of(self)); }

PyObject* node_sequence_nr(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLongLong(node_of(self)->sequence);
}

PyObject* node_next_functions(PyObject* self, void*) {
  Node* node = node_of(self);
  PyObject* functions = PyTuple_New(node->edge_count);
  for (uint32_t i = 0; functions && i < node->edge_count; ++i) {
    Edge edge = node->edges[i];
    PyObject* next = edge.node ? node_object(edge.node) : Py_NewRef(Py_None);
    PyObject* pair = next ? Py_BuildValue("(NI)", next, edge.slot) : nullptr;
    if (!pair) Py_CLEAR(functions);
    if (functions) PyTuple_SET_ITEM(functions, i, pair);
  }
  return functions;
}

PyObject* node_metadata(PyObject* self, void*) {
  NodeExtras& more = extras(node_of(self));
  if (!more.metadata) more.metadata = PyDict_New();
  return Py_XNewRef(more.metadata);
}

PyObject* node_register_hook(PyObject* self, PyObject* hook) {
  return add_hook(&extras(node_of(self)).post_hooks, hook);
}

PyObject* node_register_prehook(PyObject* self, PyObject* hook) {
  return add_hook(&extras(node_of(self)).pre_hooks, hook);
}

// The leaf of an AccumulateGrad, and whatever the context of a custom Function has.
PyObject* node_getattro(PyObject* self, PyObject* name) {
  Node* node = node_of(self);
  if (node->kind == NodeKind::kAccumulate &&
      PyUnicode_CompareWithASCIIString(name, "variable") == 0) {
    AutogradMeta* leaf = static_cast<AccumulateNode*>(node)->leaf;
    return Py_NewRef(leaf ? object(leaf->tensor) : Py_None);
  }
  PyObject* found = PyObject_GenericGetAttr(self, name);
  if (found || node->kind != NodeKind::kFunction || !PyErr_ExceptionMatches(PyExc_AttributeError)) {
    return found;
  }
  PyErr_Clear();
  return PyObject_GetAttr(static_cast<FunctionNode*>(node)->context, name);
}

PyMethodDef node_methods[] = {
    {"name", node_get_name, METH_NOARGS, "The node's name, such as 'AddBackward0'."},
    {"_sequence_nr", node_sequence_nr, METH_NOARGS, "Larger for nodes made later."},
    {"register_hook", node_register_hook, METH_O,
     "Call `hook(grad_inputs, grad_outputs)` after the node has run; it may return a tuple that "
     "replaces grad_inputs."},
    {"register_prehook", node_register_prehook, METH_O,
     "Call `hook(grad_outputs)` before the node runs; it may return a tuple that replaces them."},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef node_getset[] = {
    {"next_functions", node_next_functions, nullptr,
     "What the gradients flow to: a (node or None, output number) per input.", nullptr},
    {"metadata", node_metadata, nullptr, "A dict for notes on this node.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyType_Slot node_slots[] = {
    {Py_tp_doc, const_cast<char*>("A node of the graph that backward runs through.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(node_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(node_traverse)},
    {Py_tp_repr, reinterpret_cast<void*>(node_repr)},
    {Py_tp_getattro, reinterpret_cast<void*>(node_getattro)},
    {Py_tp_methods, node_methods},
    {Py_tp_getset, node_getset},
    {0, nullptr},
};
PyType_Spec node_spec = {"gleed._C.Node", sizeof(NodeObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE |
                             Py_TPFLAGS_DISALLOW_INSTANTIATION,
                         node_slots};

}  // namespace

PyObject* node_object(Node* node) {
  if (node->object) return Py_NewRef(node->object);
  PyObject* name = node_name(node);
  if (!name) return nullptr;
  PyObject* type = type_named(name);
  Py_DECREF(name);
  if (!type) return nullptr;
  auto* made = PyObject_GC_New(NodeObject, reinterpret_cast<PyTypeObject*>(type));
  Py_DECREF(type);
  if (!made) return nullptr;
  made->node = keep(node);
  node->object = reinterpret_cast<PyObject*>(made);
  PyObject_GC_Track(made);
  return node->object;
}

bool init_node_type(PyObject* module) {
  types_by_name = PyDict_New();
  node_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&node_spec));
  return types_by_name && node_type &&
         PyModule_AddObjectRef(module, "Node", reinterpret_cast<PyObject*>(node_type)) == 0;
}

}  // namespace gleed
