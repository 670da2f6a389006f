// Operations that the core itself calls: behind Python's operators and behind indexing. Python
// registers them by name at import (`_C.register_slot("add", op)`).
#pragma once

#include "tensor.h"

namespace gleed {

enum class Slot {
  // Called with (a, b), as written by the user; either may be a number.
  kAdd,
  kSub,
  kMul,
  kDiv,
  kFloorDivide,
  kRemainder,
  kPow,
  kMatmul,
  kBitwiseAnd,
  kBitwiseOr,
  kBitwiseXor,
  kLeftShift,
  kRightShift,
  kLt,
  kLe,
  kEq,
  kNe,
  kGt,
  kGe,
  // Called with (tensor, b).
  kAddInplace,
  kSubInplace,
  kMulInplace,
  kDivInplace,
  kFloorDivideInplace,
  kRemainderInplace,
  kPowInplace,
  kBitwiseAndInplace,
  kBitwiseOrInplace,
  kBitwiseXorInplace,
  kLeftShiftInplace,
  kRightShiftInplace,
  // Called with (tensor).
  kNeg,
  kPositive,
  kAbs,
  kBitwiseNot,
  // Indexing; indexing.cpp documents the arguments.
  kBasicIndex,
  kAdvancedIndex,
  kSetItem,
  // Tensor(...): called with (cls, *args, **kwargs).
  kConstruct,
  kCount,
};

// Borrowed; null with an exception set where nothing is registered.
PyObject* registered(Slot slot);
bool register_slot(const char* name, PyObject* callable);

// The slots of the Tensor type, ended by a zero entry.
extern const PyType_Slot kOperatorSlots[];

}  // namespace gleed
