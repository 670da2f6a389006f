// What nodes keep of tensors, and the error when it was overwritten.
#include <cstdio>
#include <string>

#include "errors.h"
#include "node.h"

namespace gleed {

bool anomaly_enabled = false;
bool anomaly_checks_nan = true;

void save_tensor(SavedTensor& saved, Tensor* t, int own_slot, Edge history, int64_t* dims) {
  const Layout& layout = t->layout;
  saved.storage = keep(t->storage);
  saved.offset = layout.offset;
  saved.numel = layout.numel;
  saved.dims = dims;
  for (int i = 0; i < layout.ndim; ++i) dims[i] = layout.sizes[i];
  for (int i = 0; i < layout.ndim; ++i) dims[layout.ndim + i] = layout.strides[i];
  saved.history = history;
  if (history.node) keep(history.node);
  saved.own_slot = own_slot;
  saved.version = t->storage->version;
  saved.ndim = static_cast<int8_t>(layout.ndim);
  saved.contiguous = layout.contiguous;
  saved.dtype = t->dtype;
}

static void restore_layout(const SavedTensor& saved, Layout& layout) {
  layout.ndim = saved.ndim;
  layout.contiguous = saved.contiguous;
  layout.numel = saved.numel;
  layout.offset = saved.offset;
  for (int i = 0; i < saved.ndim; ++i) layout.sizes[i] = saved.dims[i];
  for (int i = 0; i < saved.ndim; ++i) layout.strides[i] = saved.dims[saved.ndim + i];
}

void release_saved(Node* node) {
  uint32_t count = node->saved_count;
  node->saved_count = 0;
  for (uint32_t i = 0; i < count; ++i) {
    SavedTensor& saved = node->saved[i];
    if (saved.storage) drop(saved.storage);
    if (saved.history.node) drop(saved.history.node);
  }
}

// The last writes to memory that others share: what a message about an overwritten value needs.
namespace {

struct Write {
  const Storage* storage;
  uint32_t version;
  PyCodeObject* code;  // counted
  int instruction;
  char op[32];
};
constexpr int kWrites = 256;
Write writes[kWrites];
int next_write = 0;

const Write* find_write(const Storage* storage, uint32_t version) {
  // The latest first: an address may have been another storage's before.
  for (int i = 1; i <= kWrites; ++i) {
    const Write& write = writes[(next_write - i + kWrites) % kWrites];
    if (write.storage == storage && write.version == version) return &write;
  }
  return nullptr;
}

std::string location(const Write& write) {
  if (!write.code) return "";
  const char* file = PyUnicode_AsUTF8(write.code->co_filename);
  if (!file) {
    PyErr_Clear();
    return "";
  }
  int line = PyCode_Addr2Line(write.code, write.instruction);
  return std::string(" at ") + file + ":" + std::to_string(line);
}

// Where the node was made; known in anomaly mode only.
std::string made_at(Node* node) {
  PyObject* metadata = node->extras ? node->extras->metadata : nullptr;
  PyObject* line = metadata ? PyDict_GetItemString(metadata, "location_") : nullptr;
  const char* text = line ? PyUnicode_AsUTF8(line) : nullptr;
  if (!text) PyErr_Clear();
  return text ? std::string(" at ") + text : "";
}

Tensor* raise_overwritten(const SavedTensor& saved, Node* owner) {
  std::string written = "an in-place operation";
  // The first write after the value was saved is the culprit.
  if (const Write* write = find_write(saved.storage, saved.version + 1)) {
    written = std::string("'") + write->op + "'" + location(*write);
  }
  std::string made = made_at(owner);
  PyObject* name = node_name(owner);
  if (!name) return nullptr;
  PyObject* sizes = size_object({saved.dims, static_cast<size_t>(saved.ndim)});
  PyObject* shape = sizes ? PyObject_Str(sizes) : nullptr;
  if (shape) {
    raise("GradientError",
          "backward: a value that the gradient needs was overwritten; %U saved %s%d of shape %U "
          "(version %u)%s, and it was modified by %s (now version %u); use the out-of-place form, "
          "or write to a .clone()%s",
          name, saved.own_slot >= 0 ? "its output " : "a tensor, number ",
          saved.own_slot >= 0 ? saved.own_slot : static_cast<int>(&saved - owner->saved), shape,
          saved.version, made.c_str(), written.c_str(), saved.storage->version,
          made.empty() ? "; gleed.autograd.set_detect_anomaly(True) shows where it was saved" : "");
  }
  Py_XDECREF(shape);
  Py_XDECREF(sizes);
  Py_DECREF(name);
  return nullptr;
}

// Gives an unpacked tensor the history it had when it was saved.
void attach(Tensor* t, const SavedTensor& saved, Node* owner) {
  if (saved.own_slot >= 0) {
    set_history(t, owner, static_cast<uint32_t>(saved.own_slot));
  } else if (Node* history = saved.history.node) {
    if (history->kind != NodeKind::kAccumulate) {
      set_history(t, history, saved.history.slot);
    } else {
      AutogradMeta* meta = ensure_meta(t);
      meta->requires_grad = true;
      meta->accumulator = keep(history);
      auto* accumulate = static_cast<AccumulateNode*>(history);
      if (!accumulate->leaf) accumulate->leaf = meta;
    }
  }
}

// The leaf itself, if it still is what was saved.
Tensor* original_leaf(const SavedTensor& saved, const Layout& layout) {
  Node* history = saved.history.node;
  if (!history || history->kind != NodeKind::kAccumulate) return nullptr;
  AutogradMeta* meta = static_cast<AccumulateNode*>(history)->leaf;
  if (!meta || meta->tensor->storage != saved.storage) return nullptr;
  const Layout& now = meta->tensor->layout;
  if (!same_sizes(now, layout) || now.offset != layout.offset) return nullptr;
  for (int i = 0; i < now.ndim; ++i) {
    if (now.strides[i] != layout.strides[i]) return nullptr;
  }
  return meta->tensor;
}

}  // namespace

void note_write(const Storage* storage, uint32_t version, const char* op) {
  if (storage->refs < 2) return;  // nobody else can have saved it
  Write& write = writes[next_write];
  next_write = (next_write + 1) % kWrites;
  PyCodeObject* old = write.code;
  write.storage = storage;
  write.version = version;
  write.code = nullptr;
  std::snprintf(write.op, sizeof write.op, "%s", op);
  if (PyFrameObject* frame = PyEval_GetFrame()) {
    write.code = PyFrame_GetCode(frame);
    write.instruction = PyFrame_GetLasti(frame);
  }
  Py_XDECREF(old);
}

Tensor* unpack(const SavedTensor& saved, Node* owner, bool attached) {
  if (saved.storage->version != saved.version) return raise_overwritten(saved, owner);
  Layout layout;
  restore_layout(saved, layout);
  if (attached) {
    if (Tensor* leaf = original_leaf(saved, layout)) {
      Py_INCREF(object(leaf));
      return leaf;
    }
  }
  Tensor* t = new_tensor(keep(saved.storage), layout, saved.dtype);
  if (t && attached) attach(t, saved, owner);
  return t;
}

PyObject* raise_released(Node* node) {
  PyObject* name = node_name(node);
  if (!name) return nullptr;
  raise("GradientError",
        "backward: the graph was freed by an earlier backward; %U needs values that it saved and "
        "that are gone; give the earlier backward() or grad() retain_graph=True",
        name);
  Py_DECREF(name);
  return nullptr;
}

}  // namespace gleed
