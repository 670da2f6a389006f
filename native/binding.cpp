// Plan to binding: values are laid out, temporaries share one block, kernels become loops.
#include "binding.h"

#include <algorithm>

#include "launch.h"
#include "pointwise_layout.h"
#include "temporaries.h"
#include "views.h"

namespace gleed {

Binding::~Binding() {
  Py_XDECREF(plan);
  Py_XDECREF(explain);
}

namespace {

struct BoundValue {
  Place place;    // of the first element; a negative root -1-t is temporary t
  Layout layout;  // its offset is 0: it is in the place
  DType dtype;
};

class Binder {
 public:
  Binder(Binding& binding, const Plan& plan, const Call& call, const std::vector<int64_t>& cells)
      : binding_(binding), plan_(plan), call_(call), cells_(cells), values_(plan.values.size()) {
    const int inputs = static_cast<int>(plan.inputs.size());
    binding.inputs = inputs;
    for (int k = 0; k < inputs; ++k) {
      values_[k] = {{binding.input_root(k), 0}, call.tensors[k]->layout, plan.inputs[k].dtype};
      values_[k].layout.offset = 0;
    }
    binding.alike.assign(plan.writes.size() * inputs, 1);
    written_.assign(inputs, false);
    find_escaping();
  }

  bool bind() {
    for (; step_ < static_cast<int>(plan_.steps.size()); ++step_) {
      if (!bind_step(plan_.steps[step_])) return false;
    }
    if (!bind_results()) return false;
    binding_.arena = plan_.memory = place_temporaries(temporaries_);
    plan_.separate = 0;
    for (const Temporary& t : temporaries_) plan_.separate += t.bytes;
    for (size_t bytes : binding_.fresh) plan_.memory += bytes, plan_.separate += bytes;
    settle(binding_.steps, binding_, temporaries_);
    for (const BoundStep& step : binding_.steps) binding_.nanoseconds += nanoseconds(step);
    binding_.simple = binding_.is_simple();
    return true;
  }

 private:
  // Values whose memory outlives the run, because an output is in it.
  void find_escaping() {
    escapes_.assign(plan_.values.size(), false);
    for (int v : plan_.outputs) escapes_[v] = true;
    for (int v : plan_.residuals) escapes_[v] = true;
    for (auto it = plan_.steps.rbegin(); it != plan_.steps.rend(); ++it) {
      if (const auto* view = std::get_if<ViewStep>(&*it)) {
        if (escapes_[view->value]) escapes_[view->source] = true;
      } else if (const auto* compact = std::get_if<CompactStep>(&*it)) {
        if (escapes_[compact->value]) escapes_[compact->source] = true;
      }
    }
  }

  bool sizes_of(int v, Layout& layout) {
    int64_t sizes[kMaxDims];
    const std::vector<int>& dims = plan_.values[v].dims;
    if (!evaluate(dims, sizes)) return false;
    layout = contiguous_layout({sizes, dims.size()});
    return true;
  }

  bool evaluate(const std::vector<int>& dims, int64_t* sizes) {
    for (size_t i = 0; i < dims.size(); ++i) {
      sizes[i] = cells_[dims[i]];
      if (sizes[i] >= 0) continue;
      raise("RuntimeError", "sizes: a size cannot be negative; %lld came out for dimension %zd",
            static_cast<long long>(sizes[i]), static_cast<Py_ssize_t>(i));
      return false;
    }
    return true;
  }

  Place make_memory(int v, const Layout& layout) {
    const size_t bytes = packed_bytes(layout, plan_.dtype(v));
    if (escapes_[v]) {
      binding_.fresh.push_back(bytes);
      return {binding_.fresh_root(static_cast<int>(binding_.fresh.size()) - 1), 0};
    }
    temporaries_.push_back({.bytes = aligned(bytes), .first = step_, .last = step_});
    return {-static_cast<int32_t>(temporaries_.size()), 0};
  }

  bool scratch(int64_t bytes, Place& place) {
    temporaries_.push_back(
        {.bytes = aligned(static_cast<size_t>(bytes)), .first = step_, .last = step_});
    place = {-static_cast<int32_t>(temporaries_.size()), 0};
    return true;
  }

  const BoundValue& use(int v) {
    const int32_t root = values_[v].place.root;
    if (root < 0) temporaries_[-1 - root].last = step_;
    return values_[v];
  }

  // ---- steps

  bool bind_step(const Step& s) {
    return std::visit([this](const auto& s) { return step(s); }, s);
  }

  bool step(const AllocStep& s) {
    Layout layout;
    if (!sizes_of(s.value, layout)) return false;
    if (!s.like.empty()) {
      std::vector<const Layout*> like;
      for (int v : s.like) like.push_back(&values_[v].layout);
      layout = pointwise_layout(layout.shape(), like);
    }
    values_[s.value] = {make_memory(s.value, layout), layout, plan_.dtype(s.value)};
    return true;
  }

  bool step(const ViewStep& s) {
    const BoundValue& source = use(s.source);
    Layout expected, out;
    if (!sizes_of(s.value, expected)) return false;
    Place place = source.place;
    const bool moved = s.movement == Movement::kAsStrided
                           ? stride_freely(s, source, expected, out, place)
                           : apply_movement(s, cells_, source.layout, expected, out);
    if (!moved) return false;
    if (!same_sizes(out, expected)) {
      raise("RuntimeError", "view: the plan's sizes are not what the movement gives");
      return false;
    }
    place.offset += out.offset * itemsize(source.dtype);
    out.offset = 0;
    values_[s.value] = {place, out, plan_.dtype(s.value)};
    return true;
  }

  // as_strided counts from the start of the storage, and may reach anything in it.
  bool stride_freely(const ViewStep& s, const BoundValue& source, const Layout& expected,
                     Layout& out, Place& place) {
    int64_t strides[kMaxDims];
    for (int i = 0; i < expected.ndim; ++i) strides[i] = cells_[s.arguments[i]];
    const int offset_dim = s.arguments.back();
    const size_t ndim = static_cast<size_t>(expected.ndim);
    out = as_strided(expected.shape(), {strides, ndim}, offset_dim < 0 ? 0 : cells_[offset_dim]);
    const int input = place.root - kFirstRoot;
    const bool of_input = input >= 0 && input < 2 * binding_.inputs;
    if (offset_dim >= 0) {
      place.offset = 0;
      if (of_input) place.root = binding_.storage_root(input % binding_.inputs);
    }
    int64_t lo, hi;
    extent(out, &lo, &hi);
    const int64_t item = itemsize(source.dtype);
    out.offset = std::clamp(out.offset, lo, hi);  // of an absurd one bytes cannot be counted
    lo = lo * item + place.offset, hi = hi * item + place.offset;
    if (out.numel == 0) return true;
    if (of_input) {
      const bool absolute = place.root >= binding_.storage_root(0);
      binding_.reaches.push_back({input % binding_.inputs, absolute, lo, hi});
      return true;
    }
    const int32_t root = place.root;
    const size_t bytes =
        root < 0 ? temporaries_[-1 - root].bytes : binding_.fresh[root - binding_.fresh_root(0)];
    if (lo >= 0 && static_cast<size_t>(hi) <= bytes) return true;
    raise("BoundsError",
          "as_strided: the view must lie inside the storage; it needs bytes %lld to "
          "%lld of %zd",
          static_cast<long long>(lo), static_cast<long long>(hi), static_cast<Py_ssize_t>(bytes));
    return false;
  }

  bool step(const CompactStep& s) {
    const BoundValue& source = use(s.source);
    Layout expected, viewed;
    if (!sizes_of(s.value, expected)) return false;
    if (expected.numel != source.layout.numel) {
      raise("ShapeError", "reshape: the number of elements must stay the same; %lld to %lld",
            static_cast<long long>(source.layout.numel), static_cast<long long>(expected.numel));
      return false;
    }
    const bool may_view = !s.row_major || source.layout.contiguous;
    if (may_view && reshape(source.layout, expected.shape(), viewed)) {
      values_[s.value] = {source.place, viewed, source.dtype};
      values_[s.value].layout.offset = 0;
      return true;
    }
    const Place place = make_memory(s.value, expected);
    values_[s.value] = {place, expected, source.dtype};
    return copy(s.kernel, values_[s.source], place);
  }

  // Copies a value row-major to a place.
  bool copy(Kernel* kernel, const BoundValue& from, const Place& to) {
    const Layout packed = contiguous_layout(from.layout.shape());
    const int64_t item = itemsize(from.dtype);
    Launch launch;
    launch.kernel = kernel;
    launch.parallel = from.layout.ndim;
    Access source{from.place, from.dtype, true, false};
    Access target{to, from.dtype, true, true};
    for (int i = 0; i < from.layout.ndim; ++i) {
      launch.sizes[i] = from.layout.sizes[i];
      source.strides[i] = from.layout.strides[i] * item;
      target.strides[i] = packed.strides[i] * item;
    }
    launch.operands = {source, target};
    return bind_launch(std::move(launch), target_);
  }

  bool step(const KernelStep& s) {
    Launch launch;
    return make_launch(s, launch) && bind_launch(std::move(launch), target_);
  }

  bool make_launch(const KernelStep& s, Launch& launch) {
    launch.kernel = s.kernel;
    launch.parallel = s.parallel;
    launch.reduced = static_cast<int>(s.axes.size()) - s.parallel;
    if (!evaluate(s.axes, launch.sizes.data())) return false;
    const auto add = [&](const OperandEntry& entry, bool writes, std::vector<Access>& to) {
      return access_of(entry, writes, launch, to.emplace_back());
    };
    for (size_t k = 0; k < s.operands.size(); ++k) {
      const bool writes = static_cast<int>(k) >= s.kernel->inputs;
      if (!add(s.operands[k], writes, launch.operands)) return false;
    }
    for (const OperandEntry& guide : s.guides) {
      if (!add(guide, false, launch.guides)) return false;
    }
    if (!separate_overlaps(s, launch)) return false;
    note_writes(launch);
    for (const ParamEntry& param : s.params) {
      if (!add_param(param, launch)) return false;
    }
    return true;
  }

  bool access_of(const OperandEntry& entry, bool writes, const Launch& launch, Access& access) {
    access = {{kStatusRoot, 0}, DType::kInt64, false, false};
    if (entry.kind == OperandEntry::Kind::kStatus) return true;
    if (entry.kind == OperandEntry::Kind::kIndex) {
      access.place = {kNoRoot, entry.value < 0 ? 0 : cells_[entry.value]};
      for (size_t i = 0; i < entry.mapping.size(); ++i) {
        access.strides[i] = entry.mapping[i] < 0 ? 0 : cells_[entry.mapping[i]];
        access.element |= static_cast<int>(i) >= launch.parallel && entry.mapping[i] >= 0;
      }
      return true;
    }
    if (entry.kind == OperandEntry::Kind::kShape) {
      BoundValue shape{{}, {}, plan_.dtype(entry.value)};
      return sizes_of(entry.value, shape.layout) &&
             memory_access(shape, entry, false, launch, access);
    }
    return memory_access(use(entry.value), entry, writes, launch, access);
  }

  bool memory_access(const BoundValue& value, const OperandEntry& entry, bool writes,
                     const Launch& launch, Access& access) {
    access = {value.place, value.dtype, true, writes};
    const int64_t item = itemsize(value.dtype);
    for (size_t i = 0; i < entry.mapping.size(); ++i) {
      const int d = entry.mapping[i];
      if (d < 0) continue;
      access.element |= static_cast<int>(i) >= launch.parallel;
      const int64_t size = value.layout.sizes[d];
      if (size < launch.sizes[i] && size != 1) {
        raise("RuntimeError", "kernel: an axis of size %lld runs over a dimension of size %lld",
              static_cast<long long>(launch.sizes[i]), static_cast<long long>(size));
        return false;
      }
      if (size > 1) access.strides[i] += value.layout.strides[d] * item;
      if (writes && size > 1 && value.layout.strides[d] == 0 && value.layout.numel) {
        raise("RuntimeError",
              "in-place: every written element needs memory of its own; dimension %d of the tensor "
              "is expanded; clone() it first",
              d);
        return false;
      }
    }
    return true;
  }

  static void reach(const BoundValue& value, int64_t& lo, int64_t& hi) {
    extent(value.layout, &lo, &hi);
    const int64_t item = itemsize(value.dtype);
    lo = lo * item + value.place.offset;
    hi = hi * item + value.place.offset;
  }

  // A kernel may read and write the same memory only if it does so at the same points. What
  // overlaps otherwise is copied before it is overwritten.
  bool separate_overlaps(const KernelStep& s, Launch& launch) {
    for (size_t r = 0; r < launch.operands.size(); ++r) {
      Access& read = launch.operands[r];
      if (!read.value || read.writes) continue;
      const BoundValue& value = values_[s.operands[r].value];
      int64_t lo, hi;
      reach(value, lo, hi);
      bool overlaps = false;
      for (size_t w = 0; w < launch.operands.size(); ++w) {
        const Access& write = launch.operands[w];
        if (!write.writes || write.place.root != read.place.root) continue;
        if (launch.same_access(read, write)) continue;
        int64_t write_lo, write_hi;
        reach(values_[s.operands[w].value], write_lo, write_hi);
        overlaps |= lo < write_hi && write_lo < hi;
      }
      if (!overlaps || value.layout.numel == 0) continue;
      Kernel* identity = identity_kernel(value.dtype);
      if (!identity) return false;
      BoundValue packed{{}, contiguous_layout(value.layout.shape()), value.dtype};
      if (!scratch(static_cast<int64_t>(packed_bytes(packed.layout, value.dtype)), packed.place) ||
          !copy(identity, value, packed.place) ||
          !memory_access(packed, s.operands[r], false, launch, read)) {
        return false;
      }
    }
    return true;
  }

  int input_of(const Place& place) const {
    const int k = place.root - kFirstRoot;
    return k >= 0 && k < 2 * binding_.inputs ? k % binding_.inputs : -1;
  }

  // Keeps Binding::alike: which inputs may be the same memory as a written one.
  void note_writes(const Launch& launch) {
    for (const Access& read : launch.operands) {
      const int input = read.value && !read.writes ? input_of(read.place) : -1;
      if (input < 0) continue;
      for (size_t w = 0; w < plan_.writes.size(); ++w) {
        bool alike = !written_[plan_.writes[w]];
        for (const Access& write : launch.operands) {
          if (!write.writes || input_of(write.place) != plan_.writes[w]) continue;
          alike &= launch.same_access(read, write);
        }
        if (!alike) binding_.alike[w * binding_.inputs + input] = 0;
      }
    }
    for (const Access& write : launch.operands) {
      const int input = write.writes ? input_of(write.place) : -1;
      if (input >= 0) written_[input] = true;
    }
  }

  bool add_param(const ParamEntry& param, Launch& launch) {
    uint64_t bits = 0;
    if (param.kind == ParamEntry::Kind::kScalar) {
      if (!check_scalar(param.a)) return false;
      launch.scalars.emplace_back(static_cast<int>(launch.params.size()), param.a);
    } else if (param.kind == ParamEntry::Kind::kDim) {
      bits = static_cast<uint64_t>(cells_[param.a]);
    } else {
      bits = static_cast<uint64_t>(values_[param.a].layout.strides[param.b]);
    }
    launch.params.push_back(bits);
    return true;
  }

  bool check_scalar(int scalar) const {
    if (static_cast<size_t>(scalar) < call_.scalars.size()) return true;
    raise("RuntimeError", "plan: run-time number %d does not exist in the call", scalar);
    return false;
  }

  bool step(const LibraryStep& s) {
    BoundRoutine bound{s.routine, {}, {}, {}, {}, {}, s.scalars, {}, {}, {}, {}};
    const size_t known = s.values.size() - s.routine->dynamic;
    for (size_t i = 0; i < s.values.size(); ++i) {
      const int v = s.values[i];
      if (i >= known) {
        Layout sizes;
        if (!sizes_of(v, sizes)) return false;
        bound.dynamic.push_back(binding_.dynamic++);
        values_[v] = {{kNoRoot, 0}, sizes, plan_.dtype(v)};
        dynamic_.emplace_back(v, bound.dynamic.back());
      }
      const BoundValue& value = use(v);
      bound.layouts.push_back(value.layout);
      bound.places.push_back(value.place);
      bound.operands.push_back({value.dtype, nullptr, fixed(value.place)});
    }
    for (int scalar : s.scalars) {
      if (!check_scalar(scalar)) return false;
    }
    for (int d : s.dims) bound.dims.push_back(cells_[d]);
    for (size_t i = 0; i < s.values.size(); ++i) bound.operands[i].layout = &bound.layouts[i];
    for (const auto& [operand, kernel] : s.prologue) bound.operands[operand].computed = true;
    if (!s.routine->prepare({bound.operands, bound.dims}, bound.plan)) return false;
    if (!scratch(static_cast<int64_t>(bound.plan.workspace), bound.workspace)) return false;
    std::fill(binding_.alike.begin(), binding_.alike.end(), 0);
    if (bound.plan.row == 1) bound.plan.row = bound.layouts.back().numel;
    if (!bind_prologue(s, bound)) return false;
    // Moving the vectors keeps their elements, and with them what `operands` points to.
    target_.steps->emplace_back(std::move(bound));
    return bind_epilogue(s);
  }

  // What a kernel makes block by block needs no memory; else it runs before.
  bool bind_prologue(const LibraryStep& s, BoundRoutine& bound) {
    for (const auto& [operand, kernel] : s.prologue) {
      Launch launch;
      bool joined;
      if (!make_launch(kernel, launch) || !join_blocks(launch, operand, true, bound, joined))
        return false;
      if (joined) temporaries_[-1 - launch.operands.back().place.root].bytes = 0;
      if (!joined && !bind_launch(std::move(launch), target_)) return false;
    }
    return true;
  }

  // Kernels that cannot go with the blocks of the result run when all of it is there.
  bool bind_epilogue(const LibraryStep& s) {
    const size_t count = target_.steps->size();
    for (const auto& [operand, kernel] : s.epilogue) {
      Launch launch;
      if (!make_launch(kernel, launch)) return false;
      bool joined = target_.steps->size() == count;  // nothing is to happen before it
      if (joined && !join_blocks(launch, operand, false,
                                 std::get<BoundRoutine>(target_.steps->back()), joined))
        return false;
      if (!joined && !bind_launch(std::move(launch), target_)) return false;
    }
    return true;
  }

  // All that its turns use is alive during the whole loop, which is one step.
  bool step(const std::unique_ptr<LoopStep>& s) {
    auto loop = std::make_unique<BoundLoop>(BoundLoop{cells_[s->count], {}, {}});
    const size_t before = std::exchange(made_before_, temporaries_.size());
    const bool looped = std::exchange(looped_, true);
    for (const CursorEntry& cursor : s->cursors) {
      if (!bind_cursor(cursor, *loop)) return false;
    }
    if (!bind_steps(s->steps, loop->steps)) return false;
    made_before_ = before;
    looped_ = looped;
    target_.steps->emplace_back(std::move(loop));
    return true;
  }

  bool step(const std::unique_ptr<ChoiceStep>& s) {
    const BoundValue& predicate = use(s->predicate);
    if (predicate.layout.numel != 1) {
      raise("RuntimeError", "plan: a predicate must have one element");
      return false;
    }
    auto choice = std::make_unique<BoundChoice>(BoundChoice{predicate.place, s->repeats, {}});
    const bool looped = std::exchange(looped_, false);
    for (int k = 0; k < 2; ++k) {
      if (!bind_steps(s->steps[k], choice->steps[k])) return false;
    }
    looped_ = looped;
    target_.steps->emplace_back(std::move(choice));
    return true;
  }

  bool bind_steps(const std::vector<Step>& steps, std::vector<BoundStep>& bound) {
    std::vector<BoundStep>* outer = std::exchange(target_.steps, &bound);
    for (const Step& inner : steps) {
      if (!bind_step(inner)) return false;
    }
    target_.steps = outer;
    std::fill(binding_.alike.begin(), binding_.alike.end(), 0);
    return true;
  }

  // Whether no turn of the loop being bound makes what is there, or moves to another row. What only
  // some turns run, or an unknown number of them, finds nothing as the turn before has left it.
  bool fixed(const Place& place) const {
    const bool older = place.root >= 0 || static_cast<size_t>(-1 - place.root) < made_before_;
    return looped_ && older;
  }

  bool bind_cursor(const CursorEntry& s, BoundLoop& loop) {
    const BoundValue& source = use(s.source);
    const int64_t start = cells_[s.start], last = start + (loop.count - 1) * s.step;
    const int64_t size = source.layout.sizes[0];
    const bool inside = start >= 0 && start < size && last >= 0 && last < size;
    if (loop.count > 0 && !inside) return outside("loop", start, loop.count, size);
    const int64_t stride = source.layout.strides[0] * itemsize(source.dtype);
    Place place = source.place;
    place.offset += start * stride;
    loop.cursors.push_back({binding_.cursors, place, stride * s.step});
    temporaries_.push_back({0, step_, step_, binding_.cursors++});
    Layout row = select(source.layout, 0, 0);
    row.offset = 0;
    values_[s.value] = {{-static_cast<int32_t>(temporaries_.size()), 0}, row, source.dtype};
    return true;
  }

  // ---- the end

  bool bind_results() {
    for (const std::vector<int>* list : {&plan_.outputs, &plan_.residuals}) {
      for (int v : *list) {
        BoundOutput output;
        if (!result_of(v, output)) return false;
        binding_.outputs.push_back(output);
      }
    }
    return true;
  }

  bool result_of(int v, BoundOutput& output) {
    const BoundValue& value = values_[v];
    output.dtype = value.dtype;
    output.layout = value.layout;
    output.layout.offset = value.place.offset / itemsize(value.dtype);
    const int input = input_of(value.place);
    for (const auto& [number, made] : dynamic_) {
      if (number != v) continue;
      output.kind = BoundOutput::Kind::kDynamic;
      output.source = made;
      return true;
    }
    if (v < binding_.inputs) {
      output.kind = BoundOutput::Kind::kSame;
      output.source = v;
    } else if (input >= 0) {
      output.kind = BoundOutput::Kind::kView;
      output.source = input;
      output.absolute = value.place.root >= binding_.storage_root(0);
    } else if (value.place.root >= binding_.fresh_root(0)) {
      output.kind = BoundOutput::Kind::kFresh;
      output.source = value.place.root - binding_.fresh_root(0);
    } else {
      raise("RuntimeError", "plan: output %d has no memory", v);
      return false;
    }
    return true;
  }

  Binding& binding_;
  const Plan& plan_;
  const Call& call_;
  const std::vector<int64_t>& cells_;
  std::vector<BoundValue> values_;
  std::vector<bool> escapes_, written_;
  std::vector<Temporary> temporaries_;
  std::vector<std::pair<int, int>> dynamic_;  // value, number
  LaunchTarget target_{&binding_.steps,
                       [this](int64_t bytes, Place& place) { return scratch(bytes, place); }};
  int step_ = 0;
  size_t made_before_ = 0;  // temporaries older than the loop being bound
  bool looped_ = false;     // binding what every turn of a loop runs
};

}  // namespace

std::unique_ptr<Binding> bind(Plan* plan, PyObject* explain, const Call& call,
                              const std::vector<int64_t>& cells) {
  auto binding = std::make_unique<Binding>();
  Py_INCREF(plan);
  binding->plan = plan;
  binding->explain = Py_XNewRef(explain);
  if (!Binder(*binding, *plan, call, cells).bind()) return nullptr;
  return binding;
}

}  // namespace gleed
