#include "tensor.h"

#include "tape.h"
#include "tensor_type.h"

namespace gleed {

// Dead tensors kept for reuse, linked through `dict`.
static Tensor* free_tensors;
static int free_count;
static constexpr int kMaxFree = 512;

static void clear_fields(Tensor* t) {
  t->grad_meta = nullptr;
  t->dict = nullptr;
  t->weakrefs = nullptr;
  t->base = nullptr;
  t->traced = false;
  t->inference = false;
}

Tensor* new_tensor(Storage* storage, const Layout& layout, DType dtype) {
  Tensor* t = free_tensors;
  if (t) {
    free_tensors = reinterpret_cast<Tensor*>(t->dict);
    --free_count;
    Py_INCREF(TensorType);
    Py_SET_REFCNT(object(t), 1);  // its type is still set
  } else {
    t = PyObject_GC_New(Tensor, TensorType);
    if (!t) {
      if (storage) drop(storage);
      return nullptr;
    }
    new (&t->layout) Layout();
  }
  clear_fields(t);
  t->storage = storage;
  t->dtype = dtype;
  t->layout = layout;
  t->inference = inference_enabled();
  return t;
}

size_t packed_bytes(const Layout& layout, DType dtype) {
  size_t bytes;
  const bool overflow = __builtin_mul_overflow(static_cast<size_t>(layout.numel),
                                               static_cast<size_t>(itemsize(dtype)), &bytes);
  return overflow || layout.numel == INT64_MAX ? SIZE_MAX : bytes;
}

Tensor* empty_tensor(const Layout& contiguous, DType dtype) {
  Storage* storage = allocate(packed_bytes(contiguous, dtype));
  return storage ? new_tensor(storage, contiguous, dtype) : nullptr;
}

Tensor* new_view(Tensor* base, const Layout& layout) {
  Tensor* view = new_tensor(keep(base->storage), layout, base->dtype);
  if (!view) return nullptr;
  view->inference = base->inference;
  Tensor* root = base->base ? base->base : base;
  view->base = as_tensor(Py_NewRef(object(root)));
  track(view);
  return view;
}

Tensor* allocate_instance(PyTypeObject* cls) {
  PyObject* o = cls->tp_alloc(cls, 0);
  if (!o) return nullptr;
  Tensor* t = as_tensor(o);
  new (&t->layout) Layout();
  clear_fields(t);
  t->storage = nullptr;
  t->dtype = DType::kFloat32;
  return t;
}

bool overlap(const Tensor* a, const Tensor* b) {
  int64_t low[2], high[2];
  extent(a->layout, &low[0], &high[0]);
  extent(b->layout, &low[1], &high[1]);
  const int64_t size_a = itemsize(a->dtype), size_b = itemsize(b->dtype);
  return a->storage == b->storage && low[0] * size_a < high[1] * size_b &&
         low[1] * size_b < high[0] * size_a;
}

bool concrete(const Tensor* t, const char* what) {
  if (t->storage) [[likely]]
    return true;
  raise("TraceError",
        "%s: a value that is being traced is not known yet; a stand-in came; compute it outside of "
        "the traced function, or pass it in as an argument",
        what);
  return false;
}

static void release_contents(Tensor* t) {
  Py_CLEAR(t->dict);
  if (AutogradMeta* meta = t->grad_meta) {
    t->grad_meta = nullptr;
    drop_meta(meta);
  }
  if (Tensor* base = t->base) {
    t->base = nullptr;
    Py_DECREF(object(base));
  }
  if (Storage* storage = t->storage) {
    t->storage = nullptr;
    drop(storage);
  }
}

static void free_object(Tensor* t) {
  PyTypeObject* type = Py_TYPE(object(t));
  if (type == TensorType && free_count < kMaxFree) {
    t->dict = reinterpret_cast<PyObject*>(free_tensors);
    free_tensors = t;
    ++free_count;
  } else {
    type->tp_free(object(t));
  }
  Py_DECREF(type);
}

void tensor_dealloc(PyObject* self) {
  Tensor* t = as_tensor(self);
  PyObject_GC_UnTrack(self);
  if (t->weakrefs) PyObject_ClearWeakRefs(self);
  if (!t->dict && !t->grad_meta) {
    release_contents(t);
    free_object(t);
    return;
  }
  // What a tensor refers to may be a long chain of tensors; it must not exhaust the stack.
  Py_TRASHCAN_BEGIN(self, tensor_dealloc);
  release_contents(t);
  free_object(t);
  Py_TRASHCAN_END;
}

int tensor_traverse(PyObject* self, visitproc visit, void* arg) {
  Tensor* t = as_tensor(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(t->dict);
  Py_VISIT(object(t->base));
  return t->grad_meta ? traverse_meta(t->grad_meta, visit, arg) : 0;
}

// Only what can close a cycle: a tensor that is still reachable from a finalizer keeps its memory.
int tensor_clear(PyObject* self) {
  Tensor* t = as_tensor(self);
  Py_CLEAR(t->dict);
  if (AutogradMeta* meta = t->grad_meta) {
    t->grad_meta = nullptr;
    drop_meta(meta);
  }
  return 0;
}

}  // namespace gleed
