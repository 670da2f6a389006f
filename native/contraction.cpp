#include "contraction.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "contraction_kernels.h"
#include "errors.h"
#include "library.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr double kTaskWork = 1 << 17;  // multiplications worth handing to another thread: some µs
constexpr int64_t kMaxTasks = 64;
constexpr double kItemWork = 1 << 23;  // batch items larger than this are divided themselves
constexpr size_t kBatchWorkspace = 4 << 20;

// A batch axis; strides in bytes.
struct BatchAxis {
  int64_t size, a, b, c;
};

// A prepared product, or a batch of them.
struct Matmul {
  std::unique_ptr<Multiplier> multiplier;
  std::vector<BatchAxis> batch;
  int64_t items = 0;
  int64_t tasks = 1;        // in which the batch is divided
  size_t each = 0;          // bytes of workspace of a task
  bool swapped = false;     // the product is computed transposed
  int64_t bias_size = 0;    // of a bias that is copied first; else 0
  int64_t bias_stride = 0;  // in bytes; 0 where one number is repeated
  int itemsize = 0;
};

ProductPointers item(const Matmul& matmul, ProductPointers at, int64_t number) {
  for (size_t axis = matmul.batch.size(); axis-- > 0;) {
    const BatchAxis& x = matmul.batch[axis];
    const int64_t i = number % x.size;
    number /= x.size;
    at.a += i * x.a;
    at.b += i * x.b;
    at.c += i * x.c;
  }
  return at;
}

void run_batch(const Matmul& matmul, const ProductPointers& at) {
  parallel_for(matmul.tasks, [&](int64_t task) {
    ProductPointers mine = at;
    mine.workspace += task * matmul.each;
    const Range range = part(matmul.items, matmul.tasks, task);
    for (int64_t number = range.begin; number < range.end; ++number) {
      matmul.multiplier->run(item(matmul, mine, number));
    }
  });
}

const char* copy_bias(const Matmul& matmul, const char* bias, char* to) {
  for (int64_t j = 0; j < matmul.bias_size; ++j) {
    std::memcpy(to + j * matmul.itemsize, bias + j * matmul.bias_stride, matmul.itemsize);
  }
  return to;
}

void execute(const RoutineCall& call) {
  const Matmul& matmul = *static_cast<const Matmul*>(call.state);
  const bool bias = call.geometry.operands.size() == 4;
  ProductPointers at = {call.pointers[matmul.swapped],
                        call.pointers[!matmul.swapped],
                        call.pointers[bias ? 3 : 2],
                        bias ? call.pointers[2] : nullptr,
                        call.workspace,
                        call.again,
                        call.epilogue,
                        call.prologues[matmul.swapped],
                        call.prologues[!matmul.swapped]};
  if (matmul.bias_size) {
    at.bias = copy_bias(matmul, at.bias, call.workspace + matmul.tasks * matmul.each);
  }
  if (matmul.items == 1) {
    matmul.multiplier->run(at);
  } else if (matmul.items > 1) {
    run_batch(matmul, at);
  }
}

bool reject(const char* rule) {
  raise("ValueError", "matmul: %s; the plan gives other operands", rule);
  return false;
}

bool check(const RoutineGeometry& g) {
  const size_t count = g.operands.size();
  if (count != 3 && count != 4) return reject("operands are a, b, out or a, b, bias, out");
  if (count == 4 && g.dims.size() != 1) return reject("with a bias there is one dim, relu");
  const Layout &a = *g.operands[0].layout, &b = *g.operands[1].layout;
  const Layout& c = *g.operands[count - 1].layout;
  for (const RoutineOperand& operand : g.operands) {
    if (operand.dtype != g.operands[0].dtype) return reject("all operands have one dtype");
  }
  const int d = a.ndim;
  if (d < 2 || b.ndim != d || c.ndim != d) return reject("operands have as many axes, two or more");
  for (int i = 0; i < d - 2; ++i) {
    if (a.sizes[i] != c.sizes[i] || b.sizes[i] != c.sizes[i]) return reject("batch axes are equal");
  }
  if (a.sizes[d - 1] != b.sizes[d - 2] || c.sizes[d - 2] != a.sizes[d - 2] ||
      c.sizes[d - 1] != b.sizes[d - 1]) {
    return reject("[m, k] times [k, n] gives [m, n]");
  }
  if (!c.contiguous) return reject("the result is row-major");
  if (count == 4) {
    const Layout& bias = *g.operands[2].layout;
    if (bias.ndim != 1 || bias.sizes[0] != c.sizes[d - 1]) return reject("bias has n elements");
  }
  return true;
}

Product describe(const RoutineGeometry& g) {
  const Layout &a = *g.operands[0].layout, &b = *g.operands[1].layout;
  const int d = a.ndim;
  const int64_t item = itemsize(g.operands[0].dtype);
  Product p;
  p.dtype = g.operands[0].dtype;
  p.m = a.sizes[d - 2];
  p.k = a.sizes[d - 1];
  p.n = b.sizes[d - 1];
  p.a_row = item * a.strides[d - 2];
  p.a_depth = item * a.strides[d - 1];
  p.b_depth = item * b.strides[d - 2];
  p.b_column = item * b.strides[d - 1];
  p.c_row = item * p.n;
  p.bias = g.operands.size() == 4;
  p.relu = p.bias && g.dims[0] != 0;
  return p;
}

// Batch axes that move over a and c like more rows, while b stays, become rows; others are kept.
std::vector<BatchAxis> batch_axes(const RoutineGeometry& g, Product& p) {
  const Layout &a = *g.operands[0].layout, &b = *g.operands[1].layout;
  const Layout& c = *g.operands.back().layout;
  const int64_t item = itemsize(p.dtype);
  std::vector<BatchAxis> axes;
  for (int i = a.ndim - 3; i >= 0; --i) {
    if (c.sizes[i] == 1) continue;
    const BatchAxis axis = {c.sizes[i], item * a.strides[i], item * b.strides[i],
                            item * c.strides[i]};
    if (axes.empty() && axis.b == 0 && (p.m == 1 || axis.a == p.m * p.a_row)) {
      if (p.m == 1) p.a_row = axis.a;
      p.m *= axis.size;
    } else {
      axes.insert(axes.begin(), axis);
    }
  }
  return axes;
}

void normalise_strides(Product& p) {
  const int64_t item = itemsize(p.dtype);
  if (p.k == 1) p.a_depth = p.b_depth = item;
  if (p.m == 1) p.a_row = p.k * p.a_depth;
  if (p.n == 1) p.b_column = p.b_depth == item ? p.k * item : item;
}

// A product with one column is one with one row, transposed; tiles fill rows.
bool prefer_row(Product& p, std::vector<BatchAxis>& batch) {
  if (p.n != 1 || p.m == 1 || p.bias || !has_micro_kernels(p.dtype) || suits_dot(p)) return false;
  std::swap(p.m, p.n);
  std::swap(p.a_row, p.b_column);
  std::swap(p.a_depth, p.b_depth);
  p.c_row = p.n * itemsize(p.dtype);
  for (BatchAxis& axis : batch) std::swap(axis.a, axis.b);
  return true;
}

// Small items are divided among threads whole, large ones one after another in themselves.
int64_t batch_tasks(const Matmul& matmul, double item_work) {
  if (matmul.items < 2 || item_work > kItemWork) return 1;
  const int64_t fit = std::max<int64_t>(1, kBatchWorkspace / std::max<size_t>(1, matmul.each));
  return std::min({task_count(item_work * matmul.items), matmul.items, fit});
}

double nanoseconds(const Product& p) {
  const double each = !has_micro_kernels(p.dtype) ? 0.3 : p.dtype == DType::kFloat64 ? 0.04 : 0.02;
  return each * p.work();
}

// How often an operand is computed that has no memory, if that would be dense along the depth.
int64_t computed(const Matmul& matmul, const Product& p, bool of_b) {
  const Multiplier& m = *matmul.multiplier;
  const int64_t item = itemsize(p.dtype), lane = of_b ? p.b_column : p.a_row;
  if ((of_b ? p.b_depth : p.a_depth) != item || lane != p.k * item) return 0;
  int64_t times = of_b ? m.computes_b : m.computes_a;
  for (const BatchAxis& axis : matmul.batch) times *= (of_b ? axis.b : axis.a) ? 1 : axis.size;
  return times;
}

bool prepare(const RoutineGeometry& g, RoutinePlan& plan) {
  if (!check(g)) return false;
  auto matmul = std::make_shared<Matmul>();
  plan.state = matmul;
  if (g.operands.back().layout->numel == 0) return true;
  Product p = describe(g);
  matmul->batch = batch_axes(g, p);
  normalise_strides(p);
  matmul->swapped = prefer_row(p, matmul->batch);
  p.a_computed = g.operands[matmul->swapped].computed;
  p.b_fixed = g.operands[!matmul->swapped].fixed && matmul->batch.empty();
  matmul->multiplier = make_multiplier(p);
  if (!matmul->multiplier) return false;
  matmul->items = 1;
  for (const BatchAxis& axis : matmul->batch) matmul->items *= axis.size;
  matmul->each = round_up(matmul->multiplier->workspace, 64);
  matmul->tasks = batch_tasks(*matmul, p.work());
  matmul->itemsize = itemsize(p.dtype);
  plan.workspace = matmul->tasks * matmul->each;
  if (p.bias && p.n > 1 && g.operands[2].layout->strides[0] != 1) {
    matmul->bias_stride = g.operands[2].layout->strides[0] * matmul->itemsize;
    matmul->bias_size = p.n;
    plan.workspace += p.n * matmul->itemsize;
  }
  plan.nanoseconds = nanoseconds(p) * matmul->items;
  plan.row = g.operands.back().layout->shape().back();
  plan.computed_row = p.k;
  for (int i = 0; i < 2; ++i) plan.computed[i] = computed(*matmul, p, i != matmul->swapped);
  return true;
}

const RegisterRoutine registered({.name = "matmul", .prepare = prepare, .execute = execute});

}  // namespace

double Product::work() const {
  constexpr double kThin = 6;
  return std::max<double>(std::min(m, n), kThin) * std::max(m, n) * k;
}

std::unique_ptr<Multiplier> make_multiplier(const Product& p) {
  if (!has_micro_kernels(p.dtype)) return make_plain(p);
  if (suits_deep(p)) return make_deep(p);
  return suits_dot(p) ? make_dot(p) : make_blocked(p);
}

int64_t scratch_pitch(int64_t depth, int64_t item) { return round_up(depth * item, 64) + 64; }

Lanes Lanes::fetched(const Prologue* prologue, int64_t lanes, int64_t depth) const {
  if (!prologue) return *this;
  thread_local const std::unique_ptr<char, decltype(&std::free)> scratch(
      static_cast<char*>(std::aligned_alloc(64, kScratch)), std::free);
  const int64_t pitch = scratch_pitch(depth, step);
  (*prologue)(at, lanes, depth, scratch.get(), pitch);
  return {scratch.get(), pitch, step};
}

int64_t task_count(double work) {
  return std::clamp<int64_t>(static_cast<int64_t>(work / kTaskWork), 1, kMaxTasks);
}

}  // namespace gleed
