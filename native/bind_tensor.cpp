// gleed._C: the Tensor type, and the functions that make tensors from what is none.
#include "bind_tensor.h"

#include <structmember.h>

#include <vector>

#include "operators.h"
#include "pointwise_layout.h"
#include "recording.h"
#include "tape.h"
#include "tensor_type.h"

namespace gleed {

PyTypeObject* TensorType;

namespace {

template <class F>
void* slot(F* f) {
  return reinterpret_cast<void*>(f);
}

bool make_tensor_type(PyObject* module) {
  static PyMemberDef members[] = {
      {"__dictoffset__", T_PYSSIZET, offsetof(Tensor, dict), READONLY, nullptr},
      {"__weaklistoffset__", T_PYSSIZET, offsetof(Tensor, weakrefs), READONLY, nullptr},
      {}};
  // Attributes of tensors can close cycles.
  static const auto set_attribute = [](PyObject* self, PyObject* name, PyObject* value) {
    const int status = PyObject_GenericSetAttr(self, name, value);
    if (as_tensor(self)->dict) track(as_tensor(self));
    return status;
  };
  std::vector<PyType_Slot> slots = {
      {Py_tp_new, slot(tensor_new)},
      {Py_tp_dealloc, slot(tensor_dealloc)},
      {Py_tp_traverse, slot(tensor_traverse)},
      {Py_tp_clear, slot(tensor_clear)},
      {Py_tp_hash, slot(PyBaseObject_Type.tp_hash)},
      {Py_tp_iter, slot(tensor_iter)},
      {Py_tp_setattro, slot(+set_attribute)},
      {Py_tp_methods, kTensorMethods},
      {Py_tp_getset, kTensorGetters},
      {Py_tp_members, members},
      {Py_mp_length, slot(tensor_length)},
      {Py_mp_subscript, slot(tensor_subscript)},
      {Py_mp_ass_subscript, slot(tensor_assign_subscript)},
      {Py_nb_bool, slot(tensor_bool)},
      {Py_nb_int, slot(tensor_int)},
      {Py_nb_float, slot(tensor_float)},
      {Py_nb_index, slot(tensor_index)},
      {Py_bf_getbuffer, slot(tensor_get_buffer)},
      {Py_bf_releasebuffer, slot(tensor_release_buffer)},
      {Py_tp_doc, const_cast<char*>("A multi-dimensional array of numbers of one dtype.")},
  };
  for (const PyType_Slot* s = kOperatorSlots; s->slot; ++s) slots.push_back(*s);
  slots.push_back({0, nullptr});
  PyType_Spec spec{"gleed.Tensor", sizeof(Tensor), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots.data()};
  TensorType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  PyObject* type = reinterpret_cast<PyObject*>(TensorType);
  if (!type || PyModule_AddObjectRef(module, "Tensor", type) < 0) return false;
  // So that NumPy's operators leave array + tensor to the tensor.
  PyObject* priority = PyLong_FromLong(1000);
  const int status = priority ? PyObject_SetAttrString(type, "__array_priority__", priority) : -1;
  Py_XDECREF(priority);
  return status == 0;
}

bool dtype_argument(const char* op, PyObject* o, DType* out) {
  if (dtype_from_object(o, out)) return true;
  raise("ArgumentError",
        "%s: dtype must be a gleed.dtype; a %s came; use gleed.float32, for example", op,
        Py_TYPE(o)->tp_name);
  return false;
}

bool tensor_argument(const char* op, PyObject* o) {
  if (is_tensor(o)) return concrete(as_tensor(o), op);
  raise("ArgumentError", "%s: takes a Tensor; a %s came; use gleed.tensor(...) first", op,
        Py_TYPE(o)->tp_name);
  return false;
}

bool argument_count(const char* op, Py_ssize_t n, Py_ssize_t least, Py_ssize_t most) {
  if (n >= least && n <= most) return true;
  raise("ArgumentError", "%s: takes %zd to %zd arguments; %zd came", op, least, most, n);
  return false;
}

// make_standin(cls, dtype, ndim): an instance of a subclass of Tensor for the tracer, without
// memory.
PyObject* make_standin(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!argument_count("make_standin", n, 3, 3)) return nullptr;
  PyTypeObject* cls = reinterpret_cast<PyTypeObject*>(args[0]);
  if (!PyType_Check(args[0]) || !PyType_IsSubtype(cls, TensorType)) {
    return raise("ArgumentError", "make_standin: cls must be a subclass of Tensor; %R came",
                 args[0]);
  }
  DType dtype;
  if (!dtype_argument("make_standin", args[1], &dtype)) return nullptr;
  const long ndim = PyLong_AsLong(args[2]);
  if (ndim == -1 && PyErr_Occurred()) return nullptr;
  if (ndim < 0 || ndim > kMaxDims) {
    return raise("ShapeError", "make_standin: 0 to %d dimensions; %ld came", kMaxDims, ndim);
  }
  Tensor* t = allocate_instance(cls);
  if (!t) return nullptr;
  t->traced = true;
  t->dtype = dtype;
  t->layout.ndim = static_cast<int32_t>(ndim);
  t->layout.contiguous = false;
  t->layout.numel = 0;
  for (long i = 0; i < ndim; ++i) t->layout.sizes[i] = t->layout.strides[i] = 0;
  return object(t);
}

PyObject* py_register_slot(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!argument_count("register_slot", n, 2, 2)) return nullptr;
  const char* name = PyUnicode_AsUTF8(args[0]);
  if (!name || !register_slot(name, args[1])) return nullptr;
  Py_RETURN_NONE;
}

// empty(sizes, dtype)
PyObject* empty(PyObject*, PyObject* const* args, Py_ssize_t n) {
  int64_t sizes[kMaxDims];
  DType dtype = default_dtype;
  if (!argument_count("empty", n, 1, 2)) return nullptr;
  const int ndim = read_sizes(args[0], "empty", sizes);
  if (ndim < 0 || (n > 1 && !dtype_argument("empty", args[1], &dtype))) return nullptr;
  return object(empty_tensor(contiguous_layout({sizes, static_cast<size_t>(ndim)}), dtype));
}

// empty_like(tensor, dtype): dense, in the order of strides of the tensor.
PyObject* empty_like(PyObject*, PyObject* const* args, Py_ssize_t n) {
  DType dtype;
  if (!argument_count("empty_like", n, 2, 2) || !tensor_argument("empty_like", args[0]) ||
      !dtype_argument("empty_like", args[1], &dtype)) {
    return nullptr;
  }
  const Layout* like = &as_tensor(args[0])->layout;
  return object(empty_tensor(pointwise_layout(like->shape(), {&like, 1}), dtype));
}

// Sizes and strides, equally many. The number of dimensions, or -1 with an exception set.
int read_geometry(const char* op, PyObject* sizes, PyObject* strides, int64_t* out_sizes,
                  int64_t* out_strides) {
  const int ndim = read_sizes(sizes, op, out_sizes);
  const int count = ndim < 0 ? -1 : read_ints(strides, op, out_strides);
  if (count < 0) return -1;
  if (count == ndim) return ndim;
  raise("ShapeError", "%s: one stride per size; %d sizes and %d strides came", op, ndim, count);
  return -1;
}

// empty_strided(sizes, strides, dtype)
PyObject* empty_strided(PyObject*, PyObject* const* args, Py_ssize_t n) {
  int64_t sizes[kMaxDims], strides[kMaxDims];
  DType dtype = default_dtype;
  if (!argument_count("empty_strided", n, 2, 3)) return nullptr;
  const int ndim = read_geometry("empty_strided", args[0], args[1], sizes, strides);
  if (ndim < 0 || (n > 2 && !dtype_argument("empty_strided", args[2], &dtype))) return nullptr;
  const size_t axes = static_cast<size_t>(ndim);
  Layout layout = as_strided({sizes, axes}, {strides, axes}, 0);
  int64_t lo, hi;
  extent(layout, &lo, &hi);
  if (lo < 0) {
    return raise("RangeError", "empty_strided: strides must not be negative; some came");
  }
  const Layout line = contiguous_layout({&hi, 1});
  Storage* storage = allocate(packed_bytes(line, dtype));
  return storage ? object(new_tensor(storage, layout, dtype)) : nullptr;
}

// view_of(tensor, sizes, strides, offset, dtype=None): any view that stays inside the tensor's
// memory; what reads that as another dtype is a constant.
PyObject* view_of(PyObject*, PyObject* const* args, Py_ssize_t n) {
  int64_t sizes[kMaxDims], strides[kMaxDims], offset;
  if (!argument_count("view_of", n, 4, 5) || !tensor_argument("view_of", args[0])) return nullptr;
  const int ndim = read_geometry("view_of", args[1], args[2], sizes, strides);
  if (ndim < 0 || read_ints(args[3], "view_of", &offset) != 1) return nullptr;
  const size_t axes = static_cast<size_t>(ndim);
  Tensor* t = as_tensor(args[0]);
  DType dtype = t->dtype;
  if (n > 4 && (!dtype_argument("view", args[4], &dtype) || !readable(t, "view"))) return nullptr;
  const Layout layout = as_strided({sizes, axes}, {strides, axes}, offset);
  int64_t lo, hi;
  extent(layout, &lo, &hi);
  const int64_t available = static_cast<int64_t>(t->storage->nbytes) / itemsize(dtype);
  if (lo < 0 || hi > available) {
    return raise(
        "BoundsError",
        "view_of: a view must stay inside of the memory; elements %lld … %lld of %lld came",
        static_cast<long long>(lo), static_cast<long long>(hi - 1),
        static_cast<long long>(available));
  }
  if (n > 4) return object(new_tensor(keep(t->storage), layout, dtype));
  Tensor* view = new_view(t, layout);
  if (view) record_view(view, t);
  return object(view);
}

// tensor_from_data(data, dtype=None)
PyObject* py_tensor_from_data(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (!argument_count("tensor", n, 1, 2)) return nullptr;
  const bool given = n > 1 && args[1] != Py_None;
  DType dtype;
  if (given && !dtype_argument("tensor", args[1], &dtype)) return nullptr;
  try {
    return tensor_from_data(args[0], given ? &dtype : nullptr);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

PyObject* py_from_numpy(PyObject*, PyObject* array) { return from_numpy(array); }
PyObject* py_from_dlpack(PyObject*, PyObject* producer) { return from_dlpack(producer); }

PyObject* py_to_numpy(PyObject*, PyObject* o) {
  return tensor_argument("numpy", o) ? to_numpy(as_tensor(o)) : nullptr;
}

// frombuffer(buffer, dtype, count=-1, offset=0)
PyObject* py_frombuffer(PyObject*, PyObject* const* args, Py_ssize_t n) {
  DType dtype;
  int64_t count = -1, offset = 0;
  if (!argument_count("frombuffer", n, 2, 4) || !dtype_argument("frombuffer", args[1], &dtype) ||
      (n > 2 && read_ints(args[2], "frombuffer", &count) != 1) ||
      (n > 3 && read_ints(args[3], "frombuffer", &offset) != 1)) {
    return nullptr;
  }
  return from_buffer(args[0], dtype, count, offset);
}

PyObject* py_memory_stats(PyObject*, PyObject*) {
  const MemoryStats s = memory_stats();
  return Py_BuildValue("{s:L,s:L,s:L,s:L,s:L,s:L}", "allocated", s.allocated, "peak", s.peak,
                       "reserved", s.reserved, "limit", s.limit, "allocations", s.allocations,
                       "system_allocations", s.system_allocations);
}

PyObject* py_reset_peak_memory(PyObject*, PyObject*) {
  reset_peak_memory();
  Py_RETURN_NONE;
}

PyObject* py_release_cached_memory(PyObject*, PyObject*) {
  release_cached_memory();
  Py_RETURN_NONE;
}

// set_memory_limit(bytes or None)
PyObject* py_set_memory_limit(PyObject*, PyObject* o) {
  int64_t bytes = -1;
  if (o != Py_None) {
    if (read_ints(o, "set_memory_limit", &bytes) != 1) return nullptr;
    if (bytes < 0) {
      return raise(
          "RangeError",
          "set_memory_limit: bytes must not be negative; %lld came; None removes the limit",
          static_cast<long long>(bytes));
    }
  }
  set_memory_limit(bytes);
  Py_RETURN_NONE;
}

PyObject* py_get_default_dtype(PyObject*, PyObject*) {
  return Py_NewRef(dtype_object(default_dtype));
}

PyObject* py_set_default_dtype(PyObject*, PyObject* o) {
  DType dtype;
  if (!dtype_argument("set_default_dtype", o, &dtype)) return nullptr;
  if (!info(dtype).floating) {
    return raise("DTypeError", "set_default_dtype: takes a floating-point dtype; %s came",
                 info(dtype).name);
  }
  default_dtype = dtype;
  Py_RETURN_NONE;
}

PyObject* py_promote_types(PyObject*, PyObject* const* args, Py_ssize_t n) {
  DType a, b;
  if (!argument_count("promote_types", n, 2, 2) || !dtype_argument("promote_types", args[0], &a) ||
      !dtype_argument("promote_types", args[1], &b)) {
    return nullptr;
  }
  return Py_NewRef(dtype_object(promote(a, b)));
}

template <class F>
PyCFunction function(F* f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

PyMethodDef functions[] = {
    {"make_standin", function(make_standin), METH_FASTCALL, "make_standin(cls, dtype, ndim)"},
    {"register_slot", function(py_register_slot), METH_FASTCALL, "register_slot(name, operation)"},
    {"empty", function(empty), METH_FASTCALL, "empty(sizes, dtype)"},
    {"empty_like", function(empty_like), METH_FASTCALL, "empty_like(tensor, dtype)"},
    {"empty_strided", function(empty_strided), METH_FASTCALL,
     "empty_strided(sizes, strides, dtype)"},
    {"view_of", function(view_of), METH_FASTCALL,
     "view_of(tensor, sizes, strides, offset, dtype=None)"},
    {"tensor_from_data", function(py_tensor_from_data), METH_FASTCALL,
     "tensor_from_data(data, dtype=None)"},
    {"from_numpy", py_from_numpy, METH_O, "from_numpy(array)"},
    {"to_numpy", py_to_numpy, METH_O, "to_numpy(tensor)"},
    {"frombuffer", function(py_frombuffer), METH_FASTCALL,
     "frombuffer(buffer, dtype, count=-1, offset=0)"},
    {"from_dlpack", py_from_dlpack, METH_O, "from_dlpack(producer)"},
    {"memory_stats", py_memory_stats, METH_NOARGS, "memory_stats()"},
    {"reset_peak_memory", py_reset_peak_memory, METH_NOARGS, "reset_peak_memory()"},
    {"set_memory_limit", py_set_memory_limit, METH_O, "set_memory_limit(bytes or None)"},
    {"release_cached_memory", py_release_cached_memory, METH_NOARGS, "release_cached_memory()"},
    {"get_default_dtype", py_get_default_dtype, METH_NOARGS, "get_default_dtype()"},
    {"set_default_dtype", py_set_default_dtype, METH_O, "set_default_dtype(dtype)"},
    {"promote_types", function(py_promote_types), METH_FASTCALL, "promote_types(a, b)"},
    {}};

}  // namespace

void bind_tensor(nanobind::module_& m) {
  PyObject* module = m.ptr();
  if (!make_dtype_objects(module) || !make_size_type(module) || !make_iterator_type() ||
      !make_tensor_type(module) || PyModule_AddFunctions(module, functions) < 0) {
    throw nanobind::python_error();
  }
}

}  // namespace gleed
