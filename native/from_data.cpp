// gleed.tensor(data): numbers, nested sequences, arrays and tensors become a new tensor.
#include "recording.h"
#include "scalar.h"
#include "small_buffer.h"
#include "tensor_type.h"

namespace gleed {
namespace {

bool is_array(PyObject* o) { return derives_from(Py_TYPE(o), "numpy.ndarray"); }

bool is_sequence(PyObject* o) {
  if (PyList_CheckExact(o) || PyTuple_CheckExact(o)) return true;
  if (PyFloat_CheckExact(o) || PyLong_CheckExact(o)) return false;
  if (is_tensor(o)) return !as_tensor(o)->storage || as_tensor(o)->layout.ndim > 0;
  if (PyUnicode_Check(o) || PyBytes_Check(o) || PyByteArray_Check(o)) return false;
  if (is_array(o)) return PyObject_Size(o) >= 0 || (PyErr_Clear(), false);  // 0-d ones have no len
  return PySequence_Check(o) && !derives_from(Py_TYPE(o), "numpy.generic");
}

// The numbers of nested sequences in order, and the shape they form.
class Leaves {
 public:
  ~Leaves() {
    for (PyObject* o : items_) Py_DECREF(o);
  }

  // False with an exception set.
  bool read(PyObject* data) { return measure(data) && walk(data, 0); }

  std::span<PyObject* const> items() const { return items_; }
  std::span<const int64_t> sizes() const { return {sizes_, static_cast<size_t>(ndim_)}; }

 private:
  // The shape, by following the first entries.
  bool measure(PyObject* data) {
    PyObject* entry = Py_NewRef(data);
    while (entry && is_sequence(entry)) {
      if (ndim_ == kMaxDims) {
        raise("ShapeError",
              "tensor: at most %d dimensions; sequences nested deeper came; flatten them",
              kMaxDims);
        Py_CLEAR(entry);
        break;
      }
      PyObject* items = PySequence_Fast(entry, "tensor: a sequence without items came");
      Py_DECREF(entry);
      entry = nullptr;
      if (!items) return false;
      const Py_ssize_t n = PySequence_Fast_GET_SIZE(items);
      sizes_[ndim_++] = n;
      if (n > 0) entry = Py_NewRef(PySequence_Fast_GET_ITEM(items, 0));
      Py_DECREF(items);
      if (n == 0) return true;
    }
    Py_XDECREF(entry);
    if (!entry) return false;
    return true;
  }

  bool walk(PyObject* o, int axis) {
    if (axis == ndim_) {
      if (is_sequence(o)) return ragged_type("a number", axis, o);
      PyObject* item = is_followed(o) ? PyObject_CallMethod(o, "fixed", nullptr) : Py_NewRef(o);
      if (item) items_.push(item);
      return item != nullptr;
    }
    if (!is_sequence(o)) return ragged_type("a sequence", axis, o);
    PyObject* items = PySequence_Fast(o, "tensor: a sequence without items came");
    if (!items) return false;
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(items);
    bool ok = n == sizes_[axis];
    if (!ok) ragged_length(axis, n);
    // Reading a foreign sequence runs its code, which may change the list at hand.
    for (Py_ssize_t i = 0; ok && i < n && i < PySequence_Fast_GET_SIZE(items); ++i) {
      PyObject* entry = PySequence_Fast_GET_ITEM(items, i);
      if (PyFloat_CheckExact(entry) && axis + 1 == ndim_) {
        items_.push(Py_NewRef(entry));
        continue;
      }
      Py_INCREF(entry);
      ok = walk(entry, axis + 1);
      Py_DECREF(entry);
    }
    if (ok && PySequence_Fast_GET_SIZE(items) != n)
      ok = ragged_length(axis, PySequence_Fast_GET_SIZE(items));
    Py_DECREF(items);
    return ok;
  }

  bool ragged_type(const char* expected, int axis, PyObject* came) {
    raise("ArgumentError",
          "tensor: expected %s at dim %d; got a %s; nest all sequences equally deep", expected,
          axis, Py_TYPE(came)->tp_name);
    return false;
  }

  bool ragged_length(int axis, Py_ssize_t came) {
    raise("ShapeError",
          "tensor: expected sequence of length %lld at dim %d; got %zd; make all rows equally long",
          static_cast<long long>(sizes_[axis]), axis, came);
    return false;
  }

  SmallBuffer<PyObject*, 64> items_;  // counted
  int64_t sizes_[kMaxDims];
  int ndim_ = 0;
};

// The dtype of one number. False with an exception set.
bool infer(PyObject* o, DType* out) {
  if (PyFloat_CheckExact(o)) {
    *out = default_dtype;
  } else if (PyBool_Check(o)) {
    *out = DType::kBool;
  } else if (is_tensor(o)) {
    *out = as_tensor(o)->dtype;
  } else if (derives_from(Py_TYPE(o), "numpy.generic") || is_array(o)) {
    PyObject* scalar = from_numpy(o);
    if (!scalar) return false;
    *out = as_tensor(scalar)->dtype;
    Py_DECREF(scalar);
  } else if (PyLong_Check(o)) {
    *out = DType::kInt64;
  } else if (PyFloat_Check(o)) {
    *out = default_dtype;
  } else if (PyComplex_Check(o)) {
    *out = default_dtype == DType::kFloat64 ? DType::kComplex128 : DType::kComplex64;
  } else {
    raise(
        "ArgumentError",
        "tensor: takes numbers, sequences of numbers and arrays; a %s came; convert it to numbers",
        Py_TYPE(o)->tp_name);
    return false;
  }
  return true;
}

// `out` keeps its value if there are no items.
bool infer_all(std::span<PyObject* const> items, DType* out) {
  const PyTypeObject* last = nullptr;
  for (size_t i = 0; i < items.size(); ++i) {
    const PyTypeObject* type = Py_TYPE(items[i]);
    if (type == last && type != TensorType) continue;  // of one type, and so of one dtype
    last = type;
    DType dtype;
    if (!infer(items[i], &dtype)) return false;
    *out = i == 0 ? dtype : promote(*out, dtype);
  }
  return true;
}

bool store(char* p, DType dtype, PyObject* value) {
  if (PyFloat_CheckExact(value)) {
    if (dtype == DType::kFloat32) {
      *reinterpret_cast<float*>(p) = static_cast<float>(PyFloat_AS_DOUBLE(value));
      return true;
    }
    if (dtype == DType::kFloat64) {
      *reinterpret_cast<double*>(p) = PyFloat_AS_DOUBLE(value);
      return true;
    }
  }
  return store_element(p, dtype, value, "tensor");
}

// A packed copy of elements that lie at `from`.
PyObject* copy(const Layout& layout, const char* from, DType from_dtype, const DType* dtype) {
  Tensor* t = empty_tensor(contiguous_layout(layout.shape()), dtype ? *dtype : from_dtype);
  if (t) copy_to_packed(t->data(), t->dtype, from, from_dtype, layout);
  return object(t);
}

// Arrays of other libraries: NumPy makes one of ours of them. Null without an exception: `o` is
// none.
PyObject* as_array(PyObject* o) {
  if (PyList_Check(o) || PyTuple_Check(o) || is_number(o)) return nullptr;
  if (is_array(o)) return Py_NewRef(o);
  PyObject* method = PyObject_GetAttrString(o, "__array__");
  if (!method) {
    PyErr_Clear();
    return nullptr;
  }
  PyObject* array = PyObject_CallNoArgs(method);
  Py_DECREF(method);
  return array;
}

}  // namespace

PyObject* tensor_from_data(PyObject* data, const DType* dtype) {
  if (is_tensor(data)) {
    Tensor* t = as_tensor(data);
    if (!readable(t, "tensor")) return nullptr;
    return copy(t->layout, t->data(), t->dtype, dtype);
  }
  if (PyObject* array = as_array(data)) {
    PyObject* shared = from_numpy(array);
    Py_DECREF(array);
    if (!shared) return nullptr;
    Tensor* t = as_tensor(shared);
    PyObject* result =
        !readable(t, "tensor") ? nullptr : copy(t->layout, t->data(), t->dtype, dtype);
    Py_DECREF(shared);
    return result;
  }
  if (PyErr_Occurred()) return nullptr;
  Leaves leaves;
  DType chosen = default_dtype;
  if (!leaves.read(data)) return nullptr;
  if (dtype) {
    chosen = *dtype;
  } else if (!infer_all(leaves.items(), &chosen)) {
    return nullptr;
  }
  Tensor* t = empty_tensor(contiguous_layout(leaves.sizes()), chosen);
  if (!t) return nullptr;
  char* p = t->data();
  for (PyObject* value : leaves.items()) {
    if (!store(p, chosen, value)) {
      Py_DECREF(object(t));
      return nullptr;
    }
    p += itemsize(chosen);
  }
  return object(t);
}

}  // namespace gleed
