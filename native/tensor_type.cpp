// Getters, methods and protocols of gleed.Tensor that need no operation.
#include "tensor_type.h"

#include "operators.h"
#include "recording.h"
#include "scalar.h"
#include "tuples.h"

namespace gleed {
namespace {

const char* plural(int64_t n) { return n == 1 ? "" : "s"; }

// An attribute of a Python module of gleed, looked up once; borrowed.
PyObject* constant(PyObject** cache, const char* module_name, const char* name) {
  if (*cache) return *cache;
  PyObject* module = PyImport_ImportModule(module_name);
  if (module) *cache = PyObject_GetAttrString(module, name);
  Py_XDECREF(module);
  return *cache;
}

// One argument `dim`, by position or keyword. Returns false with an exception; null: not given.
bool dim_argument(const char* op, PyObject* const* args, Py_ssize_t n, PyObject* names,
                  PyObject** dim) {
  const Py_ssize_t keywords = names ? PyTuple_GET_SIZE(names) : 0;
  *dim = n + keywords > 0 ? args[0] : nullptr;
  const bool known = keywords == 0 ||
                     PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "dim") == 0 ||
                     PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "axis") == 0;
  if (n + keywords > 1 || !known) {
    raise("ArgumentError", "%s: takes one argument, dim; %zd came; use %s() or %s(dim)", op,
          n + keywords, op, op);
    return false;
  }
  if (*dim == Py_None) *dim = nullptr;
  return true;
}

// size() and stride(): all of `numbers`, or the one of an axis.
PyObject* per_axis(PyObject* self, const char* op, PyObject* const* args, Py_ssize_t n,
                   PyObject* names, PyObject* (*all)(PyObject*), const int64_t* numbers) {
  PyObject* dim;
  if (!concrete(as_tensor(self), op) || !dim_argument(op, args, n, names, &dim)) return nullptr;
  if (!dim) return all(self);
  const int ndim = as_tensor(self)->layout.ndim;
  const Py_ssize_t number = PyNumber_AsSsize_t(dim, nullptr);
  if (number == -1 && PyErr_Occurred()) return nullptr;
  if (ndim == 0) {
    return raise("BoundsError",
                 "%s: dim out of range; dim %zd for a tensor with 0 dimensions; a 0-d "
                 "tensor has no axis",
                 op, number);
  }
  int axis;
  if (!normalize_axis(op, number, ndim, &axis)) return nullptr;
  if (!recording()) return PyLong_FromLongLong(numbers[axis]);
  PyObject* found = all(self);
  PyObject* one = found ? Py_NewRef(PyTuple_GET_ITEM(found, axis)) : nullptr;
  Py_XDECREF(found);
  return one;
}

// Sizes and strides of a tensor as Python sees them.
PyObject* sizes_of(PyObject* self) {
  if (recording()) return record_sizes(as_tensor(self));
  return size_object(as_tensor(self)->layout.shape());
}

PyObject* strides_of(PyObject* self) {
  const Layout& layout = as_tensor(self)->layout;
  if (recording()) return record_strides(as_tensor(self));
  return tuple_of({layout.strides, static_cast<size_t>(layout.ndim)});
}

PyObject* method_size(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return per_axis(self, "size", args, n, names, sizes_of, as_tensor(self)->layout.sizes);
}

PyObject* method_stride(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  return per_axis(self, "stride", args, n, names, strides_of, as_tensor(self)->layout.strides);
}

PyObject* method_dim(PyObject* self, PyObject*) {
  return PyLong_FromLong(as_tensor(self)->layout.ndim);
}

PyObject* method_numel(PyObject* self, PyObject*) {
  if (!concrete(as_tensor(self), "numel")) return nullptr;
  if (!recording()) return PyLong_FromLongLong(as_tensor(self)->layout.numel);
  PyObject* sizes = sizes_of(self);
  PyObject* count = sizes ? PyObject_CallMethod(sizes, "numel", nullptr) : nullptr;
  Py_XDECREF(sizes);
  return count;
}

PyObject* method_storage_offset(PyObject* self, PyObject*) {
  if (!concrete(as_tensor(self), "storage_offset")) return nullptr;
  return PyLong_FromLongLong(as_tensor(self)->layout.offset);
}

PyObject* method_element_size(PyObject* self, PyObject*) {
  return PyLong_FromLong(itemsize(as_tensor(self)->dtype));
}

PyObject* method_data_ptr(PyObject* self, PyObject*) {
  if (!concrete(as_tensor(self), "data_ptr")) return nullptr;
  return PyLong_FromVoidPtr(as_tensor(self)->data());
}

PyObject* method_is_contiguous(PyObject* self, PyObject*) {
  if (!sized(as_tensor(self), "is_contiguous")) return nullptr;
  return PyBool_FromLong(as_tensor(self)->layout.contiguous);
}

PyObject* method_is_floating_point(PyObject* self, PyObject*) {
  return PyBool_FromLong(info(as_tensor(self)->dtype).floating);
}

PyObject* method_is_complex(PyObject* self, PyObject*) {
  return PyBool_FromLong(info(as_tensor(self)->dtype).complex);
}

PyObject* method_is_signed(PyObject* self, PyObject*) {
  return PyBool_FromLong(info(as_tensor(self)->dtype).is_signed);
}

PyObject* method_is_inference(PyObject* self, PyObject*) {
  return PyBool_FromLong(as_tensor(self)->inference);
}

PyObject* method_item(PyObject* self, PyObject*) { return item(as_tensor(self)); }

// Elements are turned into objects one by one; no Python code of the user runs in between.
PyObject* nested_list(const Layout& layout, DType dtype, int axis, const char* p) {
  if (axis == layout.ndim) return load_element(p, dtype);
  const int64_t n = layout.sizes[axis], step = layout.strides[axis] * itemsize(dtype);
  PyObject* list = PyList_New(n);
  for (int64_t i = 0; list && i < n; ++i, p += step) {
    PyObject* entry = nested_list(layout, dtype, axis + 1, p);
    if (!entry) {
      Py_CLEAR(list);
      break;
    }
    PyList_SET_ITEM(list, i, entry);
  }
  return list;
}

PyObject* method_tolist(PyObject* self, PyObject*) {
  Tensor* t = as_tensor(self);
  if (!readable(t, "tolist")) return nullptr;
  return nested_list(t->layout, t->dtype, 0, t->data());
}

// Tensor._make_subclass(cls, data, requires_grad=False): an instance of cls over the memory of
// data, without its history.
PyObject* make_subclass(PyObject*, PyObject* args) {
  PyObject *cls, *data;
  int requires_grad = 0;
  if (!PyArg_ParseTuple(args, "O!O!|p:_make_subclass", &PyType_Type, &cls, TensorType, &data,
                        &requires_grad)) {
    return nullptr;
  }
  PyTypeObject* type = reinterpret_cast<PyTypeObject*>(cls);
  if (!PyType_IsSubtype(type, TensorType)) {
    return raise("ArgumentError", "_make_subclass: makes subclasses of Tensor; %s came",
                 type->tp_name);
  }
  const Tensor* source = as_tensor(data);
  if (!concrete(source, "_make_subclass")) return nullptr;
  Tensor* t = allocate_instance(type);
  if (!t) return nullptr;
  t->storage = keep(source->storage);
  t->dtype = source->dtype;
  t->inference = source->inference;
  t->layout = source->layout;
  if (requires_grad && PyObject_SetAttrString(object(t), "requires_grad", Py_True) < 0) {
    Py_CLEAR(t);
  }
  return object(t);
}

PyObject* get_shape(PyObject* self, void*) {
  return concrete(as_tensor(self), "shape") ? sizes_of(self) : nullptr;
}

PyObject* get_ndim(PyObject* self, void*) { return method_dim(self, nullptr); }

PyObject* get_dtype(PyObject* self, void*) {
  return Py_NewRef(dtype_object(as_tensor(self)->dtype));
}

PyObject* get_device(PyObject*, void*) {
  static PyObject* cpu;
  return Py_XNewRef(constant(&cpu, "gleed.devices", "CPU"));
}

PyObject* get_layout(PyObject*, void*) {
  static PyObject* strided;
  return Py_XNewRef(constant(&strided, "gleed.devices", "strided"));
}

PyObject* get_itemsize(PyObject* self, void*) { return method_element_size(self, nullptr); }

PyObject* get_nbytes(PyObject* self, void*) {
  const Tensor* t = as_tensor(self);
  if (!concrete(t, "nbytes")) return nullptr;
  return PyLong_FromSize_t(packed_bytes(t->layout, t->dtype));
}

PyObject* get_version(PyObject* self, void*) {
  const Tensor* t = as_tensor(self);
  if (!concrete(t, "_version")) return nullptr;
  if (t->inference) {
    return raise("GradientError",
                 "_version: a tensor made in inference mode has no version; one came; use clone() "
                 "outside of inference mode");
  }
  return PyLong_FromUnsignedLong(t->storage->version);
}

PyObject* get_base(PyObject* self, void*) {
  Tensor* base = as_tensor(self)->base;
  return Py_NewRef(base ? object(base) : Py_None);
}

PyObject* get_traced(PyObject* self, void*) { return PyBool_FromLong(as_tensor(self)->traced); }

PyObject* get_false(PyObject*, void*) { Py_RETURN_FALSE; }

template <class F>
PyCFunction function(F* f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

}  // namespace

PyMethodDef kTensorMethods[] = {
    {"size", function(method_size), METH_FASTCALL | METH_KEYWORDS,
     "size(dim=None): the sizes, or the size of one dim."},
    {"stride", function(method_stride), METH_FASTCALL | METH_KEYWORDS,
     "stride(dim=None): the strides in elements, or the stride of one dim."},
    {"dim", method_dim, METH_NOARGS, "The number of dimensions."},
    {"ndimension", method_dim, METH_NOARGS, "The number of dimensions."},
    {"numel", method_numel, METH_NOARGS, "The number of elements."},
    {"nelement", method_numel, METH_NOARGS, "The number of elements."},
    {"storage_offset", method_storage_offset, METH_NOARGS,
     "Elements between the start of the memory and the first element."},
    {"element_size", method_element_size, METH_NOARGS, "Bytes per element."},
    {"data_ptr", method_data_ptr, METH_NOARGS, "The address of the first element."},
    {"is_contiguous", method_is_contiguous, METH_NOARGS,
     "Whether elements lie one after the other in row-major order."},
    {"is_floating_point", method_is_floating_point, METH_NOARGS,
     "Whether elements are real floating-point numbers."},
    {"is_complex", method_is_complex, METH_NOARGS, "Whether elements are complex numbers."},
    {"is_signed", method_is_signed, METH_NOARGS, "Whether elements can be negative."},
    {"is_inference", method_is_inference, METH_NOARGS, "Whether it was made in inference mode."},
    {"item", method_item, METH_NOARGS, "The only element, as a Python number."},
    {"tolist", method_tolist, METH_NOARGS,
     "The elements as nested lists; of a 0-d tensor a number."},
    {"_make_subclass", make_subclass, METH_VARARGS | METH_STATIC,
     "_make_subclass(cls, data, requires_grad=False): a cls over the memory of data."},
    {"__array__", function(tensor_array), METH_FASTCALL | METH_KEYWORDS,
     "__array__(dtype=None, copy=None): a NumPy array, over the same memory where possible."},
    {"__array_wrap__", function(tensor_array_wrap), METH_FASTCALL,
     "__array_wrap__(array, ...): a tensor, for results of NumPy functions."},
    {"__dlpack__", function(tensor_dlpack), METH_VARARGS | METH_KEYWORDS,
     "__dlpack__(*, stream=None, max_version=None, dl_device=None, copy=None): a DLPack capsule."},
    {"__dlpack_device__", tensor_dlpack_device, METH_NOARGS, "(device type, device number)."},
    {}};

PyGetSetDef kTensorGetters[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, "Attributes.", nullptr},
    {"shape", get_shape, nullptr, "The sizes.", nullptr},
    {"ndim", get_ndim, nullptr, "The number of dimensions.", nullptr},
    {"dtype", get_dtype, nullptr, "The type of the elements.", nullptr},
    {"device", get_device, nullptr, "Where the memory is.", nullptr},
    {"layout", get_layout, nullptr, "gleed.strided.", nullptr},
    {"itemsize", get_itemsize, nullptr, "Bytes per element.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements.", nullptr},
    {"is_cuda", get_false, nullptr, "Whether the memory is on a GPU.", nullptr},
    {"is_sparse", get_false, nullptr, "Always False.", nullptr},
    {"is_quantized", get_false, nullptr, "Always False.", nullptr},
    {"is_meta", get_false, nullptr, "Always False.", nullptr},
    {"_version", get_version, nullptr, "How often the memory was written in place.", nullptr},
    {"_base", get_base, nullptr, "The tensor whose memory this is a view of, or None.", nullptr},
    {"_traced", get_traced, nullptr, "Whether this is a stand-in of the tracer.", nullptr},
    {}};

PyObject* item(Tensor* t) {
  if (!concrete(t, "item")) return nullptr;
  if (t->layout.numel != 1) {
    return raise(
        "ShapeError",
        "item: takes a tensor with one element; this one has %lld; use tolist(), or index it",
        static_cast<long long>(t->layout.numel));
  }
  return readable(t, "item") ? load_element(t->data(), t->dtype) : nullptr;
}

PyObject* tensor_new(PyTypeObject* cls, PyObject* args, PyObject* kwargs) {
  PyObject* construct = registered(Slot::kConstruct);
  if (!construct) return nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  PyObject* all = PyTuple_New(n + 1);
  if (!all) return nullptr;
  PyTuple_SET_ITEM(all, 0, Py_NewRef(reinterpret_cast<PyObject*>(cls)));
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyTuple_SET_ITEM(all, i + 1, Py_NewRef(PyTuple_GET_ITEM(args, i)));
  }
  PyObject* result = PyObject_Call(construct, all, kwargs);
  Py_DECREF(all);
  return result;
}

Py_ssize_t tensor_length(PyObject* self) {
  const Tensor* t = as_tensor(self);
  if (!sized(t, "len")) return -1;
  if (t->layout.ndim == 0) {
    raise("ArgumentError", "len: a 0-d tensor has no length; use numel() for its one element");
    return -1;
  }
  return t->layout.sizes[0];
}

int tensor_bool(PyObject* self) {
  const Tensor* t = as_tensor(self);
  if (!concrete(t, "bool")) return -1;
  if (t->layout.numel != 1) {
    raise(
        "ShapeError",
        "bool: the truth of a tensor with %lld element%s is ambiguous; use any(), all() or numel()",
        static_cast<long long>(t->layout.numel), plural(t->layout.numel));
    return -1;
  }
  PyObject* value = item(as_tensor(self));
  const int truth = value ? PyObject_IsTrue(value) : -1;
  Py_XDECREF(value);
  return truth;
}

PyObject* tensor_int(PyObject* self) {
  PyObject* value = item(as_tensor(self));
  PyObject* result = value ? PyNumber_Long(value) : nullptr;
  Py_XDECREF(value);
  return result;
}

PyObject* tensor_float(PyObject* self) {
  PyObject* value = item(as_tensor(self));
  PyObject* result = value ? PyNumber_Float(value) : nullptr;
  Py_XDECREF(value);
  return result;
}

PyObject* tensor_index(PyObject* self) {
  const Tensor* t = as_tensor(self);
  if (!concrete(t, "index")) return nullptr;
  if (differentiable(t->dtype) || t->layout.numel != 1) {
    return raise("ArgumentError",
                 "index: only a tensor with one integer can stand for an index; %s with %lld "
                 "element%s came; use int(...) or item()",
                 info(t->dtype).name, static_cast<long long>(t->layout.numel),
                 plural(t->layout.numel));
  }
  return tensor_int(self);
}

}  // namespace gleed
