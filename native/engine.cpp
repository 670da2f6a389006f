#include "engine.h"

#include <algorithm>

namespace gleed {

namespace {

constexpr uint32_t kNone = UINT32_MAX;

// One node in one backward.
struct Task {
  Node* node;
  uint32_t pending;     // edges into it that have not delivered yet
  uint32_t first_slot;  // into Run::slots
  uint32_t first_edge;  // into Run::edge_tasks
  bool needed;          // an input that was asked for lies behind it
  bool captures;        // one of its slots was asked for
};

struct Capture {
  uint32_t task, slot, result;
};

// The state of one backward. Kept for the next one, so that a training loop allocates nothing here.
struct Run {
  std::vector<Task> tasks;
  std::vector<Tensor*> slots;        // cotangents, owned
  std::vector<uint32_t> edge_tasks;  // the task behind each edge, or kNone
  std::vector<uint32_t> table;       // open addressing: node -> task
  std::vector<uint32_t> ready;       // a heap: the latest node first
  std::vector<uint32_t> pending_visit;
  std::vector<Capture> captures;
  std::vector<Node*> roots;  // counted: user code may drop the tensors that lead to them
  std::vector<Tensor*> gradients;
  std::vector<uint8_t> needed;
  BackwardOptions options;
  bool selective;   // only `captures` are wanted
  bool accumulate;  // leaves get their grad
  Run* next = nullptr;

  uint32_t find(Node* node, size_t* place) const;
  uint32_t task_of(Node* node);
  void discover();
  void mark_needed();
  auto earlier() const {
    return [this](uint32_t a, uint32_t b) {
      return tasks[a].node->sequence < tasks[b].node->sequence;
    };
  }
  void enqueue(uint32_t task);
  uint32_t dequeue();
  bool deliver(uint32_t task, uint32_t slot, Tensor* gradient);
  bool execute(uint32_t task, Tensor** results);
  bool start(std::span<Tensor* const> results, std::span<Tensor* const> cotangents);
  bool aim(std::span<Tensor* const> inputs);
  void clear();
};

Run* idle_runs = nullptr;

Run* take_run() {
  Run* run = idle_runs;
  if (run) {
    idle_runs = run->next;
  } else {
    run = new Run;
    run->table.assign(64, kNone);
  }
  return run;
}

size_t hash(const Node* node) {
  return (reinterpret_cast<uintptr_t>(node) >> 6) * 0x9E3779B97F4A7C15u >> 20;
}

// The task of a node, or kNone and the place in the table where it belongs.
uint32_t Run::find(Node* node, size_t* place) const {
  const size_t mask = table.size() - 1;
  size_t at = hash(node) & mask;
  while (table[at] != kNone && tasks[table[at]].node != node) at = (at + 1) & mask;
  *place = at;
  return table[at];
}

// The task of a node, made (and put down for a visit) when it is first met.
uint32_t Run::task_of(Node* node) {
  size_t place;
  uint32_t index = find(node, &place);
  if (index != kNone) return index;
  index = static_cast<uint32_t>(tasks.size());
  table[place] = index;
  tasks.push_back({node, 0, static_cast<uint32_t>(slots.size()), 0, !selective, false});
  slots.resize(slots.size() + node->slot_count, nullptr);
  pending_visit.push_back(index);
  if (tasks.size() * 2 > table.size()) {
    table.assign(table.size() * 4, kNone);
    for (uint32_t i = 0; i < tasks.size(); ++i) {
      find(tasks[i].node, &place);
      table[place] = i;
    }
  }
  return index;
}

// Finds everything that can be reached, and counts the edges into each node.
void Run::discover() {
  while (!pending_visit.empty()) {
    uint32_t index = pending_visit.back();
    pending_visit.pop_back();
    Node* node = tasks[index].node;
    tasks[index].first_edge = static_cast<uint32_t>(edge_tasks.size());
    for (uint32_t i = 0; i < node->edge_count; ++i) {
      uint32_t behind = kNone;
      if (Node* next = node->edges[i].node) {
        behind = task_of(next);
        ++tasks[behind].pending;
      }
      edge_tasks.push_back(behind);
    }
  }
}

// Whether an input that was asked for lies behind a node: seen in one pass over all nodes, each
// after those that its edges lead to. (Age does not tell: a view that was written to gets its
// history when it is next used, which is by a node that is older then.)
void Run::mark_needed() {
  std::vector<uint32_t> order, pending;
  for (uint32_t i = 0; i < tasks.size(); ++i) {
    pending.push_back(tasks[i].pending);
    if (!pending[i]) order.push_back(i);
  }
  const auto edges = [this](uint32_t task) {
    return std::span(edge_tasks).subspan(tasks[task].first_edge, tasks[task].node->edge_count);
  };
  for (size_t k = 0; k < order.size(); ++k) {
    for (uint32_t behind : edges(order[k])) {
      if (behind != kNone && --pending[behind] == 0) order.push_back(behind);
    }
  }
  for (const Capture& capture : captures) tasks[capture.task].captures = true;
  std::for_each(order.rbegin(), order.rend(), [&](uint32_t index) {
    for (uint32_t behind : edges(index)) {
      tasks[index].needed |= behind != kNone && (tasks[behind].needed || tasks[behind].captures);
    }
  });
}

void Run::enqueue(uint32_t task) {
  ready.push_back(task);
  std::push_heap(ready.begin(), ready.end(), earlier());
}

uint32_t Run::dequeue() {
  std::pop_heap(ready.begin(), ready.end(), earlier());
  uint32_t task = ready.back();
  ready.pop_back();
  return task;
}

// Adds to what flows into a slot. Takes over the reference to `gradient`.
bool Run::deliver(uint32_t task, uint32_t slot, Tensor* gradient) {
  const size_t place = tasks[task].first_slot + slot;
  Tensor* known = slots[place];
  if (!known) {
    slots[place] = gradient;
    return true;
  }
  // A sum that is ours alone is built up in place; otherwise whatever else holds it would change.
  // It is laid out as what came first, whoever holds that.
  EngineOp op = EngineOp::kAdd;
  if (!options.create_graph && exclusive(known)) {
    op = EngineOp::kAddInplace;
  } else if (!options.create_graph && exclusive(gradient) &&
             same_strides(known->layout, gradient->layout)) {
    op = EngineOp::kAddInplace;
    std::swap(known, gradient);
  }
  PyObject* arguments[] = {object(known), object(gradient)};
  PyObject* sum = call_engine_op(op, arguments);
  slots[place] = nullptr;
  Py_DECREF(object(known));
  Py_DECREF(object(gradient));
  if (!sum) return false;
  slots[place] = as_tensor(sum);
  return true;
}

// Hooks on the tensors that a node's slots are, and the grads of those that keep theirs.
bool run_slot_hooks(Node* node, std::span<Tensor*> cotangents, bool create_graph) {
  NodeExtras& more = *node->extras;
  // Copies: hooks are Python code, and may add or remove hooks.
  auto tensor_hooks = more.tensor_hooks;
  for (auto& hooks : tensor_hooks) {
    if (cotangents[hooks.slot] && !run_tensor_hooks(hooks.hooks, &cotangents[hooks.slot])) {
      return false;
    }
  }
  if (more.pre_hooks && !run_pre_hooks(node, cotangents)) return false;
  for (size_t i = 0; i < more.retained.size(); ++i) {
    AutogradMeta* meta = more.retained[i];
    Tensor* cotangent = cotangents[meta->slot];
    if (cotangent && !accumulate_into(meta, cotangent, create_graph)) return false;
  }
  return true;
}

void drop_all(std::span<Tensor*> tensors) {
  for (Tensor*& t : tensors) {
    Tensor* dropped = t;
    t = nullptr;
    if (dropped) Py_DECREF(object(dropped));
  }
}

bool Run::execute(uint32_t index, Tensor** results) {
  const Task task = tasks[index];
  Node* node = task.node;
  std::span<Tensor*> cotangents(slots.data() + task.first_slot, node->slot_count);
  const auto defined = [&] {
    return std::any_of(cotangents.begin(), cotangents.end(),
                       [](Tensor* t) { return t != nullptr; });
  };
  bool runs = defined() && (task.needed || task.captures);
  if (runs && node->extras && !run_slot_hooks(node, cotangents, options.create_graph)) return false;
  if (task.captures) {
    for (const Capture& capture : captures) {
      if (capture.task != index || !cotangents[capture.slot]) continue;
      Py_INCREF(object(cotangents[capture.slot]));
      if (results) results[capture.result] = cotangents[capture.slot];
    }
    for (const Capture& capture : captures) {
      if (options.partial && capture.task == index) drop_all(cotangents.subspan(capture.slot, 1));
    }
    runs = runs && defined();
  }
  gradients.assign(node->edge_count, nullptr);
  if (node->kind == NodeKind::kAccumulate) {
    bool ok =
        !runs || !accumulate ||
        accumulate_grad(static_cast<AccumulateNode*>(node), cotangents[0], options.create_graph);
    drop_all(cotangents);
    return ok;
  }
  bool ok = true;
  if (runs && task.needed) {
    needed.resize(node->edge_count);
    for (uint32_t i = 0; i < node->edge_count; ++i) {
      uint32_t behind = edge_tasks[task.first_edge + i];
      needed[i] = behind != kNone && (tasks[behind].needed || tasks[behind].captures);
    }
    Application application{cotangents, needed, gradients, options};
    ok = apply(node, application);
  }
  drop_all(cotangents);
  for (uint32_t i = 0; i < node->edge_count; ++i) {
    Tensor* gradient = gradients[i];
    gradients[i] = nullptr;
    uint32_t behind = edge_tasks[task.first_edge + i];
    if (!ok || behind == kNone) {
      if (gradient) Py_DECREF(object(gradient));
      continue;
    }
    if (gradient && !deliver(behind, node->edges[i].slot, gradient)) ok = false;
    if (--tasks[behind].pending == 0) enqueue(behind);
  }
  return ok;
}

// Puts the cotangents of the results where they enter the graph.
bool Run::start(std::span<Tensor* const> results, std::span<Tensor* const> cotangents) {
  for (size_t i = 0; i < results.size(); ++i) {
    bool ok = true;
    Edge edge = gradient_edge(results[i], &ok);
    if (!ok) return false;
    if (!edge.node) continue;
    roots.push_back(keep(edge.node));
    uint32_t task = task_of(edge.node);
    discover();
    Py_INCREF(object(cotangents[i]));
    if (!deliver(task, edge.slot, cotangents[i])) return false;
  }
  for (Node* root : roots) {
    uint32_t task = task_of(root);
    if (tasks[task].pending == 0 && std::find(ready.begin(), ready.end(), task) == ready.end()) {
      enqueue(task);
    }
  }
  return true;
}

// Notes which slots are asked for. One that no root leads to has no gradient.
bool Run::aim(std::span<Tensor* const> inputs) {
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    bool ok = true;
    Edge edge = gradient_edge(inputs[i], &ok);
    if (!ok) return false;
    size_t place;
    uint32_t task = edge.node ? find(edge.node, &place) : kNone;
    if (task != kNone) captures.push_back({task, edge.slot, i});
  }
  mark_needed();
  return true;
}

void Run::clear() {
  drop_all(slots);
  drop_all(gradients);
  tasks.clear();
  slots.clear();
  edge_tasks.clear();
  ready.clear();
  pending_visit.clear();
  captures.clear();
  table.assign(table.size() > 4096 ? 64 : table.size(), kNone);
  for (Node* node : roots) drop(node);
  roots.clear();
}

// Accumulates the gradients of those inputs that are no leaves; leaves have theirs already.
bool accumulate_results(std::span<Tensor* const> inputs, std::span<Tensor*> results,
                        bool create_graph) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    AutogradMeta* meta = inputs[i]->grad_meta;
    if (!results[i] || !meta || !meta->grad_fn || meta->retains_grad) continue;
    if (!accumulate_into(meta, results[i], create_graph)) return false;
  }
  return true;
}

}  // namespace

bool run_backward(std::span<Tensor* const> roots, std::span<Tensor* const> cotangents,
                  std::span<Tensor* const> inputs, Tensor** results, BackwardOptions options) {
  Run* run = take_run();
  run->options = options;
  run->selective = !inputs.empty();
  run->accumulate = results == nullptr;
  std::vector<Tensor*> found(results ? 0 : inputs.size(), nullptr);
  Tensor** places = results ? results : found.data();

  const Modes before = modes;
  modes = Modes{options.create_graph, false};
  bool ok = run->start(roots, cotangents) && (inputs.empty() || run->aim(inputs));
  while (ok && !run->ready.empty()) ok = run->execute(run->dequeue(), places);
  if (ok && !results) ok = accumulate_results(inputs, found, options.create_graph);
  modes = before;

  drop_all(found);
  run->clear();
  run->next = idle_runs;
  idle_runs = run;
  return ok;
}

}  // namespace gleed
