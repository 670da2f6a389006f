#include "scalar.h"

#include <cmath>
#include <cstring>

namespace gleed {
namespace {

template <class T>
T read(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

template <class T>
void write(char* p, T value) {
  std::memcpy(p, &value, sizeof value);
}

// A number wide enough for every dtype: integers keep their 64 bits, the rest is complex double.
struct Wide {
  bool whole;
  int64_t integer;
  double real, imaginary;
};

Wide read_wide(const char* p, DType dtype) {
  const auto integer = [](int64_t n) { return Wide{true, n, static_cast<double>(n), 0}; };
  const auto number = [](double re, double im = 0) { return Wide{false, 0, re, im}; };
  switch (dtype) {
    case DType::kFloat32:
      return number(read<float>(p));
    case DType::kFloat64:
      return number(read<double>(p));
    case DType::kFloat16:
      return number(half_to_float(read<uint16_t>(p)));
    case DType::kBFloat16:
      return number(bfloat16_to_float(read<uint16_t>(p)));
    case DType::kInt8:
      return integer(read<int8_t>(p));
    case DType::kInt16:
      return integer(read<int16_t>(p));
    case DType::kInt32:
      return integer(read<int32_t>(p));
    case DType::kInt64:
      return integer(read<int64_t>(p));
    case DType::kUInt8:
      return integer(read<uint8_t>(p));
    case DType::kBool:
      return integer(*p != 0);
    case DType::kComplex64:
      return number(read<float>(p), read<float>(p + 4));
    case DType::kComplex128:
      return number(read<double>(p), read<double>(p + 8));
  }
  Py_UNREACHABLE();
}

// Towards zero. The number is known to fit.
int64_t truncate(const Wide& w) { return w.whole ? w.integer : static_cast<int64_t>(w.real); }

void write_wide(char* p, DType dtype, const Wide& w) {
  switch (dtype) {
    case DType::kFloat32:
      return write(p, static_cast<float>(w.real));
    case DType::kFloat64:
      return write(p, w.real);
    case DType::kFloat16:
      return write(p, float_to_half(static_cast<float>(w.real)));
    case DType::kBFloat16:
      return write(p, float_to_bfloat16(static_cast<float>(w.real)));
    case DType::kInt8:
      return write(p, static_cast<int8_t>(truncate(w)));
    case DType::kInt16:
      return write(p, static_cast<int16_t>(truncate(w)));
    case DType::kInt32:
      return write(p, static_cast<int32_t>(truncate(w)));
    case DType::kInt64:
      return write(p, truncate(w));
    case DType::kUInt8:
      return write(p, static_cast<uint8_t>(truncate(w)));
    case DType::kBool:
      return write(p, w.whole ? w.integer != 0 : w.real != 0 || w.imaginary != 0);
    case DType::kComplex64:
      write(p, static_cast<float>(w.real));
      return write(p + 4, static_cast<float>(w.imaginary));
    case DType::kComplex128:
      write(p, w.real);
      return write(p + 8, w.imaginary);
  }
}

// A Python number as a Wide. NumPy scalars and tensors answer to the protocols of numbers.
bool wide_from_object(PyObject* value, Wide* out, const char* op) {
  *out = Wide{false, 0, 0, 0};
  if (PyFloat_Check(value)) {
    out->real = PyFloat_AS_DOUBLE(value);
    return true;
  }
  if (PyLong_Check(value)) {
    int overflow;
    out->whole = true;
    out->integer = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow) {
      out->real = static_cast<double>(out->integer);
      return !PyErr_Occurred();
    }
    // Too large for an integer dtype, fine for a floating one.
    out->whole = false;
    out->real = PyLong_AsDouble(value);
    return !PyErr_Occurred();
  }
  if (PyComplex_Check(value) || derives_from(Py_TYPE(value), "numpy.complexfloating") ||
      (is_tensor(value) && info(as_tensor(value)->dtype).complex)) {
    const Py_complex c = PyComplex_AsCComplex(value);
    *out = Wide{false, 0, c.real, c.imag};
    return !PyErr_Occurred();
  }
  const PyNumberMethods* numbers = Py_TYPE(value)->tp_as_number;
  const bool floating = numbers && numbers->nb_float &&
                        !(is_tensor(value) && !info(as_tensor(value)->dtype).floating) &&
                        !derives_from(Py_TYPE(value), "numpy.integer");
  if (floating) {
    PyObject* number = PyNumber_Float(value);
    if (number) out->real = PyFloat_AS_DOUBLE(number);
    Py_XDECREF(number);
    return number != nullptr;
  }
  if (numbers && (numbers->nb_index || numbers->nb_int)) {
    PyObject* number = PyNumber_Long(value);
    const bool ok = number && wide_from_object(number, out, op);
    Py_XDECREF(number);
    return ok;
  }
  raise("ArgumentError", "%s: takes numbers; a %s came; convert it to a number first", op,
        Py_TYPE(value)->tp_name);
  return false;
}

bool in_range(const Wide& w, DType dtype) {
  // As in PyTorch a negative number wraps around in uint8 down to -255.
  const double low = dtype == DType::kUInt8 ? -255.0 : -std::ldexp(1.0, 8 * itemsize(dtype) - 1);
  const double high = dtype == DType::kUInt8 ? 256.0 : -low;
  if (dtype == DType::kInt64) return w.whole || (w.real >= low && w.real < high);
  const double value = std::trunc(w.whole ? static_cast<double>(w.integer) : w.real);
  return value >= low && value < high;
}

}  // namespace

PyObject* load_element(const char* p, DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return PyFloat_FromDouble(read<float>(p));
    case DType::kFloat64:
      return PyFloat_FromDouble(read<double>(p));
    case DType::kInt64:
      return PyLong_FromLongLong(read<int64_t>(p));
    case DType::kBool:
      return PyBool_FromLong(*p != 0);
    default:
      break;
  }
  const Wide w = read_wide(p, dtype);
  if (info(dtype).complex) return PyComplex_FromDoubles(w.real, w.imaginary);
  return w.whole ? PyLong_FromLongLong(w.integer) : PyFloat_FromDouble(w.real);
}

bool store_element(char* p, DType dtype, PyObject* value, const char* op) {
  Wide w;
  if (!wide_from_object(value, &w, op)) return false;
  if (!w.whole && w.imaginary != 0 && !info(dtype).complex && dtype != DType::kBool) {
    raise("DTypeError", "%s: a complex number has no place in %s; %R came; use a complex dtype", op,
          info(dtype).name, value);
    return false;
  }
  if (integral(dtype) && !in_range(w, dtype)) {
    raise("RangeError", "%s: a number does not fit in %s; %R came; use a wider dtype", op,
          info(dtype).name, value);
    return false;
  }
  write_wide(p, dtype, w);
  return true;
}

}  // namespace gleed
