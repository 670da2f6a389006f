#include "operators.h"

#include <cstring>

#include "tensor_type.h"

namespace gleed {

static PyObject* callables[static_cast<int>(Slot::kCount)];

static constexpr const char* kNames[] = {
    "add",
    "sub",
    "mul",
    "div",
    "floor_divide",
    "remainder",
    "pow",
    "matmul",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "lt",
    "le",
    "eq",
    "ne",
    "gt",
    "ge",
    "add_",
    "sub_",
    "mul_",
    "div_",
    "floor_divide_",
    "remainder_",
    "pow_",
    "bitwise_and_",
    "bitwise_or_",
    "bitwise_xor_",
    "bitwise_left_shift_",
    "bitwise_right_shift_",
    "neg",
    "positive",
    "abs",
    "bitwise_not",
    "basic_index",
    "advanced_index",
    "setitem",
    "construct",
};
static_assert(std::size(kNames) == static_cast<size_t>(Slot::kCount));

PyObject* registered(Slot slot) {
  PyObject* callable = callables[static_cast<int>(slot)];
  if (callable) [[likely]]
    return callable;
  return raise("RuntimeError",
               "%s: no operation is registered; gleed is half imported; import gleed",
               kNames[static_cast<int>(slot)]);
}

bool register_slot(const char* name, PyObject* callable) {
  for (int i = 0; i < static_cast<int>(Slot::kCount); ++i) {
    if (std::strcmp(kNames[i], name) != 0) continue;
    PyObject* old = callables[i];
    callables[i] = Py_NewRef(callable);
    Py_XDECREF(old);
    return true;
  }
  raise("ValueError", "register_slot: no slot is called '%s'", name);
  return false;
}

namespace {

// What takes part in arithmetic with a tensor: tensors, numbers, and NumPy arrays as tensors. New
// reference; null without an exception for anything else.
PyObject* operand(PyObject* o) {
  if (is_tensor(o) || is_number(o)) return Py_NewRef(o);
  if (derives_from(Py_TYPE(o), "numpy.ndarray")) return from_numpy(o);
  return nullptr;
}

inline bool is_traced(PyObject* o) { return is_tensor(o) && as_tensor(o)->traced; }

template <Slot slot>
PyObject* binary(PyObject* a, PyObject* b) {
  PyObject* op = registered(slot);
  if (!op) return nullptr;
  const bool plain = (is_tensor(a) || PyFloat_CheckExact(a) || PyLong_CheckExact(a)) &&
                     (is_tensor(b) || PyFloat_CheckExact(b) || PyLong_CheckExact(b));
  // The tracer has operands of its own, such as sizes.
  if (plain || is_traced(a) || is_traced(b)) {
    PyObject* args[] = {nullptr, a, b};
    return PyObject_Vectorcall(op, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
  }
  PyObject* left = operand(a);
  PyObject* right = left ? operand(b) : nullptr;
  PyObject* result = nullptr;
  if (left && right) {
    PyObject* args[] = {nullptr, left, right};
    result = PyObject_Vectorcall(op, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
  } else if (!PyErr_Occurred()) {
    result = Py_NewRef(Py_NotImplemented);
  }
  Py_XDECREF(left);
  Py_XDECREF(right);
  return result;
}

template <Slot slot>
PyObject* unary(PyObject* a) {
  PyObject* op = registered(slot);
  if (!op) return nullptr;
  PyObject* args[] = {nullptr, a};
  return PyObject_Vectorcall(op, args + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
}

template <Slot slot>
PyObject* power(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
  return binary<slot>(a, b);
}

PyObject* compare(PyObject* a, PyObject* b, int operation) {
  switch (operation) {
    case Py_LT:
      return binary<Slot::kLt>(a, b);
    case Py_LE:
      return binary<Slot::kLe>(a, b);
    case Py_EQ:
      return binary<Slot::kEq>(a, b);
    case Py_NE:
      return binary<Slot::kNe>(a, b);
    case Py_GT:
      return binary<Slot::kGt>(a, b);
    default:
      return binary<Slot::kGe>(a, b);
  }
}

template <class F>
constexpr void* slot_function(F* f) {
  return reinterpret_cast<void*>(f);
}

}  // namespace

const PyType_Slot kOperatorSlots[] = {
    {Py_tp_richcompare, slot_function(compare)},
    {Py_nb_add, slot_function(binary<Slot::kAdd>)},
    {Py_nb_subtract, slot_function(binary<Slot::kSub>)},
    {Py_nb_multiply, slot_function(binary<Slot::kMul>)},
    {Py_nb_true_divide, slot_function(binary<Slot::kDiv>)},
    {Py_nb_floor_divide, slot_function(binary<Slot::kFloorDivide>)},
    {Py_nb_remainder, slot_function(binary<Slot::kRemainder>)},
    {Py_nb_power, slot_function(power<Slot::kPow>)},
    {Py_nb_matrix_multiply, slot_function(binary<Slot::kMatmul>)},
    {Py_nb_and, slot_function(binary<Slot::kBitwiseAnd>)},
    {Py_nb_or, slot_function(binary<Slot::kBitwiseOr>)},
    {Py_nb_xor, slot_function(binary<Slot::kBitwiseXor>)},
    {Py_nb_lshift, slot_function(binary<Slot::kLeftShift>)},
    {Py_nb_rshift, slot_function(binary<Slot::kRightShift>)},
    {Py_nb_inplace_add, slot_function(binary<Slot::kAddInplace>)},
    {Py_nb_inplace_subtract, slot_function(binary<Slot::kSubInplace>)},
    {Py_nb_inplace_multiply, slot_function(binary<Slot::kMulInplace>)},
    {Py_nb_inplace_true_divide, slot_function(binary<Slot::kDivInplace>)},
    {Py_nb_inplace_floor_divide, slot_function(binary<Slot::kFloorDivideInplace>)},
    {Py_nb_inplace_remainder, slot_function(binary<Slot::kRemainderInplace>)},
    {Py_nb_inplace_power, slot_function(power<Slot::kPowInplace>)},
    {Py_nb_inplace_and, slot_function(binary<Slot::kBitwiseAndInplace>)},
    {Py_nb_inplace_or, slot_function(binary<Slot::kBitwiseOrInplace>)},
    {Py_nb_inplace_xor, slot_function(binary<Slot::kBitwiseXorInplace>)},
    {Py_nb_inplace_lshift, slot_function(binary<Slot::kLeftShiftInplace>)},
    {Py_nb_inplace_rshift, slot_function(binary<Slot::kRightShiftInplace>)},
    {Py_nb_negative, slot_function(unary<Slot::kNeg>)},
    {Py_nb_positive, slot_function(unary<Slot::kPositive>)},
    {Py_nb_absolute, slot_function(unary<Slot::kAbs>)},
    {Py_nb_invert, slot_function(unary<Slot::kBitwiseNot>)},
    {0, nullptr}};

}  // namespace gleed
