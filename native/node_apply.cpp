// What each kind of node does with what flows into it.
#include <algorithm>
#include <bit>

#include "engine.h"
#include "errors.h"
#include "recording.h"
#include "small_buffer.h"
#include "tuples.h"

namespace gleed {

namespace {

size_t mask_words(uint32_t bits) { return (bits + 63) / 64; }

PyObject* mask_object(std::span<const uint64_t> words) {
  return _PyLong_FromByteArray(reinterpret_cast<const unsigned char*>(words.data()),
                               words.size_bytes(), /*little_endian=*/1, /*is_signed=*/0);
}

// The `arguments` of a compile callback, see GradRecord.
struct BackwardCall {
  Call call;
  size_t defined_words;
};

PyObject* describe_backward(void* context) {
  const auto& [call, defined_words] = *static_cast<BackwardCall*>(context);
  PyObject* defined = mask_object(call.words.first(defined_words));
  PyObject* needed = defined ? mask_object(call.words.subspan(defined_words)) : nullptr;
  PyObject* tensors = needed ? tuple_of(call.tensors) : nullptr;
  PyObject* arguments = tensors ? PyTuple_Pack(3, defined, needed, tensors) : nullptr;
  for (PyObject* o : {defined, needed, tensors}) Py_XDECREF(o);
  return arguments;
}

// Appends a bit mask in whole words.
template <class Words, class Flag>
void push_mask(Words& words, uint32_t bits, Flag&& flag) {
  for (uint32_t start = 0; start < bits; start += 64) {
    uint64_t word = 0;
    for (uint32_t i = start; i < std::min(bits, start + 64); ++i) {
      word |= static_cast<uint64_t>(flag(i)) << (i - start);
    }
    words.push(word);
  }
}

// Runs the cached plan of an operation's backward.
bool apply_plan(OperationNode* node, Application& application) {
  std::span<Tensor*> cotangents = application.cotangents;
  const uint32_t edges = node->edge_count, slots = node->slot_count;
  SmallBuffer<uint64_t, 4> words;
  push_mask(words, slots, [&](uint32_t i) { return cotangents[i] != nullptr; });
  push_mask(words, edges, [&](uint32_t i) { return application.needed[i] != 0; });

  SmallBuffer<Tensor*, 16> tensors;
  for (Tensor* t : cotangents) {
    if (t) tensors.push(t);
  }
  const size_t defined = tensors.size();
  bool ok = true;
  for (uint32_t i = 0; ok && i < node->saved_count; ++i) {
    Tensor* t = unpack(node->saved[i], node, /*attached=*/false);
    ok = t != nullptr;
    if (ok) tensors.push(t);
  }
  if (ok) {
    BackwardCall context{{tensors,
                          {node->ints, node->int_count},
                          {node->scalars, node->scalar_count},
                          words,
                          nullptr,
                          describe_backward,
                          &context},
                         mask_words(slots)};
    context.call.origin = node;
    const Binding* binding = find_binding(node->record->backward, context.call);
    const auto wanted = std::count_if(application.needed.begin(), application.needed.end(),
                                      [](uint8_t needed) { return needed != 0; });
    ok = binding != nullptr;
    if (ok && output_count(*binding) != wanted) {
      raise("RuntimeError", "%U: its backward has %d results for %zd gradients", node->record->name,
            output_count(*binding), static_cast<Py_ssize_t>(wanted));
      ok = false;
    }
    if (ok) {
      SmallBuffer<Tensor*, 8> outputs(wanted + residual_count(*binding));
      ok = run(*binding, context.call, outputs.data());
      for (uint32_t i = 0, k = 0; ok && i < edges; ++i) {
        if (application.needed[i]) application.gradients[i] = outputs[k++];
      }
    }
  }
  for (size_t i = defined; i < tensors.size(); ++i) Py_DECREF(object(tensors[i]));
  return ok;
}

// Takes the gradients out of what Python returned: a sequence of tensors and None, one per edge.
bool take_gradients(Node* node, PyObject* returned, Application& application) {
  PyObject* items = PySequence_Fast(returned, "backward: a tuple of gradients is expected");
  if (!items) return false;
  bool ok = PySequence_Fast_GET_SIZE(items) == static_cast<Py_ssize_t>(node->edge_count);
  PyObject* name = node_name(node);
  if (!ok && name) {
    raise("GradientError", "%U: one gradient per input is expected; %zd came for %u inputs", name,
          PySequence_Fast_GET_SIZE(items), node->edge_count);
  }
  for (uint32_t i = 0; ok && name && i < node->edge_count; ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(items, i);
    if (item == Py_None) continue;
    if (!is_tensor(item)) {
      raise("GradientError", "%U: a gradient is a tensor or None; number %u is a %s", name, i,
            Py_TYPE(item)->tp_name);
      ok = false;
    } else if (application.needed[i]) {
      application.gradients[i] = as_tensor(Py_NewRef(item));
    }
  }
  ok = ok && name;
  Py_XDECREF(name);
  Py_DECREF(items);
  return ok;
}

// Runs the rule of an operation as ordinary ops, so that the gradients have a history themselves.
bool apply_formula(OperationNode* node, Application& application) {
  PyObject* cotangents = tuple_of(application.cotangents);
  PyObject* saved = PyTuple_New(node->saved_count);
  for (uint32_t i = 0; saved && i < node->saved_count; ++i) {
    Tensor* t = unpack(node->saved[i], node, /*attached=*/true);
    if (!t) Py_CLEAR(saved);
    if (saved) PyTuple_SET_ITEM(saved, i, object(t));
  }
  PyObject* ints = recording() ? record_integers(node) : nullptr;
  if (!ints && !PyErr_Occurred())
    ints = tuple_of(std::span<const int64_t>(node->ints, node->int_count));
  PyObject* scalars = tuple_of(std::span<const uint64_t>(node->scalars, node->scalar_count));
  SmallBuffer<uint64_t, 4> words;
  push_mask(words, node->edge_count, [&](uint32_t i) { return application.needed[i] != 0; });
  PyObject* needed = mask_object(words);
  PyObject* arguments[] = {cotangents, saved, ints, scalars, needed};
  PyObject* returned = nullptr;
  if (std::all_of(std::begin(arguments), std::end(arguments), [](PyObject* o) { return o; })) {
    returned = PyObject_Vectorcall(node->record->formula, arguments, 5, nullptr);
  }
  for (PyObject* argument : arguments) Py_XDECREF(argument);
  if (!returned) return false;
  bool ok = take_gradients(node, returned, application);
  Py_DECREF(returned);
  return ok;
}

// Puts zeros where nothing flows back to an output.
bool fill_with_zeros(const FunctionNode* node, PyObject* cotangents) {
  for (uint32_t i = 0; i < node->slot_count; ++i) {
    const FunctionNode::Shape& shape = node->output_shapes[i];
    if (PyTuple_GET_ITEM(cotangents, i) != Py_None || shape.ndim < 0) continue;
    Tensor* zero = zeros({shape.sizes, static_cast<size_t>(shape.ndim)}, shape.dtype);
    if (!zero || PyTuple_SetItem(cotangents, i, object(zero)) < 0) return false;
  }
  return true;
}

// Calls the backward of a custom Function, and checks what it returns.
bool apply_function(FunctionNode* node, Application& application) {
  PyObject* cotangents = tuple_of(application.cotangents);
  if (cotangents && materializes(node) && !fill_with_zeros(node, cotangents)) Py_CLEAR(cotangents);
  PyObject* returned =
      cotangents ? PyObject_CallMethod(node->context, "_backward", "(O)", cotangents) : nullptr;
  Py_XDECREF(cotangents);
  if (!returned) return false;
  bool ok = take_gradients(node, returned, application);
  Py_DECREF(returned);
  for (uint32_t i = 0; ok && i < node->edge_count; ++i) {
    Tensor* gradient = application.gradients[i];
    if (!gradient) continue;
    const FunctionNode::Shape& expected = node->input_shapes[i];
    std::span<const int64_t> sizes(expected.sizes, expected.ndim);
    std::span<const int64_t> given = gradient->layout.shape();
    if (std::equal(sizes.begin(), sizes.end(), given.begin(), given.end())) continue;
    PyObject* name = node_name(node);
    PyObject* wanted = size_object(sizes);
    PyObject* got = size_object(given);
    if (name && wanted && got) {
      raise("ShapeError",
            "%U: a gradient has the shape of its input; input %u is %S, its gradient %S; "
            "sum over the dimensions that were broadcast",
            name, i, wanted, got);
    }
    Py_XDECREF(name);
    Py_XDECREF(wanted);
    Py_XDECREF(got);
    ok = false;
  }
  return ok;
}

bool call_discarding(EngineOp op, std::span<PyObject* const> arguments) {
  PyObject* result = call_engine_op(op, arguments);
  Py_XDECREF(result);
  return result != nullptr;
}

// The part of `whole` (a fresh tensor laid out like node->base) that was written.
PyObject* region_of(const ViewWriteNode* node, Tensor* whole) {
  const Layout& view = node->view;
  const auto axes = static_cast<size_t>(view.ndim);
  const int64_t offset = view.offset - node->base.offset + whole->layout.offset;
  PyObject* arguments[] = {object(whole), tuple_of(view.shape()),
                           tuple_of(std::span<const int64_t>(view.strides, axes)),
                           PyLong_FromLongLong(offset)};
  PyObject* region = nullptr;
  if (arguments[1] && arguments[2] && arguments[3]) {
    region = call_engine_op(EngineOp::kAsStrided, arguments);
  }
  for (int i = 1; i < 4; ++i) Py_XDECREF(arguments[i]);
  return region;
}

// Passes the region's cotangent through the write, and leaves in the region what the old view gets.
bool write_back(ViewWriteNode* node, PyObject* region, Application& application) {
  PyObject* arguments[] = {region, nullptr};
  Tensor* to_old = nullptr;
  if (Node* write = node->write) {
    PyObject* cotangent = call_engine_op(EngineOp::kClone, {arguments, 1});
    if (!cotangent) return false;
    std::vector<Tensor*> cotangents(write->slot_count, nullptr);
    cotangents[node->write_slot] = as_tensor(cotangent);
    // What the write saved stays: with create_graph its own results are saved with a history that
    // leads to it directly, so that it may run again on its own.
    BackwardOptions options = application.options;
    options.retain_graph = true;
    Application inner{cotangents, application.needed.first(write->edge_count),
                      application.gradients.first(write->edge_count), options};
    bool ok = apply(write, inner);
    Py_DECREF(cotangent);
    if (!ok) return false;
    if (node->has_written_edge) std::swap(to_old, application.gradients[node->base_edge]);
  }
  if (!application.needed[node->base_edge]) {
    Py_XDECREF(reinterpret_cast<PyObject*>(to_old));
    return true;
  }
  if (!to_old) return call_discarding(EngineOp::kZeroInplace, {arguments, 1});
  arguments[1] = object(to_old);
  bool ok = call_discarding(EngineOp::kCopyInplace, arguments);
  Py_DECREF(object(to_old));
  return ok;
}

// An in-place write through a view: outside of the region the cotangent goes to the old base as it
// is.
bool apply_view_write(ViewWriteNode* node, Application& application) {
  Tensor* whole = empty_strided(node->base, node->dtype);
  if (!whole) return false;
  PyObject* arguments[] = {object(whole), object(application.cotangents[0])};
  PyObject* region = nullptr;
  if (call_discarding(EngineOp::kCopyInplace, arguments)) region = region_of(node, whole);
  bool ok = region && write_back(node, region, application);
  Py_XDECREF(region);
  if (ok && application.needed[node->base_edge]) {
    application.gradients[node->base_edge] = whole;
  } else {
    Py_DECREF(object(whole));
  }
  return ok;
}

bool apply_kind(Node* node, Application& application) {
  switch (node->kind) {
    case NodeKind::kOperation: {
      auto* operation = static_cast<OperationNode*>(node);
      return application.options.create_graph ? apply_formula(operation, application)
                                              : apply_plan(operation, application);
    }
    case NodeKind::kFunction:
      return apply_function(static_cast<FunctionNode*>(node), application);
    case NodeKind::kViewWrite:
      return apply_view_write(static_cast<ViewWriteNode*>(node), application);
    case NodeKind::kAccumulate:
      break;  // the engine's own
  }
  Py_UNREACHABLE();
}

}  // namespace

bool apply(Node* node, Application& application) {
  if (node->released) {
    raise_released(node);
    return false;
  }
  bool ok = apply_kind(node, application);
  if (ok && !application.options.retain_graph && node->saved_count) {
    release_saved(node);
    node->released = true;
  }
  if (ok && node->extras && node->extras->post_hooks) {
    ok = run_post_hooks(node, application.gradients, application.cotangents);
  }
  if (anomaly_enabled) ok = check_anomaly(node, application.gradients, ok);
  return ok;
}

}  // namespace gleed
