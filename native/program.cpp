// Finding the binding of a call: by its exact geometry, else from a plan, else from Python.
#include "program.h"

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "binding.h"
#include "machine_code.h"
#include "recording.h"
#include "tuples.h"

namespace gleed {

EngineStats engine_stats;

// Plans by words, dtypes and ranks. The first whose guards hold is used.
struct PlanTable {
  std::map<std::vector<uint64_t>, std::vector<Plan*>> plans;
};

namespace {

constexpr size_t kMaxPlansPerSignature = 256;

void append_words(const Call& call, std::vector<uint64_t>& key) {
  key.push_back(call.words.size());
  key.insert(key.end(), call.words.begin(), call.words.end());
}

std::vector<uint64_t> signature_of(const Call& call) {
  std::vector<uint64_t> key{static_cast<uint64_t>(default_dtype)};
  append_words(call, key);
  for (const Tensor* t : call.tensors) {
    key.push_back(static_cast<uint64_t>(t->dtype) | static_cast<uint64_t>(t->layout.ndim) << 8);
  }
  return key;
}

bool fits(const Plan& plan, const Call& call) {
  if (plan.inputs.size() != call.tensors.size()) return false;
  for (size_t k = 0; k < plan.inputs.size(); ++k) {
    const Tensor* t = call.tensors[k];
    if (plan.inputs[k].dtype != t->dtype || plan.inputs[k].ndim != t->layout.ndim) return false;
  }
  return true;
}

// Bindings by exact key: sets of a few ways, the least recently used way given up. What is given up
// stays alive for a while, since a run may be using it.
class BindingCache {
 public:
  const Binding* find(uint64_t hash, std::span<const uint64_t> key) {
    Set& set = sets_[hash % kSets];
    for (int way = 0; way < kWays; ++way) {
      if (set[way].hash != hash || !set[way].binding) continue;
      const Binding* binding = set[way].binding;
      if (!same(binding->key, key)) continue;
      if (way > 0) std::swap(set[way], set[way - 1]);
      return binding;
    }
    return nullptr;
  }

  const Binding* insert(uint64_t hash, std::unique_ptr<Binding> binding) {
    Set& set = sets_[hash % kSets];
    Binding* given_up = set[kWays - 1].binding;
    for (int way = kWays - 1; way > 0; --way) set[way] = set[way - 1];
    set[0] = {hash, binding.release()};
    ++engine_stats.bindings;
    if (given_up) retire(given_up);
    return set[0].binding;
  }

 private:
  static constexpr int kWays = 4;
  static constexpr uint64_t kSets = 4096;
  static constexpr size_t kRetired = 1024;

  struct Entry {
    uint64_t hash = 0;
    Binding* binding = nullptr;
  };
  using Set = std::array<Entry, kWays>;

  // Word by word: wider loads would wait for the words that have just been stored one by one.
  static bool same(std::span<const uint64_t> a, std::span<const uint64_t> b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }

  void retire(Binding* binding) {
    --engine_stats.bindings;
    retired_.push_back(binding);
    if (retired_.size() <= kRetired || retired_.front()->pins > 0) return;
    Binding* oldest = retired_.front();
    retired_.pop_front();
    delete oldest;
  }

  std::array<Set, kSets> sets_;
  std::deque<Binding*> retired_;
};

// Never destroyed: it holds Python objects, and outlives the interpreter.
BindingCache& cache() {
  static BindingCache* const instance = new BindingCache;
  return *instance;
}

// Asks Python for a plan; a new reference.
Plan* compile(Program& program, const Call& call) {
  PyObject* arguments = arguments_of(call);
  PyObject* sizes =
      tuple_of(call.tensors, [](const Tensor* t) { return tuple_of(t->layout.shape()); });
  PyObject* ints = tuple_of(call.ints);
  PyObject* words = tuple_of(call.words);
  PyObject* made = nullptr;
  if (arguments && sizes && ints && words) {
    PyObject* own = std::exchange(recorder, nullptr);  // how plans are made is not of the function
    made = PyObject_CallFunctionObjArgs(program.compile, arguments, sizes, ints, words, nullptr);
    recorder = own;
  }
  Py_XDECREF(arguments);
  Py_XDECREF(sizes);
  Py_XDECREF(ints);
  Py_XDECREF(words);
  if (made && Py_TYPE(made) != PlanType) {
    raise("TypeError", "compile: it must return a Plan; got %s", Py_TYPE(made)->tp_name);
    Py_CLEAR(made);
  }
  return reinterpret_cast<Plan*>(made);
}

void remember(Program& program, const Call& call, Plan* plan) {
  std::vector<Plan*>& list = program.plans->plans[signature_of(call)];
  Py_INCREF(plan);
  list.push_back(plan);
  if (list.size() <= kMaxPlansPerSignature) return;
  Plan* oldest = list.front();
  list.erase(list.begin());
  Py_DECREF(oldest);
}

// A known plan whose guards hold; a new reference, or null (with an exception if dims overflow).
Plan* known_plan(Program& program, const Call& call, std::vector<int64_t>& cells) {
  const auto found = program.plans->plans.find(signature_of(call));
  if (found == program.plans->plans.end()) return nullptr;
  for (Plan* plan : found->second) {
    if (!evaluate_dims(*plan, call, cells)) return nullptr;
    if (guards_hold(*plan, cells)) {
      Py_INCREF(plan);
      return plan;
    }
  }
  return nullptr;
}

Plan* new_plan(Program& program, const Call& call, std::vector<int64_t>& cells) {
  ++engine_stats.misses;
  Plan* plan = compile(program, call);
  if (!plan) return nullptr;
  if (!program.plans) {
    raise("RuntimeError", "compile: the program was dropped while it was compiled");
  } else if (!fits(*plan, call)) {
    raise("RuntimeError",
          "compile: the plan's inputs do not have the dtypes and ranks of the call");
  } else if (evaluate_dims(*plan, call, cells)) {
    if (guards_hold(*plan, cells)) {
      remember(program, call, plan);
      return plan;
    }
    raise("RuntimeError", "compile: the plan's guards do not hold for the call it was made for");
  }
  Py_DECREF(plan);
  return nullptr;
}

uint64_t next_id = 0;

// As `bind`, all machine code that is missing compiled together; dry runs need none.
std::unique_ptr<Binding> bind_whole(Plan* plan, PyObject* explain, const Call& call,
                                    const std::vector<int64_t>& cells) {
  CodeBatch missing;
  std::unique_ptr<Binding> binding = bind(plan, explain, call, cells);
  if (!binding || missing.empty() || dry_runs) return binding;
  return missing.compile() ? bind(plan, explain, call, cells) : nullptr;
}

}  // namespace

void init_program(Program& program, PyObject* compile, PyObject* explain) {
  program.id = ++next_id;
  program.compile = Py_NewRef(compile);
  program.explain = explain == Py_None ? nullptr : Py_XNewRef(explain);
  program.plans = new PlanTable;
}

int traverse_program(Program& program, visitproc visit, void* arg) {
  Py_VISIT(program.compile);
  Py_VISIT(program.explain);
  return 0;
}

void clear_program(Program& program) {
  Py_CLEAR(program.compile);
  Py_CLEAR(program.explain);
  PlanTable* table = program.plans;
  program.plans = nullptr;
  if (!table) return;
  for (auto& [key, plans] : table->plans) {
    for (Plan* plan : plans) Py_DECREF(plan);
  }
  delete table;
}

PyObject* arguments_of(const Call& call) {
  if (call.arguments) return Py_NewRef(call.arguments);
  if (call.describe) return call.describe(call.context);
  return Py_NewRef(Py_None);
}

const Binding* find_hit(const Key& key) {
  const Binding* binding = cache().find(key.hash(), key.words());
  if (binding) ++engine_stats.hits;
  return binding;
}

const Binding* find_binding(Program& program, const Call& call) {
  const Key key(program, call);
  if (const Binding* binding = find_hit(key)) return binding;
  return make_binding(program, call, key);
}

const Binding* make_binding(Program& program, const Call& call, const Key& key) {
  if (!program.plans) {
    raise("RuntimeError", "program: it was dropped while it was in use");
    return nullptr;
  }
  std::vector<int64_t> cells;
  Plan* plan = known_plan(program, call, cells);
  if (plan) {
    ++engine_stats.plan_hits;
  } else if (!PyErr_Occurred()) {
    plan = new_plan(program, call, cells);
  }
  if (!plan) return nullptr;
  PyObject* explain = Py_XNewRef(program.explain);
  std::unique_ptr<Binding> binding = bind_whole(plan, explain, call, cells);
  Py_XDECREF(explain);
  Py_DECREF(plan);
  if (!binding) return nullptr;
  binding->key.assign(key.words().begin(), key.words().end());
  return cache().insert(key.hash(), std::move(binding));
}

int output_count(const Binding& binding) { return static_cast<int>(binding.plan->outputs.size()); }

int residual_count(const Binding& binding) {
  return static_cast<int>(binding.plan->residuals.size());
}

GradRecord* grad_record(const Binding& binding) { return binding.plan->grad; }

std::span<const int> written_inputs(const Binding& binding) { return binding.plan->writes; }

int alias_of(const Binding& binding, int k) {
  const BoundOutput& output = binding.outputs[k];
  const bool aliases =
      output.kind == BoundOutput::Kind::kView || output.kind == BoundOutput::Kind::kSame;
  return aliases ? output.source : -1;
}

}  // namespace gleed
