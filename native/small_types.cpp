// gleed.dtype and gleed.Size.
#include <algorithm>

#include "tensor_type.h"

namespace gleed {

PyTypeObject* DTypeType;
PyTypeObject* SizeType;

// ---------------------------------------------------------------------------------------- dtype

namespace {

struct DTypeObject {
  PyObject_HEAD;
  DType dtype;
};

PyObject* dtype_objects[kDTypeCount];

const DTypeInfo& info_of(PyObject* self) {
  return info(reinterpret_cast<DTypeObject*>(self)->dtype);
}

PyObject* dtype_repr(PyObject* self) {
  return PyUnicode_FromFormat("gleed.%s", info_of(self).name);
}

// Pickled as the global `gleed.float32`, so that there stays one object per dtype.
PyObject* dtype_reduce(PyObject* self, PyObject*) {
  return PyUnicode_FromString(info_of(self).name);
}

PyObject* dtype_to_real(PyObject* self, PyObject*) {
  const DType d = reinterpret_cast<DTypeObject*>(self)->dtype;
  return Py_NewRef(d == DType::kComplex64    ? dtype_object(DType::kFloat32)
                   : d == DType::kComplex128 ? dtype_object(DType::kFloat64)
                                             : self);
}

PyObject* dtype_to_complex(PyObject* self, PyObject*) {
  const DType d = reinterpret_cast<DTypeObject*>(self)->dtype;
  const bool wide = d == DType::kFloat64 || d == DType::kComplex128;
  return Py_NewRef(dtype_object(wide ? DType::kComplex128 : DType::kComplex64));
}

enum Field : intptr_t { kIsFloating, kIsComplex, kIsSigned, kItemsize, kName, kKernelName };

PyObject* dtype_get(PyObject* self, void* field) {
  const DTypeInfo& d = info_of(self);
  switch (static_cast<Field>(reinterpret_cast<intptr_t>(field))) {
    case kIsFloating:
      return PyBool_FromLong(d.floating);
    case kIsComplex:
      return PyBool_FromLong(d.complex);
    case kIsSigned:
      return PyBool_FromLong(d.is_signed);
    case kItemsize:
      return PyLong_FromLong(d.itemsize);
    case kName:
      return PyUnicode_FromString(d.name);
    case kKernelName:
      return PyUnicode_FromString(d.kernel_name);
  }
  Py_UNREACHABLE();
}

void* field(Field f) { return reinterpret_cast<void*>(f); }

PyGetSetDef dtype_getters[] = {
    {"is_floating_point", dtype_get, nullptr, "Whether values are real floating-point numbers.",
     field(kIsFloating)},
    {"is_complex", dtype_get, nullptr, "Whether values are complex numbers.", field(kIsComplex)},
    {"is_signed", dtype_get, nullptr, "Whether values can be negative.", field(kIsSigned)},
    {"itemsize", dtype_get, nullptr, "Bytes per element.", field(kItemsize)},
    {"name", dtype_get, nullptr, "The name without the module: 'float32'.", field(kName)},
    {"kernel_name", dtype_get, nullptr, "The compiler's spelling: 'f32'.", field(kKernelName)},
    {}};

PyMethodDef dtype_methods[] = {
    {"__reduce__", dtype_reduce, METH_NOARGS, nullptr},
    {"to_real", dtype_to_real, METH_NOARGS, "The dtype of the real part."},
    {"to_complex", dtype_to_complex, METH_NOARGS, "The complex dtype of the same precision."},
    {}};

}  // namespace

PyObject* dtype_object(DType dtype) { return dtype_objects[static_cast<int>(dtype)]; }

bool dtype_from_object(PyObject* o, DType* out) {
  if (Py_TYPE(o) == DTypeType) {
    *out = reinterpret_cast<DTypeObject*>(o)->dtype;
  } else if (o == reinterpret_cast<PyObject*>(&PyFloat_Type)) {
    *out = DType::kFloat64;
  } else if (o == reinterpret_cast<PyObject*>(&PyLong_Type)) {
    *out = DType::kInt64;
  } else if (o == reinterpret_cast<PyObject*>(&PyBool_Type)) {
    *out = DType::kBool;
  } else if (o == reinterpret_cast<PyObject*>(&PyComplex_Type)) {
    *out = DType::kComplex128;
  } else {
    return false;
  }
  return true;
}

bool make_dtype_objects(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_repr, reinterpret_cast<void*>(dtype_repr)},
                         {Py_tp_methods, dtype_methods},
                         {Py_tp_getset, dtype_getters},
                         {Py_tp_doc, const_cast<char*>("The type of a tensor's elements.")},
                         {0, nullptr}};
  PyType_Spec spec{
      "gleed.dtype", sizeof(DTypeObject), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, slots};
  DTypeType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (!DTypeType || PyModule_AddObjectRef(module, "dtype", reinterpret_cast<PyObject*>(DTypeType)))
    return false;
  for (int i = 0; i < kDTypeCount; ++i) {
    DTypeObject* o = PyObject_New(DTypeObject, DTypeType);
    if (!o) return false;
    o->dtype = static_cast<DType>(i);
    dtype_objects[i] = reinterpret_cast<PyObject*>(o);
    const DTypeInfo& d = kDTypes[i];
    if (PyModule_AddObjectRef(module, d.name, dtype_objects[i]) < 0) return false;
    if (d.alias && PyModule_AddObjectRef(module, d.alias, dtype_objects[i]) < 0) return false;
  }
  return true;
}

// ----------------------------------------------------------------------------------------- Size

// A Size holds nothing but ints, so the garbage collector need not know of it.
static PyObject* new_size(Py_ssize_t n) {
  PyTupleObject* o = PyObject_GC_NewVar(PyTupleObject, SizeType, n);
  if (o) std::fill_n(o->ob_item, n, nullptr);
  return reinterpret_cast<PyObject*>(o);
}

static void size_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) Py_XDECREF(PyTuple_GET_ITEM(self, i));
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* size_object(std::span<const int64_t> sizes) {
  PyObject* o = new_size(static_cast<Py_ssize_t>(sizes.size()));
  if (!o) return nullptr;
  for (size_t i = 0; i < sizes.size(); ++i) {
    PyObject* n = PyLong_FromLongLong(sizes[i]);
    if (!n) {
      Py_DECREF(o);
      return nullptr;
    }
    PyTuple_SET_ITEM(o, i, n);
  }
  return o;
}

namespace {

// Turns a tuple, whose reference it takes, into a Size.
PyObject* as_size(PyObject* tuple) {
  if (!tuple || !PyTuple_Check(tuple)) return tuple;  // an error, or NotImplemented
  const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  PyObject* o = new_size(n);
  for (Py_ssize_t i = 0; o && i < n; ++i) {
    PyTuple_SET_ITEM(o, i, Py_NewRef(PyTuple_GET_ITEM(tuple, i)));
  }
  Py_DECREF(tuple);
  return o;
}

PyObject* size_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  PyObject* items = nullptr;
  if (kwargs && PyDict_GET_SIZE(kwargs)) {
    return raise("ArgumentError", "Size: takes no keyword arguments; some came; pass one sequence");
  }
  if (!PyArg_UnpackTuple(args, "Size", 0, 1, &items)) return nullptr;
  PyObject* tuple = items ? PySequence_Tuple(items) : PyTuple_New(0);
  const Py_ssize_t n = tuple ? PyTuple_GET_SIZE(tuple) : 0;
  PyObject* size = tuple ? new_size(n) : nullptr;
  for (Py_ssize_t i = 0; size && i < n; ++i) {
    PyObject* item = PyTuple_GET_ITEM(tuple, i);
    PyObject* number = PyIndex_Check(item) ? PyNumber_Index(item) : nullptr;
    if (number) {
      PyTuple_SET_ITEM(size, i, number);
      continue;
    }
    PyErr_Clear();
    raise("ArgumentError", "Size: takes whole numbers; item %zd is a %s; pass a sequence of ints",
          i, Py_TYPE(item)->tp_name);
    Py_CLEAR(size);
  }
  Py_XDECREF(tuple);
  return size;
}

PyObject* size_repr(PyObject* self) {
  PyObject* list = PySequence_List(self);
  PyObject* text = list ? PyUnicode_FromFormat("gleed.Size(%R)", list) : nullptr;
  Py_XDECREF(list);
  return text;
}

PyObject* size_numel(PyObject* self, PyObject*) {
  PyObject* product = PyLong_FromLong(1);
  for (Py_ssize_t i = 0; product && i < PyTuple_GET_SIZE(self); ++i) {
    PyObject* next = PyNumber_Multiply(product, PyTuple_GET_ITEM(self, i));
    Py_DECREF(product);
    product = next;
  }
  return product;
}

// Either operand may be the Size: (3,) + Size([2]) is a Size too.
PyObject* size_add(PyObject* a, PyObject* b) {
  if (!PyTuple_Check(a) || !PyTuple_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  return as_size(PyTuple_Type.tp_as_sequence->sq_concat(a, b));
}

PyObject* size_repeat(PyObject* self, Py_ssize_t n) {
  return as_size(PyTuple_Type.tp_as_sequence->sq_repeat(self, n));
}

PyObject* size_subscript(PyObject* self, PyObject* index) {
  PyObject* result = PyTuple_Type.tp_as_mapping->mp_subscript(self, index);
  return PySlice_Check(index) ? as_size(result) : result;
}

PyMethodDef size_methods[] = {
    {"numel", size_numel, METH_NOARGS, "The number of elements of a tensor of this size."}, {}};

}  // namespace

bool make_size_type(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(size_new)},
                         {Py_tp_dealloc, reinterpret_cast<void*>(size_dealloc)},
                         {Py_tp_repr, reinterpret_cast<void*>(size_repr)},
                         {Py_tp_methods, size_methods},
                         {Py_nb_add, reinterpret_cast<void*>(size_add)},
                         {Py_sq_repeat, reinterpret_cast<void*>(size_repeat)},
                         {Py_mp_subscript, reinterpret_cast<void*>(size_subscript)},
                         {Py_tp_doc, const_cast<char*>("The sizes of a tensor: a tuple of ints.")},
                         {0, nullptr}};
  PyType_Spec spec{"gleed.Size", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};
  PyObject* bases = PyTuple_Pack(1, &PyTuple_Type);
  if (!bases) return false;
  SizeType = reinterpret_cast<PyTypeObject*>(PyType_FromSpecWithBases(&spec, bases));
  Py_DECREF(bases);
  return SizeType &&
         PyModule_AddObjectRef(module, "Size", reinterpret_cast<PyObject*>(SizeType)) == 0;
}

}  // namespace gleed
