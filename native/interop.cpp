// Memory shared with NumPy and everything else that speaks the buffer protocol.
#include <bit>
#include <cstring>

#include "recording.h"
#include "tape.h"
#include "tensor_type.h"

namespace gleed {

static_assert(std::endian::native == std::endian::little, "storage formats assume little endian");

// ------------------------------------------------------------------------- tensors as buffers

namespace {

// What a Py_buffer of a tensor refers to. It keeps the storage, which the tensor may exchange
// meanwhile.
struct Export {
  Storage* storage;
  Py_ssize_t shape[kMaxDims];
  Py_ssize_t strides[kMaxDims];  // in bytes
};

int refuse_buffer(Py_buffer* view, const char* why) {
  view->obj = nullptr;
  PyErr_SetString(PyExc_BufferError, why);
  return -1;
}

bool fortran_contiguous(const Layout& layout) {
  int64_t reversed[kMaxDims];
  for (int i = 0; i < layout.ndim; ++i) reversed[i] = layout.ndim - 1 - i;
  return permute(layout, {reversed, static_cast<size_t>(layout.ndim)}).contiguous;
}

}  // namespace

int tensor_get_buffer(PyObject* self, Py_buffer* view, int flags) {
  const Tensor* t = as_tensor(self);
  if (!t->storage) return refuse_buffer(view, "buffer: a stand-in of the tracer has no memory");
  const Layout& layout = t->layout;
  const DTypeInfo& d = info(t->dtype);
  if (requires_grad(t)) {
    return refuse_buffer(view, "buffer: the tensor requires grad; use detach() first");
  }
  if (!d.buffer) return refuse_buffer(view, "buffer: bfloat16 has no format; use float() first");
  if ((flags & PyBUF_WRITABLE) && t->storage->read_only) {
    return refuse_buffer(view, "buffer: the tensor's memory is read-only; use clone() first");
  }
  const bool wants_strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES;
  const bool wants_row_major = (flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS;
  const bool wants_column_major = (flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS;
  const bool wants_any = (flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS;
  if (((wants_row_major || !wants_strides) && !layout.contiguous) ||
      (wants_column_major && !fortran_contiguous(layout)) ||
      (wants_any && !layout.contiguous && !fortran_contiguous(layout))) {
    return refuse_buffer(view, "buffer: the tensor is not contiguous; use contiguous() first");
  }
  if (!readable(as_tensor(self), "numpy")) {
    view->obj = nullptr;
    return -1;
  }
  Export* e = static_cast<Export*>(PyMem_Malloc(sizeof(Export)));
  if (!e) {
    view->obj = nullptr;
    PyErr_NoMemory();
    return -1;
  }
  for (int i = 0; i < layout.ndim; ++i) {
    e->shape[i] = layout.sizes[i];
    e->strides[i] = layout.strides[i] * d.itemsize;
  }
  e->storage = keep(t->storage);
  view->obj = Py_NewRef(self);
  view->buf = t->data();
  view->len = layout.numel * d.itemsize;
  view->itemsize = d.itemsize;
  view->readonly = t->storage->read_only;
  view->ndim = layout.ndim;
  view->format = (flags & PyBUF_FORMAT) ? const_cast<char*>(d.buffer) : nullptr;
  view->shape = (flags & PyBUF_ND) ? e->shape : nullptr;
  view->strides = wants_strides ? e->strides : nullptr;
  view->suboffsets = nullptr;
  view->internal = e;
  return 0;
}

void tensor_release_buffer(PyObject*, Py_buffer* view) {
  Export* e = static_cast<Export*>(view->internal);
  drop(e->storage);
  PyMem_Free(e);
}

// ------------------------------------------------------------------------- buffers as tensors

namespace {

// The dtype of a buffer's elements: by kind and size, since "l" has different sizes in different
// modes.
bool dtype_of_buffer(const Py_buffer& view, DType* out) {
  const char* format = view.format ? view.format : "B";
  if (*format == '@' || *format == '=' || *format == '<') ++format;
  const bool complex = *format == 'Z';
  if (complex) ++format;
  if (format[0] == '\0' || format[1] != '\0') return false;
  const auto find = [&](bool floating, bool is_complex, bool is_signed) {
    for (int i = 0; i < kDTypeCount; ++i) {
      const DTypeInfo& d = kDTypes[i];
      if (!d.buffer || i == static_cast<int>(DType::kBool)) continue;
      if (d.floating == floating && d.complex == is_complex && d.is_signed == is_signed &&
          d.itemsize == view.itemsize) {
        *out = static_cast<DType>(i);
        return true;
      }
    }
    return false;
  };
  if (std::strchr("efd", *format))
    return complex ? find(false, true, true) : find(true, false, true);
  if (complex) return false;
  if (std::strchr("bhilq", *format)) return find(false, false, true);
  if (std::strchr("BHILQ", *format)) return find(false, false, false);
  if (*format != '?') return false;
  *out = DType::kBool;
  return true;
}

void release_view(void* owner) {
  Py_buffer* view = static_cast<Py_buffer*>(owner);
  // The last tensor may die while an exception is on its way.
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyBuffer_Release(view);
  PyErr_Restore(type, value, traceback);
  PyMem_Free(view);
}

// Strides in bytes to strides in elements. False with an exception set.
bool read_geometry(const Py_buffer& view, const char* op, Layout* layout) {
  if (view.ndim > kMaxDims) {
    raise("ShapeError", "%s: at most %d dimensions; the array has %d; reshape it", op, kMaxDims,
          view.ndim);
    return false;
  }
  int64_t sizes[kMaxDims];
  for (int i = 0; i < view.ndim; ++i) sizes[i] = view.shape[i];
  *layout = contiguous_layout({sizes, static_cast<size_t>(view.ndim)});
  for (int i = 0; view.strides && i < view.ndim && layout->numel > 0; ++i) {
    if (sizes[i] == 1) continue;
    if (view.strides[i] % view.itemsize != 0) {
      raise("ShapeError",
            "%s: strides must be multiples of the element's size; stride %zd for %zd bytes on axis "
            "%d "
            "came; use array.copy()",
            op, view.strides[i], view.itemsize, i);
      return false;
    }
    layout->strides[i] = view.strides[i] / view.itemsize;
  }
  refresh(*layout);
  return true;
}

// A tensor over the memory of `view`, which it takes over; on failure releases it.
PyObject* tensor_over(Py_buffer* view, const Layout& geometry, DType dtype) {
  // The storage begins at the lowest address, so that negative strides stay inside of it.
  Layout layout = geometry;
  layout.offset = 0;
  int64_t lo, hi;
  extent(layout, &lo, &hi);
  layout.offset = -lo;
  char* start = static_cast<char*>(view->buf) + lo * itemsize(dtype);
  Storage* storage = wrap(start, (hi - lo) * itemsize(dtype), release_view, view);
  if (!storage) {
    release_view(view);
    return nullptr;
  }
  storage->read_only = view->readonly;
  return object(new_tensor(storage, layout, dtype));
}

// A heap-allocated view of `source`; null with an exception set.
Py_buffer* get_view(PyObject* source, int flags) {
  Py_buffer* view = static_cast<Py_buffer*>(PyMem_Malloc(sizeof(Py_buffer)));
  if (!view) {
    PyErr_NoMemory();
    return nullptr;
  }
  if (PyObject_GetBuffer(source, view, flags) == 0) return view;
  PyMem_Free(view);
  return nullptr;
}

bool is_array(PyObject* o) { return derives_from(Py_TYPE(o), "numpy.ndarray"); }

// What a NumPy array without a usable buffer is about: its dtype, as text.
PyObject* refuse_array(PyObject* array, const char* op) {
  PyErr_Clear();
  PyObject* dtype = PyObject_GetAttrString(array, "dtype");
  if (!dtype) PyErr_Clear();
  raise(
      "DTypeError",
      "%s: no dtype of gleed fits the array's elements; %S came; use array.astype(...) with one of "
      "float64, float32, float16, int64, int32, int16, int8, uint8, bool, complex64, complex128",
      op, dtype ? dtype : reinterpret_cast<PyObject*>(Py_TYPE(array)));
  Py_XDECREF(dtype);
  return nullptr;
}

}  // namespace

PyObject* from_numpy(PyObject* array) {
  if (!PyObject_CheckBuffer(array)) {
    return raise("ArgumentError",
                 "from_numpy: takes a NumPy array; a %s came; use gleed.tensor(...)",
                 Py_TYPE(array)->tp_name);
  }
  Py_buffer* view = get_view(array, PyBUF_STRIDES | PyBUF_FORMAT);
  if (!view) return is_array(array) ? refuse_array(array, "from_numpy") : nullptr;
  DType dtype;
  Layout layout;
  if (!dtype_of_buffer(*view, &dtype)) {
    release_view(view);
    return refuse_array(array, "from_numpy");
  }
  if (reinterpret_cast<uintptr_t>(view->buf) % std::min<size_t>(itemsize(dtype), 8) != 0) {
    release_view(view);
    return raise("ShapeError",
                 "from_numpy: the array's memory is not aligned to its elements; use "
                 "array.copy()");
  }
  if (!read_geometry(*view, "from_numpy", &layout)) {
    release_view(view);
    return nullptr;
  }
  return tensor_over(view, layout, dtype);
}

PyObject* from_buffer(PyObject* buffer, DType dtype, int64_t count, int64_t offset) {
  Py_buffer* view = get_view(buffer, PyBUF_SIMPLE);
  if (!view) return nullptr;
  const int64_t size = itemsize(dtype), available = view->len;
  if (count < 0 && offset >= 0 && offset <= available) {
    count = (available - offset) / size;
    if ((available - offset) % size != 0) count = -1;
  }
  if (offset < 0 || offset > available || count < 0 || count > (available - offset) / size) {
    release_view(view);
    return raise(
        "RangeError",
        "frombuffer: count and offset must fit the buffer; %lld elements of %lld bytes from "
        "byte %lld on, of %lld bytes, came; pass others, or a longer buffer",
        static_cast<long long>(count), static_cast<long long>(size), static_cast<long long>(offset),
        static_cast<long long>(available));
  }
  view->buf = static_cast<char*>(view->buf) + offset;
  return tensor_over(view, contiguous_layout({&count, 1}), dtype);
}

// --------------------------------------------------------------------------- tensors as arrays

namespace {

// An attribute of NumPy, which is imported the first time; borrowed, null with an exception set.
PyObject* numpy(PyObject** cache, const char* name) {
  if (*cache) return *cache;
  PyObject* module = PyImport_ImportModule("numpy");
  if (module) *cache = PyObject_GetAttrString(module, name);
  Py_XDECREF(module);
  return *cache;
}

bool check_array_access(Tensor* t, const char* op) {
  if (!concrete(t, op)) return false;
  if (requires_grad(t)) {
    raise("GradientError",
          "%s: a NumPy array takes no part in differentiation; the tensor requires grad; use "
          "tensor.detach().%s()",
          op, op);
    return false;
  }
  if (!info(t->dtype).buffer) {
    raise("DTypeError", "%s: NumPy has no %s; use tensor.float().%s()", op, info(t->dtype).name,
          op);
    return false;
  }
  return readable(t, op);  // here, for NumPy tries other ways where that fails
}

}  // namespace

PyObject* to_numpy(Tensor* t) {
  static PyObject* asarray;
  if (!check_array_access(t, "numpy") || !numpy(&asarray, "asarray")) return nullptr;
  return PyObject_CallOneArg(asarray, object(t));  // through the buffer protocol
}

PyObject* tensor_array(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  static PyObject* array;
  PyObject *dtype = n > 0 ? args[0] : Py_None, *copy = Py_None;
  const Py_ssize_t keywords = names ? PyTuple_GET_SIZE(names) : 0;
  bool known = n <= 1;
  for (Py_ssize_t i = 0; i < keywords; ++i) {
    PyObject* name = PyTuple_GET_ITEM(names, i);
    const bool is_dtype = PyUnicode_CompareWithASCIIString(name, "dtype") == 0;
    known &= is_dtype || PyUnicode_CompareWithASCIIString(name, "copy") == 0;
    (is_dtype ? dtype : copy) = args[n + i];
  }
  if (!known)
    return raise("ArgumentError", "__array__: takes dtype=None and copy=None; others came");
  if (!check_array_access(as_tensor(self), "numpy")) return nullptr;
  PyObject* shared = to_numpy(as_tensor(self));
  if (!shared || (dtype == Py_None && copy != Py_True)) return shared;
  // Without a request to copy, NumPy copies only for another dtype; forbidding it is NumPy's to
  // check.
  PyObject* result = nullptr;
  if (copy == Py_None) {
    static PyObject* asarray;
    if (numpy(&asarray, "asarray")) {
      result = PyObject_CallFunctionObjArgs(asarray, shared, dtype, nullptr);
    }
  } else if (numpy(&array, "array")) {
    PyObject* options = Py_BuildValue("{s:O,s:O}", "dtype", dtype, "copy", copy);
    PyObject* one = PyTuple_Pack(1, shared);
    if (options && one) result = PyObject_Call(array, one, options);
    Py_XDECREF(options);
    Py_XDECREF(one);
  }
  Py_DECREF(shared);
  return result;
}

PyObject* tensor_array_wrap(PyObject*, PyObject* const* args, Py_ssize_t n) {
  if (n < 1) return raise("ArgumentError", "__array_wrap__: takes an array; none came");
  if (is_array(args[0])) return from_numpy(args[0]);
  return Py_NewRef(args[0]);  // a NumPy scalar
}

}  // namespace gleed
