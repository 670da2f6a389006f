// Running an operation call: binding, writes, outputs, and what the tape has to know.
#include <algorithm>
#include <cstring>

#include "binding.h"
#include "engine.h"
#include "op.h"
#include "program.h"
#include "recording.h"
#include "scalar.h"
#include "tape.h"

namespace gleed {

namespace {

PyObject* out_helper = nullptr;

// What a callback of the program needs to see the call as Python made it.
struct Description {
  const Overload* overload;
  const Arguments* sorted;
};

PyObject* describe(void* context) {
  const auto* description = static_cast<const Description*>(context);
  return list_of(*description->overload, *description->sorted);
}

// Bit k of the first words: tensor k requires grad, and this call is to be differentiated.
void add_grad_mask(Frame& frame) {
  const size_t count = frame.tensors.size();
  const size_t words = std::max<size_t>(1, (count + 63) / 64);
  if (words > 1) {
    const size_t old = frame.words.size();
    frame.words.resize(old + words - 1);
    std::memmove(&frame.words[words], &frame.words[1], (old - 1) * sizeof(uint64_t));
    std::fill_n(frame.words.begin(), words, 0);
  }
  if (!frame.tracked || !grad_enabled()) return;
  for (size_t k = 0; k < count; ++k) {
    const Tensor* t = frame.tensors[k];
    if (differentiable(t->dtype) && requires_grad(t)) frame.words[k / 64] |= 1ull << (k % 64);
  }
}

// One call, from its encoded arguments to its result.
class OpCall {
 public:
  OpCall(Op& op, Overload& overload, const Arguments& sorted, Frame& frame)
      : op_(op), overload_(overload), sorted_(sorted), frame_(frame) {}
  ~OpCall() {
    for (Tensor* t : outputs_) Py_DECREF(t);
    if (copy_) Py_DECREF(copy_);
  }

  PyObject* execute() {
    add_grad_mask(frame_);
    Description description{&overload_, &sorted_};
    Call call{frame_.tensors, frame_.ints, frame_.scalars, frame_.words,
              nullptr,        describe,    &description};
    const Binding* binding = find(call);
    if (!binding) return nullptr;
    if (overload_.out >= 0 && !recording()) call.out = direct_out(*binding, call);
    ++binding->pins;
    const bool done = run_and_record(*binding, call);
    --binding->pins;
    return done ? result() : nullptr;
  }

 private:
  const Binding* find(const Call& call) {
    const Key key(overload_.program, call);
    const Binding* binding = find_hit(key);
    if (!binding) binding = make_binding(overload_.program, call, key);
    if (!binding || binding->plan->writes.empty()) return binding;
    return prepare_writes(*binding, call);
  }

  bool run_and_record(const Binding& binding, const Call& call) {
    const size_t count = binding.outputs.size();
    output_count_ = binding.plan->outputs.size();
    outputs_.resize(count);
    if (!run(binding, call, outputs_.data())) {
      outputs_.clear();
      return false;
    }
    if (call.out) bump_version(call.out);
    const std::vector<int>& written = binding.plan->writes;
    for (int input : written) bump_version(call.tensors[input]);
    if (GradRecord* record = binding.plan->grad) {
      return record_operation(*record, binding, call, outputs_.data());
    }
    for (int input : written) {
      Tensor* t = call.tensors[input];
      if (t->grad_meta && !record_constant_write(t)) return false;
    }
    return true;
  }

  // ---- writes

  const Binding* prepare_writes(const Binding& binding, const Call& call) {
    const std::vector<int>& written = binding.plan->writes;
    for (size_t w = 0; w < written.size(); ++w) {
      Tensor* t = call.tensors[written[w]];
      if (t->storage->read_only) {
        raise("ValueError", "%s: the tensor's memory is read-only; clone() it first", op_.text);
        return nullptr;
      }
      if (!check_inplace(t, op_.text)) return nullptr;
      for (int k = 0; k < binding.inputs; ++k) {
        const Tensor* other = call.tensors[k];
        if (k == written[w] || other->storage != t->storage) continue;
        if (clashes(*t, *other, binding.alike[w * binding.inputs + k])) return separate(call, k);
      }
    }
    return &binding;
  }

  // Whether overwriting t changes what is still to be read of `other`.
  static bool clashes(const Tensor& t, const Tensor& other, bool alike) {
    int64_t lo, hi, other_lo, other_hi;
    extent(t.layout, &lo, &hi);
    extent(other.layout, &other_lo, &other_hi);
    const int64_t item = itemsize(t.dtype), other_item = itemsize(other.dtype);
    if (lo * item >= other_hi * other_item || other_lo * other_item >= hi * item) return false;
    const Layout &a = t.layout, &b = other.layout;
    const bool identical = t.dtype == other.dtype && a.offset == b.offset && same_sizes(a, b) &&
                           std::equal(a.strides, a.strides + a.ndim, b.strides);
    return !(identical && alike);
  }

  // Gives the call a copy of tensor k, and finds the binding for that.
  const Binding* separate(const Call& call, int k) {
    if (copy_) {
      raise("RuntimeError",
            "%s: more than one argument shares memory with the written tensor; "
            "clone() the arguments first",
            op_.text);
      return nullptr;
    }
    copy_ = copy_of(call.tensors[k]);
    if (!copy_) return nullptr;
    frame_.tensors[k] = copy_;
    return find(call);
  }

  static Tensor* copy_of(Tensor* t) {
    if (recording()) {
      PyObject* arguments[] = {object(t)};
      return as_tensor(call_engine_op(EngineOp::kClone, arguments));
    }
    Tensor* copy = empty_tensor(contiguous_layout(t->layout.shape()), t->dtype);
    if (copy) copy_to_packed(copy->data(), t->dtype, t->data(), t->dtype, t->layout);
    if (copy && !share_history(copy, t)) Py_CLEAR(copy);
    return copy;
  }

  // ---- results

  PyObject* result() {
    while (outputs_.size() > output_count_) {
      Py_DECREF(outputs_[outputs_.size() - 1]);
      outputs_.resize(outputs_.size() - 1);
    }
    PyObject* out = overload_.out >= 0 ? sorted_.values[overload_.out] : nullptr;
    if (out && out != Py_None) return store_out(out);
    if (output_count_ == 1 && !overload_.result_type) return take(0);
    return pack();
  }

  PyObject* take(size_t k) {
    PyObject* taken = object(outputs_[k]);
    outputs_.resize(k);
    return taken;
  }

  PyObject* pack() {
    if (output_count_ == 0 && !overload_.result_type) Py_RETURN_NONE;
    PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(output_count_));
    if (!tuple) return nullptr;
    for (size_t k = 0; k < output_count_; ++k) {
      PyTuple_SET_ITEM(tuple, k, Py_NewRef(object(outputs_[k])));
    }
    PyObject* type = overload_.result_type;
    if (!type || type == reinterpret_cast<PyObject*>(&PyTuple_Type)) return tuple;
    PyObject* packed = PyObject_CallOneArg(type, tuple);
    Py_DECREF(tuple);
    return packed;
  }

  // The tensor given as out= if the plan can write straight into its memory, which no argument may
  // share; else null, and the result is stored in it afterwards.
  Tensor* direct_out(const Binding& binding, const Call& call) const {
    PyObject* given = sorted_.values[overload_.out];
    if (!given || !is_tensor(given) || binding.plan->grad || binding.outputs.size() != 1) {
      return nullptr;
    }
    Tensor* t = as_tensor(given);
    const BoundOutput& output = binding.outputs[0];
    const bool fits = output.kind == BoundOutput::Kind::kFresh && output.layout.contiguous &&
                      output.layout.offset == 0 && t->layout.contiguous &&
                      t->dtype == output.dtype && same_sizes(t->layout, output.layout);
    const Storage& own = *t->storage;
    const auto shares = [&](const Tensor* other) {
      const Storage& read = *other->storage;
      return read.data < own.data + own.nbytes && own.data < read.data + read.nbytes;
    };
    if (!fits || t->storage->read_only || t->grad_meta ||
        std::any_of(call.tensors.begin(), call.tensors.end(), shares)) {
      return nullptr;
    }
    return t;
  }

  // out=: one tensor, or a tuple of as many as there are results.
  PyObject* store_out(PyObject* out) {
    if (output_count_ == 1) {
      if (!store(out, outputs_[0])) return nullptr;
      return Py_NewRef(out);
    }
    if (!PyTuple_Check(out) || PyTuple_GET_SIZE(out) != static_cast<Py_ssize_t>(output_count_)) {
      return raise("TypeError", "%s: out= must be a tuple of %zd Tensors; got %s", op_.text,
                   static_cast<Py_ssize_t>(output_count_), Py_TYPE(out)->tp_name);
    }
    for (size_t k = 0; k < output_count_; ++k) {
      if (!store(PyTuple_GET_ITEM(out, k), outputs_[k])) return nullptr;
    }
    PyObject* type = overload_.result_type;
    if (!type || type == reinterpret_cast<PyObject*>(&PyTuple_Type)) return Py_NewRef(out);
    return PyObject_CallOneArg(type, out);
  }

  bool store(PyObject* out, Tensor* result) {
    if (!is_tensor(out)) {
      raise("TypeError", "%s: out= must be a Tensor; got %s", op_.text, Py_TYPE(out)->tp_name);
      return false;
    }
    Tensor* t = as_tensor(out);
    if (t == result) return true;
    if (grad_enabled() && (requires_grad(t) || requires_grad(result))) {
      raise("GradientError",
            "%s: out= does not take part in differentiation; one of the arguments requires grad; "
            "leave out= away or call it under gleed.no_grad()",
            op_.text);
      return false;
    }
    if (t->storage->read_only) {
      raise("ValueError", "%s: out= has read-only memory; clone() it first", op_.text);
      return false;
    }
    if (!recording() && t->dtype == result->dtype && same_sizes(t->layout, result->layout) &&
        t->layout.contiguous && result->layout.contiguous) {
      std::memmove(t->data(), result->data(), result->layout.numel * itemsize(result->dtype));
      bump_version(t);
      return true;
    }
    if (!out_helper) {
      raise("RuntimeError", "%s: out= needs a helper that is not registered; import gleed",
            op_.text);
      return false;
    }
    PyObject* stored = PyObject_CallFunctionObjArgs(out_helper, out, object(result), nullptr);
    Py_XDECREF(stored);
    return stored != nullptr;
  }

  Op& op_;
  Overload& overload_;
  const Arguments& sorted_;
  Frame& frame_;
  SmallBuffer<Tensor*, 8> outputs_;
  size_t output_count_ = 0;
  Tensor* copy_ = nullptr;
};

}  // namespace

void set_out_helper(PyObject* helper) {
  PyObject* old = out_helper;
  out_helper = helper == Py_None ? nullptr : Py_NewRef(helper);
  Py_XDECREF(old);
}

PyObject* call_overload(Op& op, int number, const Arguments& sorted, Frame& frame) {
  return OpCall(op, (*op.overloads)[number], sorted, frame).execute();
}

}  // namespace gleed
