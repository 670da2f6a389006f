// Running bindings: memory, pointers, kernels.
#include <algorithm>
#include <utility>

#include "binding.h"
#include "program.h"
#include "recording.h"
#include "tape.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr double kBetweenSignals = 50e6;  // nanoseconds between two looks for Ctrl-C
constexpr double kTurnNanoseconds = 20;   // of a turn of "while" at least, even if it does nothing
// The lines that a tile touches across can all fall into one set of a cache, which has 8 ways or
// more.
constexpr int64_t kTileRows = 64;
constexpr int64_t kTileColumns = 8;
constexpr size_t kFewRoots = 64;
constexpr size_t kFewStorages = 16;

using Geometry = SmallBuffer<int64_t, 3 + 3 * kMaxOperands>;

// A part of a kernel's iteration space, with pointers of its own.
struct Region {
  char* pointers[kMaxOperands];
  Geometry geometry;
  const uint64_t* params;
};

void advance(const BoundKernel& kernel, char** pointers, const int64_t* strides, int64_t steps) {
  for (size_t k = 0; k < kernel.places.size(); ++k) pointers[k] += strides[k] * steps;
}

void advance_loop(const BoundKernel& kernel, char** pointers, int loop, int64_t steps) {
  for (size_t k = 0; k < kernel.places.size(); ++k) {
    pointers[k] += kernel.geometry[3 + 3 * k + loop] * steps;
  }
}

// The two inner loops in tiles.
void run_tiles(const BoundKernel& kernel, Region& region, char* const* start) {
  const int64_t n1 = region.geometry[1], n2 = region.geometry[2];
  for (int64_t i = 0; i < n1; i += kTileRows) {
    for (int64_t j = 0; j < n2; j += kTileColumns) {
      char* pointers[kMaxOperands];
      std::copy_n(start, kernel.places.size(), pointers);
      advance_loop(kernel, pointers, 1, i);
      advance_loop(kernel, pointers, 2, j);
      region.geometry[1] = std::min(kTileRows, n1 - i);
      region.geometry[2] = std::min(kTileColumns, n2 - j);
      kernel.function(pointers, region.geometry.data(), region.params);
    }
  }
  region.geometry[1] = n1;
  region.geometry[2] = n2;
}

void run_loops(const BoundKernel& kernel, Region& region, char* const* pointers) {
  if (kernel.tiled) return run_tiles(kernel, region, pointers);
  kernel.function(pointers, region.geometry.data(), region.params);
}

// Walks the outer axes, the `divided` one only within [begin, end).
void run_outer(const BoundKernel& kernel, Region& region, int divided, int64_t begin, int64_t end) {
  const int axes = static_cast<int>(kernel.outer_sizes.size());
  const size_t operands = kernel.places.size();
  int64_t counts[kMaxAxes], position[kMaxAxes] = {};
  for (int i = 0; i < axes; ++i) counts[i] = kernel.outer_sizes[i];
  if (divided >= 0) {
    advance(kernel, region.pointers, &kernel.outer_strides[divided * operands], begin);
    counts[divided] = end - begin;
  }
  for (;;) {
    run_loops(kernel, region, region.pointers);
    int axis = axes - 1;
    for (; axis >= 0; --axis) {
      const int64_t* strides = &kernel.outer_strides[axis * operands];
      if (++position[axis] < counts[axis]) {
        advance(kernel, region.pointers, strides, 1);
        break;
      }
      advance(kernel, region.pointers, strides, 1 - counts[axis]);
      position[axis] = 0;
    }
    if (axis < 0) return;
  }
}

void run_task(const BoundKernel& kernel, char* const* pointers, const uint64_t* params,
              int64_t task) {
  Region region;
  std::copy_n(pointers, kernel.places.size(), region.pointers);
  region.geometry.resize(kernel.geometry.size());
  std::copy(kernel.geometry.begin(), kernel.geometry.end(), region.geometry.data());
  region.params = params;
  const int outer = kernel.axis - 3;
  if (kernel.tasks == 1) return run_outer(kernel, region, -1, 0, 0);
  const int64_t size = outer >= 0 ? kernel.outer_sizes[outer] : kernel.geometry[kernel.axis];
  const int64_t begin = task * kernel.chunk, end = std::min(size, begin + kernel.chunk);
  if (outer >= 0) return run_outer(kernel, region, outer, begin, end);
  advance_loop(kernel, region.pointers, kernel.axis, begin);
  region.geometry[kernel.axis] = end - begin;
  run_outer(kernel, region, -1, 0, 0);
}

void place_operands(const BoundKernel& kernel, char* const* roots, char** pointers) {
  for (size_t k = 0; k < kernel.places.size(); ++k) {
    pointers[k] = roots[kernel.places[k].root] + kernel.places[k].offset;
  }
}

// The parameters of a kernel, for which `own` is room if some are run-time numbers.
const uint64_t* params_of(const BoundKernel& kernel, const uint64_t* scalars,
                          SmallBuffer<uint64_t, 16>& own) {
  if (kernel.scalars.empty()) return kernel.params.data();
  own.resize(kernel.params.size());
  std::copy(kernel.params.begin(), kernel.params.end(), own.data());
  for (const auto& [param, scalar] : kernel.scalars) own[param] = scalars[scalar];
  return own.data();
}

void run_kernel(const BoundKernel& kernel, char* const* roots, const uint64_t* scalars) {
  char* pointers[kMaxOperands];
  place_operands(kernel, roots, pointers);
  SmallBuffer<uint64_t, 16> own;
  const uint64_t* params = params_of(kernel, scalars, own);
  if (kernel.tasks == 1 && kernel.outer_sizes.empty() && !kernel.tiled) {
    return kernel.function(pointers, kernel.geometry.data(), params);
  }
  parallel_for(kernel.tasks, [&](int64_t task) { run_task(kernel, pointers, params, task); });
}

// Runs a kernel whose loops n1 and n2 run over rows of `row_size` elements, for a block from
// element `first` on; with `to` its last operand goes there, in rows of `to_row` bytes.
void run_rows(const BoundKernel& kernel, char* const* roots, const uint64_t* scalars, int64_t first,
              int64_t row_size, int64_t rows, int64_t columns, char* to = nullptr,
              int64_t to_row = 0) {
  SmallBuffer<uint64_t, 16> own;
  const uint64_t* params = params_of(kernel, scalars, own);
  Geometry geometry(kernel.geometry.size());
  std::copy(kernel.geometry.begin(), kernel.geometry.end(), geometry.data());
  geometry[2] = columns;
  const size_t last = kernel.places.size() - 1;
  if (to) geometry[3 + 3 * last + 1] = to_row;
  const int64_t together = kernel.geometry[1];
  for (int64_t row = first / row_size, end = row + rows; row < end; row += geometry[1]) {
    char* pointers[kMaxOperands];
    place_operands(kernel, roots, pointers);
    advance_loop(kernel, pointers, 2, first % row_size);
    advance_loop(kernel, pointers, 1, row % together);
    int64_t rest = row / together;
    for (size_t axis = kernel.outer_sizes.size(); axis-- > 0; rest /= kernel.outer_sizes[axis])
      advance(kernel, pointers, &kernel.outer_strides[axis * kernel.places.size()],
              rest % kernel.outer_sizes[axis]);
    if (to) pointers[last] = to + (row - first / row_size) * to_row;
    geometry[1] = std::min(end - row, together - row % together);
    kernel.function(pointers, geometry.data(), params);
  }
}

int64_t elements_before(const char* at, const Place& start, char* const* roots, DType dtype) {
  return (at - roots[start.root] - start.offset) / itemsize(dtype);
}

// The kernels that follow a routine, for a block of its result.
void run_epilogue(const BoundRoutine& routine, char* const* roots, const uint64_t* scalars,
                  const char* block, int64_t rows, int64_t columns) {
  const int64_t row_size = routine.plan.row;
  const DType dtype = routine.operands.back().dtype;
  const int64_t first = elements_before(block, routine.places.back(), roots, dtype);
  // Rows of one element are parts of the only row there is.
  if (row_size == routine.layouts.back().numel) columns *= std::exchange(rows, 1);
  for (const auto& [lead, kernel] : routine.epilogue) {
    run_rows(kernel, roots, scalars, first, row_size, rows, columns);
  }
}

// Lets Python raise the error behind a nonzero status; false.
bool explain(const Binding& binding, const Call& call, int64_t status) {
  PyObject* arguments = binding.explain ? arguments_of(call) : nullptr;
  PyObject* own = std::exchange(recorder, nullptr);  // what is looked at now is not of the function
  PyObject* result = arguments ? PyObject_CallOneArg(binding.explain, arguments) : nullptr;
  recorder = own;
  Py_XDECREF(arguments);
  Py_XDECREF(result);
  if (!PyErr_Occurred()) {
    raise("RuntimeError", "kernel: a check failed, with status %lld",
          static_cast<long long>(status));
  }
  return false;
}

Tensor* make_fresh(Storage* storage, const BoundOutput& output) {
  Tensor* made = new_tensor(storage, output.layout, output.dtype);
  if (made) made->inference = inference_enabled();
  return made;
}

// What Run does, for Binding::simple.
bool run_simple(const Binding& binding, const Call& call, Tensor** outputs) {
  int64_t status = 0;
  char* roots[kFirstRoot + 2 * kFewInputs + 1];
  roots[kNoRoot] = nullptr;
  roots[kStatusRoot] = reinterpret_cast<char*>(&status);
  for (int k = 0; k < binding.inputs; ++k) roots[binding.input_root(k)] = call.tensors[k]->data();
  const BoundOutput& output = binding.outputs[0];
  Storage* storage = nullptr;
  const bool fresh = output.kind == BoundOutput::Kind::kFresh && !call.out;
  if (fresh) {
    storage = allocate(binding.fresh[0]);
    if (!storage) return false;
    roots[binding.fresh_root(0)] = storage->data;
  } else if (call.out) {
    roots[binding.fresh_root(0)] = call.out->data();
  }
  ++engine_stats.launches;
  if (!dry_runs) {
    run_kernel(*std::get_if<BoundKernel>(&binding.steps[0]), roots, call.scalars.data());
  }
  if (status != 0) [[unlikely]] {
    if (storage) drop(storage);
    return explain(binding, call, status);
  }
  if (!fresh) {
    Tensor* written = call.out ? call.out : call.tensors[output.source];
    outputs[0] = as_tensor(Py_NewRef(object(written)));
    return true;
  }
  outputs[0] = make_fresh(storage, output);
  return outputs[0] != nullptr;
}

// What one run holds. Everything is released when it ends.
class Run {
 public:
  Run(const Binding& binding, const Call& call) : binding_(binding), call_(call) { ++binding.pins; }
  ~Run() {
    --binding_.pins;
    if (arena_) drop(arena_);
    for (size_t k = 0; k < fresh_.size(); ++k) {
      if (!given_[k]) drop(fresh_[k]);
    }
    for (Tensor* t : dynamic_) Py_XDECREF(t);
    for (Storage* storage : held_) drop(storage);
  }

  bool execute(Tensor** outputs) {
    if (!allocate_memory() || !check_reaches()) return false;
    engine_stats.launches += static_cast<int64_t>(binding_.steps.size());
    if (dry_runs) {
      if (binding_.dynamic > 0) {
        raise("TraceError",
              "capture: the sizes of a result depend on data; they are not known in a dry run; "
              "compute it outside of the captured function");
        return false;
      }
    } else if (binding_.nanoseconds < kWorthReleasing) {
      for (const BoundStep& step : binding_.steps) {
        if (!run_step(step, nullptr)) return false;
        if (status_ != 0) break;  // what would be overwritten stays as it was
      }
    } else if (!run_released()) {
      return false;
    }
    if (status_ != 0) [[unlikely]]
      return explain(binding_, call_, status_);
    return make_outputs(outputs);
  }

 private:
  bool allocate_memory() {
    roots_.resize(binding_.roots());
    roots_[kNoRoot] = roots_[kArenaRoot] = nullptr;
    roots_[kStatusRoot] = reinterpret_cast<char*>(&status_);
    for (int k = 0; k < static_cast<int>(binding_.fresh.size()); ++k) {
      const bool given = call_.out && k == binding_.outputs[0].source;
      Storage* storage = given ? keep(call_.out->storage) : allocate(binding_.fresh[k]);
      if (!storage) return false;
      roots_[binding_.fresh_root(k)] = given ? call_.out->data() : storage->data;
      fresh_.push(storage);
      given_.push(false);
    }
    if (binding_.arena > 0) {
      arena_ = allocate(binding_.arena);
      if (!arena_) return false;
      roots_[kArenaRoot] = arena_->data;
    }
    for (int k = 0; k < binding_.inputs; ++k) {
      const Tensor* t = call_.tensors[k];
      roots_[binding_.input_root(k)] = t->data();
      roots_[binding_.storage_root(k)] = t->storage->data;
    }
    return true;
  }

  bool check_reaches() const {
    for (const ReachCheck& check : binding_.reaches) {
      const Tensor* t = call_.tensors[check.input];
      const int64_t start =
          check.absolute ? 0 : t->layout.offset * static_cast<int64_t>(itemsize(t->dtype));
      const int64_t nbytes = static_cast<int64_t>(t->storage->nbytes);
      if (start + check.lo >= 0 && start + check.hi <= nbytes) continue;
      raise("BoundsError",
            "as_strided: the view must lie inside the storage; it needs bytes %lld to %lld of %lld",
            static_cast<long long>(start + check.lo), static_cast<long long>(start + check.hi),
            static_cast<long long>(nbytes));
      return false;
    }
    return true;
  }

  // Without the GIL, other threads may drop or replace what the inputs hold, so it is kept here.
  bool run_released() {
    for (Tensor* t : call_.tensors) held_.push(keep(t->storage));
    PyThreadState* thread = PyEval_SaveThread();
    for (const BoundStep& step : binding_.steps) {
      if (!run_step(step, &thread)) return false;
      if (status_ != 0) break;
    }
    PyEval_RestoreThread(thread);
    return PyErr_CheckSignals() == 0;
  }

  // Looks for Ctrl-C after a while of work without the GIL. As `run_step`, false if it came.
  bool check_signals(double worked, PyThreadState** thread) {
    unchecked_ += worked;
    if (!thread || unchecked_ < kBetweenSignals) return true;
    unchecked_ = 0;
    PyEval_RestoreThread(*thread);
    if (PyErr_CheckSignals() != 0) return false;
    *thread = PyEval_SaveThread();
    return true;
  }

  // `thread`: the released thread state, or null if the GIL is held. False with an exception set
  // and the GIL held.
  bool run_step(const BoundStep& step, PyThreadState** thread) {
    if (const auto* kernel = std::get_if<BoundKernel>(&step)) {
      run_kernel(*kernel, roots_.data(), call_.scalars.data());
      return check_signals(kernel->nanoseconds, thread);
    }
    if (const auto* routine = std::get_if<BoundRoutine>(&step)) {
      return run_routine(*routine, thread) && check_signals(routine->plan.nanoseconds, thread);
    }
    if (const auto* loop = std::get_if<std::unique_ptr<BoundLoop>>(&step)) {
      return run_loop(**loop, thread);
    }
    return run_choice(*std::get<std::unique_ptr<BoundChoice>>(step), thread);
  }

  bool run_steps(const std::vector<BoundStep>& steps, bool again, PyThreadState** thread) {
    for (const BoundStep& step : steps) {
      again_ = again;
      if (!run_step(step, thread)) return false;
      if (status_ != 0) break;
    }
    return true;
  }

  bool run_loop(const BoundLoop& loop, PyThreadState** thread) {
    for (int64_t turn = 0; turn < loop.count && status_ == 0; ++turn) {
      for (const Cursor& cursor : loop.cursors) {
        roots_[cursor.root] =
            roots_[cursor.start.root] + cursor.start.offset + turn * cursor.stride;
      }
      if (!run_steps(loop.steps, turn > 0, thread)) return false;
    }
    return true;
  }

  bool run_choice(const BoundChoice& choice, PyThreadState** thread) {
    const auto chosen = [&] { return roots_[choice.predicate.root][choice.predicate.offset] != 0; };
    if (!choice.repeats) return run_steps(choice.steps[chosen() ? 0 : 1], false, thread);
    while (true) {
      if (!run_steps(choice.steps[0], false, thread)) return false;
      if (status_ != 0 || !chosen()) return true;
      if (!run_steps(choice.steps[1], false, thread)) return false;
      if (status_ != 0) return true;
      if (!check_signals(kTurnNanoseconds, thread)) return false;
    }
  }

  bool run_routine(const BoundRoutine& bound, PyThreadState** thread) {
    SmallBuffer<char*, 16> pointers(bound.places.size());
    for (size_t k = 0; k < bound.places.size(); ++k) {
      pointers[k] = roots_[bound.places[k].root] + bound.places[k].offset;
    }
    SmallBuffer<uint64_t, 16> scalars(bound.scalars.size());
    for (size_t k = 0; k < bound.scalars.size(); ++k) scalars[k] = call_.scalars[bound.scalars[k]];
    const RoutineGeometry geometry{bound.operands, bound.dims};
    char* workspace = bound.workspace.root == kNoRoot
                          ? nullptr
                          : roots_[bound.workspace.root] + bound.workspace.offset;
    const Epilogue epilogue = [this, &bound](const char* block, int64_t rows, int64_t columns) {
      run_epilogue(bound, roots_.data(), call_.scalars.data(), block, rows, columns);
    };
    RoutineCall routine{geometry,  pointers.data(),        scalars.data(),
                        workspace, bound.plan.state.get(), &status_,
                        again_};
    if (!bound.epilogue.empty()) routine.epilogue = &epilogue;
    Prologue prologues[2];
    for (const auto& [operand, kernel] : bound.prologue) {
      routine.prologues[operand] = &prologues[operand];
      prologues[operand] = [this, &kernel = kernel, dtype = bound.operands[operand].dtype,
                            row = bound.plan.computed_row](const char* at, int64_t rows,
                                                           int64_t columns, char* to, int64_t n) {
        const int64_t first = elements_before(at, kernel.places.back(), roots_.data(), dtype);
        run_rows(kernel, roots_.data(), call_.scalars.data(), first, row, rows, columns, to, n);
      };
    }
    if (!bound.dynamic.empty() && !make_dynamic(bound, routine, pointers.data(), thread)) {
      return false;
    }
    bound.routine->execute(routine);
    return true;
  }

  bool make_dynamic(const BoundRoutine& bound, const RoutineCall& routine, char** pointers,
                    PyThreadState** thread) {
    const size_t known = bound.layouts.size() - bound.dynamic.size();
    SmallBuffer<int64_t, kMaxDims> sizes;
    for (size_t k = known; k < bound.layouts.size(); ++k) {
      for (int64_t size : bound.layouts[k].shape()) sizes.push(size);
    }
    bound.routine->measure(routine, sizes.data());
    if (thread) PyEval_RestoreThread(*thread);
    size_t next = 0;
    for (size_t k = known; k < bound.layouts.size(); ++k) {
      const size_t ndim = static_cast<size_t>(bound.layouts[k].ndim);
      const Layout layout = contiguous_layout({sizes.data() + next, ndim});
      next += ndim;
      Tensor* made = empty_tensor(layout, bound.operands[k].dtype);
      if (!made) return false;
      dynamic_.push(made);
      pointers[k] = made->data();
    }
    if (thread) *thread = PyEval_SaveThread();
    return true;
  }

  bool make_outputs(Tensor** outputs) {
    const size_t count = binding_.outputs.size();
    for (size_t k = 0; k < count; ++k) {
      outputs[k] = make_output(binding_.outputs[k]);
      if (outputs[k]) continue;
      while (k > 0) Py_DECREF(outputs[--k]);
      return false;
    }
    return true;
  }

  Tensor* make_output(const BoundOutput& output) {
    if (call_.out) return as_tensor(Py_NewRef(object(call_.out)));
    switch (output.kind) {
      case BoundOutput::Kind::kFresh: {
        // The first tensor takes the storage's first reference over.
        Storage* storage = fresh_[output.source];
        if (given_[output.source]) keep(storage);
        given_[output.source] = true;
        return make_fresh(storage, output);
      }
      case BoundOutput::Kind::kView:
        return make_view(output);
      case BoundOutput::Kind::kSame:
        return reinterpret_cast<Tensor*>(Py_NewRef(object(call_.tensors[output.source])));
      default:
        return reinterpret_cast<Tensor*>(Py_NewRef(object(dynamic_[output.source])));
    }
  }

  Tensor* make_view(const BoundOutput& output) const {
    Tensor* source = call_.tensors[output.source];
    Layout layout = output.layout;
    if (!output.absolute) layout.offset += source->layout.offset;
    return new_view(source, layout);
  }

  const Binding& binding_;
  const Call& call_;
  int64_t status_ = 0;
  bool again_ = false;    // in a turn of a loop that is not its first
  double unchecked_ = 0;  // nanoseconds of work since the last look for Ctrl-C
  Storage* arena_ = nullptr;
  SmallBuffer<char*, kFewRoots> roots_;
  SmallBuffer<Storage*, kFewStorages> fresh_, held_;
  SmallBuffer<bool, kFewStorages> given_;  // a tensor has taken the storage over
  SmallBuffer<Tensor*, kFewStorages> dynamic_;
};

}  // namespace

bool Binding::is_simple() const {
  if (steps.size() != 1 || outputs.size() != 1) return false;
  const auto* kernel = std::get_if<BoundKernel>(&steps[0]);
  const BoundOutput::Kind kind = outputs[0].kind;
  const bool fresh_one = kind == BoundOutput::Kind::kFresh && fresh.size() == 1;
  const bool same = kind == BoundOutput::Kind::kSame && fresh.empty();
  return kernel && (fresh_one || same) && inputs <= kFewInputs && arena == 0 && reaches.empty() &&
         nanoseconds < kWorthReleasing;
}

bool run(const Binding& binding, const Call& call, Tensor** outputs) {
  if (recording() && !record_inputs(binding, call)) [[unlikely]]
    return false;
  const bool ok =
      binding.simple ? run_simple(binding, call, outputs) : Run(binding, call).execute(outputs);
  if (!ok || !recording()) [[likely]]
    return ok;
  if (record_outputs(binding, outputs)) return true;
  for (size_t k = 0; k < binding.outputs.size(); ++k) Py_DECREF(outputs[k]);
  return false;
}

}  // namespace gleed
