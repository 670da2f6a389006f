// Reading plans from Python, and evaluating their dims and guards.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <array>
#include <string>

#include "steps.h"
#include "tape.h"

namespace nb = nanobind;

namespace gleed {

PyTypeObject* PlanType = nullptr;

namespace {

[[noreturn]] void reject(const std::string& what) {
  throw nb::value_error(("Plan: " + what).c_str());
}

nb::tuple tuple_of(nb::handle o, const char* what) {
  if (!nb::isinstance<nb::tuple>(o)) reject(std::string(what) + " must be a tuple");
  return nb::borrow<nb::tuple>(o);
}

std::string text_of(nb::handle o) {
  if (!nb::isinstance<nb::str>(o)) reject("a name must be a string");
  return nb::cast<std::string>(o);
}

template <size_t N>
int position(const std::string& name, const std::array<const char*, N>& names, const char* what) {
  for (size_t i = 0; i < N; ++i) {
    if (name == names[i]) return static_cast<int>(i);
  }
  reject("unknown " + std::string(what) + " '" + name + "'");
}

DType dtype_of(nb::handle o) {
  DType dtype;
  if (!read_dtype(o.ptr(), &dtype)) throw nb::python_error();
  return dtype;
}

// Reads the parts of a plan in order, checking every number against what came before.
class Reader {
 public:
  explicit Reader(Plan& plan) : plan_(plan) {}

  void inputs(nb::handle o) {
    for (nb::handle entry : tuple_of(o, "inputs")) {
      nb::tuple pair = sized(entry, 2, "an input");
      const int ndim = number(pair[1], 0, kMaxDims + 1, "a rank");
      plan_.inputs.push_back({dtype_of(pair[0]), ndim});
    }
    plan_.values.resize(plan_.inputs.size());
    defined_.assign(plan_.inputs.size(), true);
  }

  void dims(nb::handle o) {
    static constexpr std::array<const char*, 11> kOps = {
        "const", "size", "stride", "int", "add", "sub", "mul", "floordiv", "mod", "min", "max"};
    for (nb::handle entry : tuple_of(o, "dims")) {
      nb::tuple parts = tuple_of(entry, "a dim");
      if (parts.size() < 2) reject("a dim is too short");
      DimExpression dim{static_cast<DimExpression::Op>(position(text_of(parts[0]), kOps, "dim"))};
      const int known = static_cast<int>(plan_.dims.size());
      if (dim.op == DimExpression::Op::kConst) {
        dim.a = nb::cast<int64_t>(parts[1]);
      } else if (dim.op == DimExpression::Op::kInt) {
        dim.a = number(parts[1], 0, INT32_MAX, "an integer argument");
      } else if (dim.op == DimExpression::Op::kSize || dim.op == DimExpression::Op::kStride) {
        sized(entry, 3, "a size");
        dim.a = number(parts[1], 0, plan_.inputs.size(), "an input");
        dim.b = number(parts[2], 0, plan_.inputs[dim.a].ndim, "an axis");
      } else {
        sized(entry, 3, "a dim");
        dim.a = number(parts[1], 0, known, "a dim");
        dim.b = number(parts[2], 0, known, "a dim");
      }
      plan_.dims.push_back(dim);
    }
  }

  void guards(nb::handle o) {
    static constexpr std::array<const char*, 4> kRelations = {"eq", "ne", "lt", "le"};
    for (nb::handle entry : tuple_of(o, "guards")) {
      nb::tuple parts = sized(entry, 3, "a guard");
      const int relation = position(text_of(parts[0]), kRelations, "relation");
      plan_.guards.push_back(
          {static_cast<Guard::Relation>(relation), dim(parts[1]), dim(parts[2])});
    }
  }

  void values(nb::handle o) {
    for (nb::handle entry : tuple_of(o, "values")) {
      nb::tuple pair = sized(entry, 2, "a value");
      ValueType value{dtype_of(pair[0]), dim_list(pair[1], false)};
      if (value.dims.size() > kMaxDims) reject("a value has too many dimensions");
      plan_.values.push_back(std::move(value));
      defined_.push_back(false);
    }
  }

  void steps(nb::handle o) {
    static constexpr std::array<const char*, 9> kSteps = {
        "alloc", "view", "reshape", "compact", "kernel", "library", "loop", "branch", "while"};
    for (nb::handle entry : tuple_of(o, "steps")) {
      nb::tuple parts = tuple_of(entry, "a step");
      if (parts.size() == 0) reject("a step is empty");
      switch (position(text_of(parts[0]), kSteps, "step")) {
        case 0:
          alloc_step(sized(entry, 3, "alloc"));
          break;
        case 1:
          view_step(sized(entry, 5, "view"));
          break;
        case 2:
          compact_step(sized(entry, 4, "reshape"), false);
          break;
        case 3:
          compact_step(sized(entry, 4, "compact"), true);
          break;
        case 4:
          steps_->push_back(kernel_step(parts.size() == 7 ? parts : sized(entry, 6, "kernel")));
          break;
        case 5:
          library_step(tuple_of(entry, "library"));
          break;
        case 6:
          loop_step(sized(entry, 4, "loop"));
          break;
        case 7:
          choice_step(sized(entry, 4, "branch"), false);
          break;
        default:
          choice_step(sized(entry, 4, "while"), true);
      }
    }
  }

  void results(nb::handle outputs, nb::handle residuals, nb::handle writes, nb::handle grad) {
    plan_.outputs = value_list(outputs, "outputs");
    plan_.residuals = value_list(residuals, "residuals");
    plan_.writes = value_list(writes, "writes");
    for (int input : plan_.writes) {
      if (input >= static_cast<int>(plan_.inputs.size())) reject("only inputs can be written");
    }
    if (grad.is_none()) return;
    if (!PyObject_TypeCheck(grad.ptr(), GradRecordType)) reject("grad must be a GradRecord");
    plan_.grad = reinterpret_cast<GradRecord*>(own(grad));
  }

 private:
  nb::tuple sized(nb::handle o, size_t size, const char* what) {
    nb::tuple tuple = tuple_of(o, what);
    if (tuple.size() != size) {
      reject(std::string(what) + " has " + std::to_string(size) + " parts; got " +
             std::to_string(tuple.size()));
    }
    return tuple;
  }

  int number(nb::handle o, int64_t low, int64_t high, const char* what) {
    const int64_t value = nb::cast<int64_t>(o);
    if (value < low || value >= high) {
      reject(std::string(what) + " is out of range: " + std::to_string(value));
    }
    return static_cast<int>(value);
  }

  int dim(nb::handle o) { return number(o, 0, plan_.dims.size(), "a dim"); }

  std::vector<int> dim_list(nb::handle o, bool optional) {
    std::vector<int> list;
    for (nb::handle item : tuple_of(o, "dims")) {
      list.push_back(number(item, optional ? -1 : 0, plan_.dims.size(), "a dim"));
    }
    return list;
  }

  int value(nb::handle o) {
    const int v = number(o, 0, plan_.values.size(), "a value");
    if (!defined_[v]) reject("value " + std::to_string(v) + " is used before it is made");
    return v;
  }

  std::vector<int> value_list(nb::handle o, const char* what) {
    std::vector<int> list;
    for (nb::handle item : tuple_of(o, what)) list.push_back(value(item));
    return list;
  }

  int define(nb::handle o) {
    const int v = number(o, 0, plan_.values.size(), "a value");
    if (defined_[v]) reject("value " + std::to_string(v) + " is made twice");
    defined_[v] = true;
    return v;
  }

  int rank(int v) const {
    const size_t inputs = plan_.inputs.size();
    return static_cast<size_t>(v) < inputs ? plan_.inputs[v].ndim
                                           : static_cast<int>(plan_.values[v].dims.size());
  }

  PyObject* own(nb::handle o) {
    plan_.owned.push_back(o.inc_ref().ptr());
    return o.ptr();
  }

  Kernel* kernel(nb::handle o) {
    if (Py_TYPE(o.ptr()) != KernelType) reject("a kernel must be a Kernel");
    return reinterpret_cast<Kernel*>(own(o));
  }

  void alloc_step(nb::tuple parts) {
    std::vector<int> like = value_list(parts[2], "like");
    AllocStep step{define(parts[1]), std::move(like)};
    for (int like : step.like) {
      if (rank(like) > rank(step.value)) reject("alloc is like a value of higher rank");
    }
    steps_->push_back(std::move(step));
  }

  void view_step(nb::tuple parts) {
    static constexpr std::array<const char*, 7> kMovements = {
        "permute", "reshape", "expand", "slice", "diagonal", "window", "as_strided"};
    const int source = value(parts[2]);
    ViewStep step{define(parts[1]), source, {}, {}};
    step.movement = static_cast<Movement>(position(text_of(parts[3]), kMovements, "movement"));
    nb::tuple a = tuple_of(parts[4], "a movement's arguments");
    const int ndim = rank(source), out = rank(step.value);
    const auto axis = [&](size_t i) { return number(a[i], 0, ndim, "an axis"); };
    const auto expect = [&](size_t size, int rank) {
      if (a.size() != size || out != rank) reject("a movement does not fit its value");
    };
    switch (step.movement) {
      case Movement::kPermute: {
        expect(ndim, ndim);
        uint32_t seen = 0;
        for (int i = 0; i < ndim; ++i) seen |= 1u << step.arguments.emplace_back(axis(i));
        if (seen != (1u << ndim) - 1) reject("permute needs every axis once");
        break;
      }
      case Movement::kReshape:
        expect(0, out);
        break;
      case Movement::kExpand:
        expect(0, out);
        if (out < ndim) reject("expand cannot lower the rank");
        break;
      case Movement::kSlice:
        expect(4, ndim);
        step.arguments = {axis(0), dim(a[1]), number(a[2], INT32_MIN, INT32_MAX, "a step"),
                          dim(a[3])};
        break;
      case Movement::kDiagonal:
        expect(3, ndim - 1);
        step.arguments = {axis(0), axis(1), dim(a[2])};
        if (step.arguments[0] == step.arguments[1]) reject("diagonal needs two axes");
        break;
      case Movement::kWindow:
        expect(3, ndim + 1);
        step.arguments = {axis(0), dim(a[1]), dim(a[2])};
        break;
      case Movement::kAsStrided:
        expect(2, out);
        step.arguments = dim_list(a[0], false);
        if (static_cast<int>(step.arguments.size()) != out) reject("as_strided: wrong rank");
        step.arguments.push_back(number(a[1], -1, plan_.dims.size(), "a dim"));
        break;
    }
    steps_->push_back(std::move(step));
  }

  void compact_step(nb::tuple parts, bool row_major) {
    const int source = value(parts[2]);
    Kernel* copy = kernel(parts[3]);
    if (copy->inputs != 1 || copy->reduces) reject("a reshape needs an identity kernel");
    steps_->push_back(CompactStep{define(parts[1]), source, copy, row_major});
  }

  KernelStep kernel_step(nb::tuple parts) {
    KernelStep step{kernel(parts[1]), dim_list(parts[2], false), 0, {}, {}, {}};
    const int axes = static_cast<int>(step.axes.size());
    if (axes > kMaxAxes) reject("a kernel has too many axes");
    step.parallel = number(parts[3], 0, axes + 1, "a number of parallel axes");
    for (nb::handle operand : tuple_of(parts[4], "operands")) {
      step.operands.push_back(operand_entry(tuple_of(operand, "an operand"), axes));
    }
    if (step.operands.size() > kMaxOperands) reject("a kernel has too many operands");
    if (static_cast<int>(step.operands.size()) < step.kernel->inputs) {
      reject("a kernel has too few operands");
    }
    for (nb::handle param : tuple_of(parts[5], "params")) {
      step.params.push_back(param_entry(tuple_of(param, "a param")));
    }
    if (parts.size() > 6) {
      for (nb::handle guide : tuple_of(parts[6], "guides")) {
        step.guides.push_back(operand_entry(tuple_of(guide, "a guide"), axes));
      }
    }
    return step;
  }

  OperandEntry operand_entry(nb::tuple parts, int axes) {
    OperandEntry entry{OperandEntry::Kind::kStatus, -1, {}};
    const bool named = parts.size() > 0 && nb::isinstance<nb::str>(parts[0]);
    if (parts.size() == 1 && named && text_of(parts[0]) == "status") return entry;
    if (parts.size() == 3 && named && text_of(parts[0]) == "shape") {
      entry.kind = OperandEntry::Kind::kShape;
      entry.value = number(parts[1], 0, plan_.inputs.size() + plan_.values.size(), "a value");
      mapping_of(parts[2], entry);
    } else if (parts.size() == 3 && named && text_of(parts[0]) == "index") {
      entry.kind = OperandEntry::Kind::kIndex;
      entry.mapping = dim_list(parts[1], true);
      entry.value = number(parts[2], -1, plan_.dims.size(), "a dim");
    } else if (parts.size() == 2) {
      entry.kind = OperandEntry::Kind::kValue;
      entry.value = value(parts[0]);
      mapping_of(parts[1], entry);
    } else {
      reject("an operand has an unknown form");
    }
    if (static_cast<int>(entry.mapping.size()) != axes) reject("a mapping has a wrong length");
    return entry;
  }

  void mapping_of(nb::handle o, OperandEntry& entry) {
    for (nb::handle d : tuple_of(o, "a mapping")) {
      entry.mapping.push_back(number(d, -1, rank(entry.value), "a dimension"));
    }
  }

  ParamEntry param_entry(nb::tuple parts) {
    static constexpr std::array<const char*, 3> kKinds = {"scalar", "dim", "stride"};
    if (parts.size() < 2) reject("a param is too short");
    const auto kind = static_cast<ParamEntry::Kind>(position(text_of(parts[0]), kKinds, "param"));
    if (kind == ParamEntry::Kind::kScalar) {
      return {kind, number(parts[1], 0, INT32_MAX, "a scalar")};
    }
    if (kind == ParamEntry::Kind::kDim) return {kind, dim(parts[1])};
    if (parts.size() != 3) reject("a stride needs a value and an axis");
    const int v = value(parts[1]);
    return {kind, v, number(parts[2], 0, rank(v), "an axis")};
  }

  // A sixth part is what follows, a seventh what computes operands.
  void library_step(nb::tuple parts) {
    if (parts.size() < 6 || parts.size() > 7) sized(parts, 5, "library");
    const std::string name = text_of(parts[1]);
    const Routine* routine = find_routine(name);
    if (!routine) reject("unknown routine '" + name + "'");
    LibraryStep step{routine, {}, dim_list(parts[3], false), {}, {}, {}};
    nb::tuple values = tuple_of(parts[2], "values");
    const size_t count = values.size();
    const size_t known = count - std::min<size_t>(count, routine->dynamic);
    for (size_t i = 0; i < count; ++i) {
      step.values.push_back(i < known ? value(values[i]) : define(values[i]));
    }
    for (nb::handle scalar : tuple_of(parts[4], "scalars")) {
      step.scalars.push_back(number(scalar, 0, INT32_MAX, "a scalar"));
    }
    for (size_t part = 5; part < parts.size(); ++part) {
      for (nb::handle o : tuple_of(parts[part], "what is computed with it")) {
        nb::tuple pair = sized(o, 2, "what is computed with it");
        KernelStep kernel = kernel_step(sized(pair[1], 6, "kernel"));
        const int operands = part == 5 ? kernel.kernel->inputs : 2;
        (part == 5 ? step.epilogue : step.prologue)
            .emplace_back(number(pair[0], 0, operands, "an operand"), kernel);
      }
    }
    steps_->push_back(std::move(step));
  }

  void loop_step(nb::tuple parts) {
    auto loop = std::make_unique<LoopStep>();
    loop->count = dim(parts[1]);
    for (nb::handle cursor : tuple_of(parts[2], "cursors")) {
      nb::tuple entry = sized(cursor, 4, "a cursor");
      const int source = value(entry[1]);
      const int step = number(entry[3], -1, 2, "a cursor's step");
      loop->cursors.push_back({define(entry[0]), source, dim(entry[2]), step});
      if (rank(source) != rank(loop->cursors.back().value) + 1) reject("a cursor keeps its rank");
    }
    inner_steps(parts[3], loop->steps);
    steps_->push_back(std::move(loop));
  }

  void choice_step(nb::tuple parts, bool repeats) {
    auto choice = std::make_unique<ChoiceStep>(ChoiceStep{value(parts[1]), repeats, {}});
    if (plan_.dtype(choice->predicate) != DType::kBool) reject("a predicate must be a bool");
    inner_steps(parts[2], choice->steps[0]);
    inner_steps(parts[3], choice->steps[1]);
    steps_->push_back(std::move(choice));
  }

  void inner_steps(nb::handle o, std::vector<Step>& made) {
    std::vector<Step>* outer = std::exchange(steps_, &made);
    steps(o);
    steps_ = outer;
  }

  Plan& plan_;
  std::vector<Step>* steps_ = &plan_.steps;  // those being read: of the plan, or of a step
  std::vector<bool> defined_;
};

}  // namespace

bool read_dtype(PyObject* o, DType* dtype) {
  if (dtype_from_object(o, dtype)) return true;
  for (int i = 0; PyUnicode_Check(o) && i < kDTypeCount; ++i) {
    if (PyUnicode_CompareWithASCIIString(o, kDTypes[i].kernel_name) != 0) continue;
    *dtype = static_cast<DType>(i);
    return true;
  }
  raise("TypeError", "dtype: a dtype or its name in kernels is needed; got %R", o);
  return false;
}

bool parse_plan(Plan& plan, PyObject* args, PyObject* kwargs) {
  static const char* const kNames[] = {"inputs", "dims",    "guards",    "values",
                                       "steps",  "outputs", "residuals", "writes",
                                       "grad",   "program", nullptr};
  PyObject* parts[10] = {};
  parts[8] = parts[9] = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOOOO|OO:Plan", const_cast<char**>(kNames),
                                   &parts[0], &parts[1], &parts[2], &parts[3], &parts[4], &parts[5],
                                   &parts[6], &parts[7], &parts[8], &parts[9])) {
    return false;
  }
  try {
    Reader reader(plan);
    reader.inputs(parts[0]);
    reader.dims(parts[1]);
    reader.guards(parts[2]);
    reader.values(parts[3]);
    reader.steps(parts[4]);
    reader.results(parts[5], parts[6], parts[7], parts[8]);
    if (parts[9] != Py_None) plan.owned.push_back(plan.program = Py_NewRef(parts[9]));
    return true;
  } catch (nb::python_error& e) {
    e.restore();
  } catch (const nb::cast_error&) {
    raise("TypeError", "Plan: a number is no integer, or does not fit 64 bits");
  } catch (const std::exception& e) {
    raise("ValueError", "%s", e.what());
  }
  return false;
}

void destroy_plan(Plan& plan) {
  for (PyObject* o : plan.owned) Py_DECREF(o);
}

bool evaluate_dims(const Plan& plan, const Call& call, std::vector<int64_t>& cells) {
  using Op = DimExpression::Op;
  cells.resize(plan.dims.size());
  const auto floor_div = [](int64_t a, int64_t b) { return a / b - (a % b && (a < 0) != (b < 0)); };
  for (size_t i = 0; i < plan.dims.size(); ++i) {
    const DimExpression& dim = plan.dims[i];
    int64_t& out = cells[i];
    if (dim.op == Op::kConst) {
      out = dim.a;
      continue;
    }
    if (dim.op == Op::kSize) {
      out = call.tensors[dim.a]->layout.sizes[dim.b];
      continue;
    }
    if (dim.op == Op::kStride) {
      out = call.tensors[dim.a]->layout.strides[dim.b];
      continue;
    }
    if (dim.op == Op::kInt) {
      if (dim.a >= static_cast<int64_t>(call.ints.size())) {
        raise("RuntimeError", "plan: integer argument %lld does not exist; the call has %zd",
              static_cast<long long>(dim.a), static_cast<Py_ssize_t>(call.ints.size()));
        return false;
      }
      out = call.ints[dim.a];
      continue;
    }
    const int64_t a = cells[dim.a], b = cells[dim.b];
    bool overflow = false;
    switch (dim.op) {
      case Op::kAdd:
        overflow = __builtin_add_overflow(a, b, &out);
        break;
      case Op::kSub:
        overflow = __builtin_sub_overflow(a, b, &out);
        break;
      case Op::kMul:
        overflow = __builtin_mul_overflow(a, b, &out);
        break;
      case Op::kFloorDiv:
        overflow = a == INT64_MIN && b == -1;
        out = b == 0 || overflow ? 0 : floor_div(a, b);
        break;
      case Op::kMod:
        out = b == 0 || b == -1 ? 0 : a - b * floor_div(a, b);
        break;
      case Op::kMin:
        out = std::min(a, b);
        break;
      default:
        out = std::max(a, b);
    }
    if (overflow) {
      raise("OverflowError", "sizes: a size must fit 64 bits; %lld and %lld together do not",
            static_cast<long long>(a), static_cast<long long>(b));
      return false;
    }
  }
  return true;
}

bool guards_hold(const Plan& plan, const std::vector<int64_t>& cells) {
  for (const Guard& guard : plan.guards) {
    const int64_t a = cells[guard.a], b = cells[guard.b];
    using Relation = Guard::Relation;
    const bool holds = guard.relation == Relation::kEq   ? a == b
                       : guard.relation == Relation::kNe ? a != b
                       : guard.relation == Relation::kLt ? a < b
                                                         : a <= b;
    if (!holds) return false;
  }
  return true;
}

}  // namespace gleed
