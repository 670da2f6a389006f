// Where gradients end: the grad of leaves and of tensors that retain theirs.
#include <cstring>

#include "engine.h"
#include "errors.h"
#include "recording.h"

namespace gleed {

bool exclusive(const Tensor* t) {
  const Storage* storage = t->storage;
  return Py_REFCNT(t) == 1 && storage->refs == 1 && !storage->release && !storage->read_only &&
         !t->grad_meta && !t->weakrefs && injective(t->layout);
}

Tensor* empty_strided(const Layout& like, DType dtype) {
  int64_t lo, hi;
  extent(like, &lo, &hi);
  Layout layout = like;
  layout.offset -= lo;
  Storage* storage = allocate(static_cast<size_t>(hi - lo) * itemsize(dtype));
  return storage ? new_tensor(storage, layout, dtype) : nullptr;
}

Tensor* zeros(std::span<const int64_t> sizes, DType dtype) {
  Tensor* t = empty_tensor(contiguous_layout(sizes), dtype);
  if (t) std::memset(t->data(), 0, static_cast<size_t>(t->layout.numel) * itemsize(dtype));
  return t;
}

Tensor* ones_like(const Tensor* t) {
  Tensor* one = zeros(t->layout.shape(), t->dtype);
  if (!one) return nullptr;
  char* data = one->data();
  switch (t->dtype) {
    case DType::kFloat32:
    case DType::kComplex64:
      *reinterpret_cast<float*>(data) = 1;
      break;
    case DType::kFloat64:
    case DType::kComplex128:
      *reinterpret_cast<double*>(data) = 1;
      break;
    case DType::kFloat16:
      *reinterpret_cast<uint16_t*>(data) = 0x3C00;
      break;
    case DType::kBFloat16:
      *reinterpret_cast<uint16_t*>(data) = 0x3F80;
      break;
    default:
      *data = 1;  // little-endian integers and bool
  }
  return one;
}

bool same_strides(const Layout& a, const Layout& b) {
  if (a.contiguous && b.contiguous) return true;
  for (int i = 0; i < a.ndim; ++i) {
    if (a.strides[i] != b.strides[i] && a.sizes[i] != 1) return false;
  }
  return true;
}

// The first gradient of a tensor; new reference.
static PyObject* first_grad(const Tensor* owner, Tensor* gradient, bool create_graph) {
  if (create_graph) {
    PyObject* arguments[] = {object(gradient)};
    return call_engine_op(EngineOp::kClone, arguments);
  }
  if (exclusive(gradient) && same_strides(gradient->layout, owner->layout)) {
    return Py_NewRef(object(gradient));
  }
  const bool dense = injective(owner->layout);
  Tensor* grad = dense ? empty_strided(owner->layout, owner->dtype)
                       : empty_tensor(contiguous_layout(owner->layout.shape()), owner->dtype);
  if (!grad) return nullptr;
  PyObject* arguments[] = {object(grad), object(gradient)};
  PyObject* copied = call_engine_op(EngineOp::kCopyInplace, arguments);
  if (!copied) {
    Py_DECREF(object(grad));
    return nullptr;
  }
  Py_DECREF(copied);
  return object(grad);
}

bool accumulate_into(AutogradMeta* meta, Tensor* gradient, bool create_graph) {
  if (recording() && !record_grad(meta->tensor, false)) return false;
  const Tensor* owner = meta->tensor;
  // A gradient that is there already is a witness too.
  const Tensor* known_grad = meta->grad ? as_tensor(meta->grad) : owner;
  if (!same_sizes(owner->layout, gradient->layout) || owner->dtype != gradient->dtype ||
      !same_sizes(owner->layout, known_grad->layout)) {
    PyObject* wanted = size_object(owner->layout.shape());
    const bool fits =
        same_sizes(owner->layout, gradient->layout) && owner->dtype == gradient->dtype;
    const Tensor* odd = fits ? known_grad : gradient;
    PyObject* got = size_object(odd->layout.shape());
    if (wanted && got) {
      raise("ShapeError",
            "backward: a gradient has the shape and dtype of its tensor; the tensor is %S %s, the "
            "gradient %S %s; was .data replaced between forward and backward?",
            wanted, info(owner->dtype).name, got, info(odd->dtype).name);
    }
    Py_XDECREF(wanted);
    Py_XDECREF(got);
    return false;
  }
  if (!meta->grad) {
    meta->grad = first_grad(owner, gradient, create_graph);
    if (meta->grad) track(meta->tensor);
    return meta->grad != nullptr;
  }
  PyObject* known = Py_NewRef(meta->grad);
  PyObject* arguments[] = {known, object(gradient)};
  PyObject* sum = call_engine_op(create_graph ? EngineOp::kAdd : EngineOp::kAddInplace, arguments);
  Py_DECREF(known);
  if (!sum) return false;
  Py_XSETREF(meta->grad, sum);
  return true;
}

bool accumulate_grad(AccumulateNode* node, Tensor* gradient, bool create_graph) {
  AutogradMeta* meta = node->leaf;
  if (!meta) return true;  // nobody can look at it any more
  Tensor* leaf = meta->tensor;
  PyObject* hooks = node->extras ? node->extras->post_accumulate_hooks : nullptr;
  if (!hooks) return accumulate_into(meta, gradient, create_graph);
  Py_INCREF(object(leaf));
  bool ok = accumulate_into(meta, gradient, create_graph);
  PyObject* calls = ok ? PyDict_Values(hooks) : nullptr;
  ok = calls != nullptr;
  for (Py_ssize_t i = 0; ok && i < PyList_GET_SIZE(calls); ++i) {
    PyObject* result = PyObject_CallOneArg(PyList_GET_ITEM(calls, i), object(leaf));
    ok = result != nullptr;
    Py_XDECREF(result);
  }
  Py_XDECREF(calls);
  Py_DECREF(object(leaf));
  return ok;
}

}  // namespace gleed
