// tensor[index].
//
// A *basic* index consists of whole numbers, slices, None and Ellipsis. It moves no data: the
// result is a view. What needs no gradient is answered here by arithmetic on the layout. Otherwise
// the index goes, in a normal form, to the operation registered as "basic_index":
//
//     op(tensor, code, ints)
//
// `code` is a static tuple of numbers that says what happens, from the first axis on; `ints` are
// the symbolic integers that it consumes:
//
//     code      ints            meaning
//     0         index           select: 0 <= index < size; the axis disappears
//     1, step   start, length   slice: elements start, start + step, …, `length` of them
//     2                         a new axis of size 1
//     3, n                      the next n axes stay as they are
//
// Axes beyond the code stay as they are. So x[0, ..., None, 1:7:2] of a 4-d x is
// op(x, (0, 3, 2, 2, 1, 2), (0, 1, 3)).
//
// Everything else (tensors, lists, arrays, masks, and any index of a stand-in) goes to Python as
// "advanced_index"(tensor, index), every assignment as "setitem"(tensor, index, value).
#include "operators.h"
#include "recording.h"
#include "tape.h"
#include "tensor_type.h"
#include "tuples.h"

namespace gleed {
namespace {

enum Kind : int { kSelect = 0, kSlice = 1, kNewAxis = 2, kSkip = 3, kEllipsis, kAdvanced, kError };

// One entry of an index. Reading it may run Python code (__index__), so all are read before the
// layout is.
struct Item {
  Kind kind;
  Py_ssize_t start, stop, step;  // kSelect: start only
};

constexpr int kMaxItems = 3 * kMaxDims;

Kind read_integer(PyObject* o, Item* item) {
  PyObject* number = PyLong_CheckExact(o) ? Py_NewRef(o) : PyNumber_Index(o);
  if (!number) return kError;
  int overflow;
  item->start = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow) {
    raise("BoundsError", "index: out of range; index %S needs more than 64 bits; use a smaller one",
          number);
  }
  Py_DECREF(number);
  return overflow ? kError : kSelect;
}

// A bound or step of a slice that is None or a plain int, without a call into Python.
inline bool read_plain(PyObject* o, Py_ssize_t missing, Py_ssize_t* out) {
  if (o == Py_None) {
    *out = missing;
    return true;
  }
  if (!PyLong_CheckExact(o)) return false;
  int overflow;
  *out = PyLong_AsLongLongAndOverflow(o, &overflow);
  return !overflow;
}

Kind read_slice(PyObject* o, Item* item) {
  const PySliceObject* s = reinterpret_cast<PySliceObject*>(o);
  if (read_plain(s->step, 1, &item->step) && item->step > 0 &&
      read_plain(s->start, 0, &item->start) && read_plain(s->stop, PY_SSIZE_T_MAX, &item->stop)) {
    return kSlice;
  }
  if (PySlice_Unpack(o, &item->start, &item->stop, &item->step) == 0) return kSlice;
  if (PyErr_ExceptionMatches(PyExc_ValueError)) {
    PyErr_Clear();
    raise("RangeError",
          "index: a slice's step must not be 0; %R came; use 1, or -1 to go backwards", o);
  }
  return kError;
}

Kind read_item(PyObject* o, Item* item) {
  if (PyLong_CheckExact(o)) return read_integer(o, item);
  if (PySlice_Check(o)) return read_slice(o, item);
  if (o == Py_None) return kNewAxis;
  if (o == Py_Ellipsis) return kEllipsis;
  if (PyBool_Check(o)) return kAdvanced;
  if (is_tensor(o)) {
    // A 0-d integer stands for its value; bool and uint8 are masks.
    const Tensor* t = as_tensor(o);
    const bool number =
        !t->traced && t->layout.ndim == 0 && integral(t->dtype) && t->dtype != DType::kUInt8;
    return number ? read_integer(o, item) : kAdvanced;
  }
  const bool number = PyIndex_Check(o) && !derives_from(Py_TYPE(o), "numpy.ndarray") &&
                      !derives_from(Py_TYPE(o), "numpy.bool") &&
                      !derives_from(Py_TYPE(o), "numpy.bool_");
  return number ? read_integer(o, item) : kAdvanced;
}

bool check_bounds(Py_ssize_t* index, int64_t size, int axis) {
  const Py_ssize_t given = *index;
  if (given < 0) *index += size;
  if (*index >= 0 && *index < size) [[likely]]
    return true;
  if (size == 0) {
    raise("BoundsError", "index: out of range; index %zd for axis %d of size 0; the axis is empty",
          given, axis);
  } else {
    raise("BoundsError", "index: out of range; index %zd for axis %d of size %lld; use %lld … %lld",
          given, axis, static_cast<long long>(size), static_cast<long long>(-size),
          static_cast<long long>(size - 1));
  }
  return false;
}

PyObject* too_many(int indices, int ndim) {
  if (ndim == 0) {
    return raise("BoundsError",
                 "index: a 0-d tensor has no axis to index; use item() for its value, or [()]");
  }
  return raise("BoundsError",
               "index: too many indices; %d for a tensor with %d dimension%s; use at most %d",
               indices, ndim, ndim == 1 ? "" : "s", ndim);
}

// The normal form of a basic index, and the layout it leads to.
struct Movement {
  Layout out;
  int64_t code[2 * kMaxItems];
  int64_t ints[2 * kMaxItems];
  int codes = 0, integers = 0;
};

// Items are read and counted; now they are applied. False with an exception set.
bool apply(const Layout& in, const Item* items, int n, int consumed, Movement* m) {
  Layout& out = m->out;
  out.offset = in.offset;
  int axis = 0, to = 0;
  bool ellipsis_seen = false;
  const auto room = [&](int axes) {
    if (to + axes <= kMaxDims) return true;
    raise("BoundsError", "index: at most %d dimensions; more came; drop some None", kMaxDims);
    return false;
  };
  const auto skip = [&](int axes) {
    for (; axes > 0; --axes, ++axis, ++to) {
      out.sizes[to] = in.sizes[axis];
      out.strides[to] = in.strides[axis];
    }
  };
  int64_t start_offset = 0;
  for (int i = 0; i < n; ++i) {
    Item item = items[i];
    switch (item.kind) {
      case kSelect:
        if (!check_bounds(&item.start, in.sizes[axis], axis)) return false;
        start_offset += item.start * in.strides[axis++];
        m->code[m->codes++] = kSelect;
        m->ints[m->integers++] = item.start;
        break;
      case kSlice: {
        if (!room(1)) return false;
        const Py_ssize_t length =
            PySlice_AdjustIndices(in.sizes[axis], &item.start, &item.stop, item.step);
        if (length == 0) item.start = 0;  // where an empty slice starts says nothing
        start_offset += item.start * in.strides[axis];
        out.sizes[to] = length;
        // The stride between at most one element means nothing, and a huge step would overflow it.
        if (length <= 1) item.step = 1;
        out.strides[to++] = in.strides[axis++] * item.step;
        m->code[m->codes++] = kSlice;
        m->code[m->codes++] = item.step;
        m->ints[m->integers++] = item.start;
        m->ints[m->integers++] = length;
        break;
      }
      case kNewAxis:
        if (!room(1)) return false;
        out.sizes[to] = 1;
        out.strides[to++] = axis < in.ndim ? in.sizes[axis] * in.strides[axis] : 1;
        m->code[m->codes++] = kNewAxis;
        break;
      default: {  // the first Ellipsis stands for the axes left; another one for none
        const int axes = ellipsis_seen ? 0 : in.ndim - consumed;
        ellipsis_seen = true;
        if (axes == 0) break;
        if (!room(axes)) return false;
        skip(axes);
        m->code[m->codes++] = kSkip;
        m->code[m->codes++] = axes;
      }
    }
  }
  if (!room(in.ndim - axis)) return false;
  skip(in.ndim - axis);
  out.ndim = to;
  refresh(out);
  if (out.numel > 0) out.offset += start_offset;
  return true;
}

// Takes `code` and `ints` over.
PyObject* call_basic_index(PyObject* self, PyObject* code, PyObject* ints) {
  PyObject* op = code && ints ? registered(Slot::kBasicIndex) : nullptr;
  PyObject* args[] = {nullptr, self, code, ints};
  PyObject* result =
      op ? PyObject_Vectorcall(op, args + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr) : nullptr;
  Py_XDECREF(code);
  Py_XDECREF(ints);
  return result;
}

PyObject* call_basic_index(PyObject* self, const Movement& m) {
  return call_basic_index(self, tuple_of({m.code, static_cast<size_t>(m.codes)}),
                          tuple_of({m.ints, static_cast<size_t>(m.integers)}));
}

PyObject* call_advanced_index(PyObject* self, PyObject* index) {
  PyObject* op = registered(Slot::kAdvancedIndex);
  if (!op) return nullptr;
  PyObject* args[] = {nullptr, self, index};
  return PyObject_Vectorcall(op, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
}

}  // namespace

PyObject* tensor_subscript(PyObject* self, PyObject* index) {
  Tensor* t = as_tensor(self);
  if (t->traced) return call_advanced_index(self, index);
  if (!concrete(t, "index")) return nullptr;
  if (recording()) {
    PyObject* parts = record_index(t, index);
    PyObject* view = parts ? call_basic_index(self, Py_NewRef(PyTuple_GET_ITEM(parts, 0)),
                                              Py_NewRef(PyTuple_GET_ITEM(parts, 1)))
                           : nullptr;
    Py_XDECREF(parts);
    if (view || PyErr_Occurred()) return view;
  }
  const bool tuple = PyTuple_Check(index);
  const Py_ssize_t n = tuple ? PyTuple_GET_SIZE(index) : 1;
  if (n > kMaxItems) return too_many(static_cast<int>(n), t->layout.ndim);
  Item items[kMaxItems];
  int consumed = 0;
  for (Py_ssize_t i = 0; i < n; ++i) {
    items[i].kind = read_item(tuple ? PyTuple_GET_ITEM(index, i) : index, &items[i]);
    if (items[i].kind == kError) return nullptr;
    if (items[i].kind == kAdvanced) return call_advanced_index(self, index);
    consumed += items[i].kind == kSelect || items[i].kind == kSlice;
  }
  if (consumed > t->layout.ndim) return too_many(consumed, t->layout.ndim);
  if (recording() && !sized(t, "index")) return nullptr;
  Movement m;
  if (!apply(t->layout, items, static_cast<int>(n), consumed, &m)) return nullptr;
  if ((requires_grad(t) && grad_enabled()) || recording()) return call_basic_index(self, m);
  Tensor* view = new_view(t, m.out);
  if (view) record_view(view, t);
  return object(view);
}

int tensor_assign_subscript(PyObject* self, PyObject* index, PyObject* value) {
  if (!value) {
    raise("ArgumentError",
          "index: elements of a tensor cannot be deleted; del came; build a smaller "
          "tensor, for example by a mask");
    return -1;
  }
  PyObject* op = registered(Slot::kSetItem);
  if (!op) return -1;
  PyObject* args[] = {nullptr, self, index, value};
  PyObject* result = PyObject_Vectorcall(op, args + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
  Py_XDECREF(result);
  return result ? 0 : -1;
}

}  // namespace gleed
