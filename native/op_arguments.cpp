// Binding the arguments of an operation call: sorting them by parameter, and encoding them.
#include <cstring>

#include "op.h"
#include "recording.h"
#include "scalar.h"

namespace gleed {

PyTypeObject* GeneratorType = nullptr;
PyObject* DefaultGenerator = nullptr;

namespace {

enum NumberKind : uint64_t { kNone, kBool, kInt, kFloat, kTensor };

bool is_sequence(PyObject* o) { return PyTuple_Check(o) || PyList_Check(o); }

// `rule` completes "argument 'x' …"; null as `value` stands for an argument that was not given.
Fit mismatch_at(const Parameter& parameter, PyObject* value, const char* rule, Mismatch& mismatch) {
  mismatch = std::string("argument '") + PyUnicode_AsUTF8(parameter.name) + "' " + rule;
  if (value) mismatch += std::string("; got ") + Py_TYPE(value)->tp_name;
  return Fit::kNo;
}

// ---- sorting

bool same_name(PyObject* a, PyObject* b) { return b && (a == b || PyUnicode_Compare(a, b) == 0); }

int parameter_named(const Overload& overload, PyObject* name) {
  const int count = static_cast<int>(overload.parameters.size());
  for (int i = 0; i < count; ++i) {
    if (overload.parameters[i].name == name) return i;
  }
  for (int i = 0; i < count; ++i) {
    const Parameter& p = overload.parameters[i];
    if (same_name(name, p.name) || same_name(name, p.alias) || same_name(name, p.second_alias)) {
      return i;
    }
  }
  return -1;
}

Fit sort_keywords(const Overload& overload, PyObject* const* values, PyObject* names,
                  Arguments& sorted, Mismatch& mismatch) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); ++i) {
    PyObject* name = PyTuple_GET_ITEM(names, i);
    const int at = parameter_named(overload, name);
    const char* text = PyUnicode_AsUTF8(name);
    if (!text) return Fit::kError;
    if (at < 0) {
      mismatch = std::string("there is no argument '") + text + "'";
      return Fit::kNo;
    }
    if (sorted.values[at] || sorted.variadic == at) {
      mismatch = std::string("argument '") + text + "' is given twice";
      return Fit::kNo;
    }
    sorted.values[at] = values[i];
  }
  return Fit::kYes;
}

// A variadic parameter takes one sequence, or all remaining positional arguments as its items.
void sort_variadic(PyObject* const* args, Py_ssize_t nargs, int at, Arguments& sorted) {
  if (nargs - at == 1 && is_sequence(args[at])) {
    sorted.values[at] = args[at];
    return;
  }
  sorted.variadic = at;
  sorted.items = args + at;
  sorted.item_count = nargs - at;
}

// ---- encoding

// Reads an integer that may be a Python int, a NumPy integer or a tensor of one integer.
Fit read_int(PyObject* o, int64_t& out) {
  PyObject* index = nullptr;
  if (PyLong_CheckExact(o)) {
    index = Py_NewRef(o);
  } else if (is_tensor(o)) {
    Tensor* t = as_tensor(o);
    if (t->traced || t->layout.numel != 1 || !integral(t->dtype)) return Fit::kNo;
    if (!readable(t, "an integer argument")) return Fit::kError;
    index = load_element(t->data(), t->dtype);
  } else if (is_followed(o)) {
    index = present_number(o);
    if (index && !PyLong_Check(index)) Py_CLEAR(index);
    if (!index && !PyErr_Occurred()) return Fit::kNo;
  } else if (PyIndex_Check(o) && !PyBool_Check(o)) {
    index = PyNumber_Index(o);
    if (!index && PyErr_ExceptionMatches(PyExc_TypeError)) {
      PyErr_Clear();
      return Fit::kNo;
    }
  } else {
    return Fit::kNo;
  }
  if (!index) return Fit::kError;
  int overflow = 0;
  out = PyLong_AsLongLongAndOverflow(index, &overflow);
  if (overflow) raise("OverflowError", "integer argument: it must fit 64 bits; got %R", index);
  Py_DECREF(index);
  return overflow ? Fit::kError : Fit::kYes;
}

void push_float(double number, Frame& frame) {
  uint64_t bits;
  std::memcpy(&bits, &number, sizeof bits);
  frame.words.push(kFloat);
  frame.scalars.push(bits);
}

Fit push_python_int(PyObject* o, Frame& frame) {
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(o, &overflow);
  if (overflow) {
    raise("OverflowError", "number argument: an integer must fit 64 bits; got %R", o);
    return Fit::kError;
  }
  frame.words.push(kInt);
  frame.scalars.push(static_cast<uint64_t>(number));
  return Fit::kYes;
}

Fit push_number(PyObject* o, Frame& frame) {
  if (PyFloat_Check(o)) {
    push_float(PyFloat_AS_DOUBLE(o), frame);
    return Fit::kYes;
  }
  if (PyBool_Check(o)) {
    frame.words.push(kBool);
    frame.scalars.push(o == Py_True);
    return Fit::kYes;
  }
  if (PyLong_Check(o)) return push_python_int(o, frame);
  PyObject* number = nullptr;
  if (is_tensor(o)) {
    Tensor* t = as_tensor(o);
    if (t->traced || t->layout.numel != 1) return Fit::kNo;
    if (!readable(t, "a number argument")) return Fit::kError;
    number = load_element(t->data(), t->dtype);
  } else if (is_followed(o)) {
    number = present_number(o);
  } else if (!is_number(o) || PyComplex_Check(o)) {
    return Fit::kNo;
  } else if (derives_from(Py_TYPE(o), "numpy.bool") || derives_from(Py_TYPE(o), "numpy.bool_")) {
    number = PyBool_FromLong(PyObject_IsTrue(o));
  } else if (PyIndex_Check(o)) {
    number = PyNumber_Index(o);
  } else {
    number = PyNumber_Float(o);
  }
  if (!number) return Fit::kError;
  const Fit fit = PyComplex_Check(number) ? Fit::kNo : push_number(number, frame);
  Py_DECREF(number);
  return fit;
}

void push_tensor(PyObject* o, Frame& frame) {
  Tensor* t = as_tensor(o);
  frame.tensors.push(t);
  frame.traced |= t->traced;
  frame.tracked |= t->grad_meta != nullptr;
}

Fit encode_tensors(const Parameter& parameter, PyObject* const* items, Py_ssize_t count,
                   Frame& frame, Mismatch& mismatch) {
  frame.words.push(static_cast<uint64_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!is_tensor(items[i])) {
      return mismatch_at(parameter, items[i], "must hold Tensors only", mismatch);
    }
    push_tensor(items[i], frame);
  }
  return Fit::kYes;
}

Fit encode_ints(const Parameter& parameter, PyObject* const* items, Py_ssize_t count, Frame& frame,
                Mismatch& mismatch) {
  frame.words.push(static_cast<uint64_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    int64_t number;
    const Fit fit = read_int(items[i], number);
    if (fit == Fit::kNo) {
      return mismatch_at(parameter, items[i], "must hold integers only", mismatch);
    }
    if (fit == Fit::kError) return fit;
    frame.ints.push(number);
  }
  return Fit::kYes;
}

// The items of a sequence, or of `one` object alone. A copy of a list, since reading its items may
// run Python code; new reference.
PyObject* items_of(PyObject* value, bool one) {
  if (PyTuple_Check(value)) return Py_NewRef(value);
  if (PyList_Check(value)) return PyList_AsTuple(value);
  return one ? PyTuple_Pack(1, value) : nullptr;
}

template <class Encode>
Fit encode_items(const Parameter& parameter, PyObject* value, bool one, const char* rule,
                 Frame& frame, Mismatch& mismatch, Encode encode) {
  PyObject* items = items_of(value, one);
  if (!items) {
    return PyErr_Occurred() ? Fit::kError : mismatch_at(parameter, value, rule, mismatch);
  }
  frame.held.push(items);
  return encode(&PyTuple_GET_ITEM(items, 0), PyTuple_GET_SIZE(items));
}

Fit encode_number(const Parameter& parameter, PyObject* value, const char* rule, Frame& frame,
                  Mismatch& mismatch) {
  const Fit fit = push_number(value, frame);
  return fit == Fit::kNo ? mismatch_at(parameter, value, rule, mismatch) : fit;
}

Fit encode_int(const Parameter& parameter, PyObject* value, Frame& frame, Mismatch& mismatch) {
  int64_t number = 0;
  const Fit fit = read_int(value, number);
  if (fit == Fit::kNo) return mismatch_at(parameter, value, "must be an integer", mismatch);
  frame.ints.push(number);
  return fit;
}

Fit encode(const Parameter& parameter, PyObject* value, Frame& frame, Mismatch& mismatch) {
  switch (parameter.kind) {
    case Kind::kOptionalTensor:
      if (value == Py_None || is_tensor(value)) frame.words.push(value != Py_None);
      if (value == Py_None) return Fit::kYes;
      [[fallthrough]];
    case Kind::kTensor:
      if (!is_tensor(value)) return mismatch_at(parameter, value, "must be a Tensor", mismatch);
      push_tensor(value, frame);
      return Fit::kYes;
    case Kind::kOptionalOperand:
      if (value == Py_None) {
        frame.words.push(kNone);
        return Fit::kYes;
      }
      [[fallthrough]];
    case Kind::kOperand:
      if (is_tensor(value)) {
        frame.words.push(kTensor);
        push_tensor(value, frame);
        return Fit::kYes;
      }
      return encode_number(parameter, value, "must be a Tensor or a number", frame, mismatch);
    case Kind::kTensors:
      return encode_items(parameter, value, false, "must be a sequence of Tensors", frame, mismatch,
                          [&](PyObject* const* items, Py_ssize_t count) {
                            return encode_tensors(parameter, items, count, frame, mismatch);
                          });
    case Kind::kOptionalScalar:
      if (value == Py_None) {
        frame.words.push(kNone);
        return Fit::kYes;
      }
      [[fallthrough]];
    case Kind::kScalar:
      return encode_number(parameter, value, "must be a number", frame, mismatch);
    case Kind::kOptionalInt:
      frame.words.push(value != Py_None);
      if (value == Py_None) return Fit::kYes;
      [[fallthrough]];
    case Kind::kInt:
      return encode_int(parameter, value, frame, mismatch);
    case Kind::kOptionalInts:
      frame.words.push(value != Py_None);
      if (value == Py_None) return Fit::kYes;
      [[fallthrough]];
    case Kind::kInts:
      return encode_items(parameter, value, PyIndex_Check(value), "must be integers", frame,
                          mismatch, [&](PyObject* const* items, Py_ssize_t count) {
                            return encode_ints(parameter, items, count, frame, mismatch);
                          });
    case Kind::kGenerator:
      if (value != Py_None && (!GeneratorType || !PyObject_TypeCheck(value, GeneratorType))) {
        return mismatch_at(parameter, value, "must be a Generator or None", mismatch);
      }
      if (value == DefaultGenerator) value = Py_None;  // one name for it
      frame.scalars.push(value == Py_None ? 0 : reinterpret_cast<uint64_t>(value));
      return Fit::kYes;
    default:
      if (is_tensor(value)) {
        return mismatch_at(parameter, value, "must be known without computing", mismatch);
      }
      return encode_static(value, frame.words) ? Fit::kYes : Fit::kError;
  }
}

void push_presets(const Parameter& parameter, Frame& frame) {
  for (uint64_t word : parameter.preset_words) frame.words.push(word);
  for (uint64_t bits : parameter.preset_scalars) frame.scalars.push(bits);
  for (int64_t number : parameter.preset_ints) frame.ints.push(number);
}

Fit encode_variadic(const Parameter& parameter, const Arguments& sorted, Frame& frame,
                    Mismatch& mismatch) {
  switch (parameter.kind) {
    case Kind::kTensors:
      return encode_tensors(parameter, sorted.items, sorted.item_count, frame, mismatch);
    case Kind::kOptionalInts:
      frame.words.push(true);
      [[fallthrough]];
    case Kind::kInts:
      return encode_ints(parameter, sorted.items, sorted.item_count, frame, mismatch);
    default: {
      PyObject* items = PyTuple_New(sorted.item_count);
      if (!items) return Fit::kError;
      for (Py_ssize_t i = 0; i < sorted.item_count; ++i) {
        PyTuple_SET_ITEM(items, i, Py_NewRef(sorted.items[i]));
      }
      const Fit fit = encode_static(items, frame.words) ? Fit::kYes : Fit::kError;
      Py_DECREF(items);
      return fit;
    }
  }
}

}  // namespace

Fit sort_arguments(const Overload& overload, PyObject* const* args, Py_ssize_t nargs,
                   PyObject* kwnames, Arguments& sorted, Mismatch& mismatch) {
  const int count = static_cast<int>(overload.parameters.size());
  const int positional = overload.positional;
  sorted.variadic = -1;
  const Py_ssize_t given = nargs < positional ? nargs : positional;
  for (Py_ssize_t i = 0; i < given; ++i) {
    if (overload.parameters[i].variadic) {
      sort_variadic(args, nargs, static_cast<int>(i), sorted);
      if (sorted.variadic == i) sorted.values[i] = nullptr;
      for (int rest = static_cast<int>(i) + 1; rest < count; ++rest) sorted.values[rest] = nullptr;
      return kwnames ? sort_keywords(overload, args + nargs, kwnames, sorted, mismatch) : Fit::kYes;
    }
    sorted.values[i] = args[i];
  }
  for (Py_ssize_t i = given; i < count; ++i) sorted.values[i] = nullptr;
  if (nargs > positional) {
    mismatch = "it takes " + std::to_string(positional) + " positional arguments; got " +
               std::to_string(nargs);
    return Fit::kNo;
  }
  return kwnames ? sort_keywords(overload, args + nargs, kwnames, sorted, mismatch) : Fit::kYes;
}

Fit encode_arguments(const Overload& overload, const Arguments& sorted, Frame& frame,
                     Mismatch& mismatch) {
  frame.words.push(0);
  const int count = static_cast<int>(overload.parameters.size());
  for (int i = 0; i < count; ++i) {
    const Parameter& parameter = overload.parameters[i];
    PyObject* value = sorted.values[i];
    if (parameter.out) continue;
    if (value) {
      const Fit fit = encode(parameter, value, frame, mismatch);
      if (fit != Fit::kYes) return fit;
    } else if (sorted.variadic == i) {
      const Fit fit = encode_variadic(parameter, sorted, frame, mismatch);
      if (fit != Fit::kYes) return fit;
    } else if (parameter.default_value) {
      push_presets(parameter, frame);
    } else {
      return mismatch_at(parameter, nullptr, "is missing", mismatch);
    }
  }
  return Fit::kYes;
}

PyObject* list_of(const Overload& overload, const Arguments& sorted) {
  const int count = static_cast<int>(overload.parameters.size());
  PyObject* list = PyList_New(count);
  for (int i = 0; list && i < count; ++i) {
    PyObject* value = i == overload.out ? Py_None : sorted.values[i];
    if (i == sorted.variadic) {
      value = PyTuple_New(sorted.item_count);
      for (Py_ssize_t k = 0; value && k < sorted.item_count; ++k) {
        PyTuple_SET_ITEM(value, k, Py_NewRef(sorted.items[k]));
      }
    } else {
      Py_XINCREF(value ? value : value = overload.parameters[i].default_value);
    }
    if (!value) {
      Py_DECREF(list);
      return nullptr;
    }
    PyList_SET_ITEM(list, i, value);
  }
  return list;
}

bool encode_default(const char* op, Parameter& parameter) {
  if (!parameter.default_value || parameter.out) return true;
  Frame frame;
  Mismatch mismatch;
  const Fit fit = encode(parameter, parameter.default_value, frame, mismatch);
  if (fit == Fit::kNo || frame.tensors.size() > 0) {
    raise("TypeError", "Op: the default of '%U' of %s does not fit its kind", parameter.name, op);
  }
  if (PyErr_Occurred()) return false;
  parameter.preset_words.assign(frame.words.begin(), frame.words.end());
  parameter.preset_scalars.assign(frame.scalars.begin(), frame.scalars.end());
  parameter.preset_ints.assign(frame.ints.begin(), frame.ints.end());
  return true;
}

}  // namespace gleed
