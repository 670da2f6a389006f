// The routine "attention_gradient" (attention.h). A task takes some keys of a head and goes through
// the queries; the shares of dq of several tasks are added in the order of the keys.
#include <algorithm>
#include <cstring>

#include "attention.h"
#include "contraction.h"
#include "threads.h"

namespace gleed {

namespace {

enum { kQ, kK, kV, kScale, kG, kLse, kDelta, kMask };  // operands

struct Gradient {
  AttentionShape shape;
  AttentionTasks tasks;
  int64_t block;  // of keys
  // For q · kᵀ, g · vᵀ, s · k, sᵀ · q and pᵀ · g.
  Panels keys_turned, values_turned, keys, queries, cotangents;
  TileProduct to_scores, to_queries, to_keys, to_values;
  KernelFunction shift = nullptr, weights, add;
  int64_t score_row;  // bytes
  size_t values_turned_at, keys_at, queries_at, cotangents_at, weights_at, slopes_at;
  size_t shares_at;  // in the workspace, after those of the tasks: dq of each part
};

// One head, some of its keys.
class Head {
 public:
  Head(const Gradient& gradient, const RoutineCall& call, int64_t head, char* workspace)
      : a_(gradient), s_(gradient.shape), work_(workspace) {
    const size_t first = call.geometry.operands.size() - 3;
    q_ = matrix_of(call, kQ, head);
    k_ = matrix_of(call, kK, head);
    v_ = matrix_of(call, kV, head);
    g_ = matrix_of(call, kG, head);
    lse_ = matrix_of(call, kLse, head, 1);
    delta_ = matrix_of(call, kDelta, head, 1);
    mask_ = s_.masked ? matrix_of(call, kMask, head) : Matrix{};
    dq_ = matrix_of(call, first, head);
    dk_ = matrix_of(call, first + 1, head);
    dv_ = matrix_of(call, first + 2, head);
    scale_ = {call.pointers[kScale], 0, 0};
  }

  // `share` takes the part of dq; null: dq itself does.
  void run(Range blocks, char* share) {
    const int64_t row_bytes = s_.depth * s_.item;
    if (share) dq_ = {share, row_bytes, s_.item};
    clear(dq_, s_.queries, row_bytes);
    for (int64_t b = blocks.begin; b < blocks.end; ++b) {
      const int64_t first = b * a_.block, count = std::min(a_.block, s_.keys - first);
      clear({dk_.to(first), dk_.row, s_.item}, count, row_bytes);
      clear({dv_.to(first), dv_.row, s_.item}, count, s_.columns * s_.item);
      a_.keys_turned.pack(k_.to(first), count, s_.depth, work_);
      a_.values_turned.pack(v_.to(first), count, s_.columns, work_ + a_.values_turned_at);
      a_.keys.pack(k_.to(first), s_.depth, count, work_ + a_.keys_at);
      const int64_t begin = s_.causal ? first / kQueryBlock * kQueryBlock : 0;
      for (int64_t i = begin; i < s_.queries; i += kQueryBlock) {
        step(i, std::min(kQueryBlock, s_.queries - i), first, count);
      }
    }
  }

 private:
  // Queries from `i` on and keys from `first` on.
  void step(int64_t i, int64_t rows, int64_t first, int64_t count) const {
    const int64_t seen = s_.causal ? std::min(count, i + rows - first) : count;
    if (seen <= 0) return;
    const Matrix weights = {work_ + a_.weights_at, a_.score_row, s_.item};
    const Matrix slopes = {work_ + a_.slopes_at, a_.score_row, s_.item};
    const Matrix q = {q_.to(i), q_.row, q_.column}, g = {g_.to(i), g_.row, g_.column};
    a_.to_scores.run(q, a_.keys_turned, work_, weights.at, weights.row, rows, seen, s_.depth,
                     false);
    a_.to_scores.run(g, a_.values_turned, work_ + a_.values_turned_at, slopes.at, slopes.row, rows,
                     seen, s_.columns, false);
    weigh(i, rows, first, seen, weights, slopes);
    a_.queries.pack(q.at, s_.depth, rows, work_ + a_.queries_at);
    a_.cotangents.pack(g.at, s_.columns, rows, work_ + a_.cotangents_at);
    a_.to_queries.run(slopes, a_.keys, work_ + a_.keys_at, dq_.to(i), dq_.row, rows, s_.depth, seen,
                      true);
    a_.to_keys.run(turned(slopes), a_.queries, work_ + a_.queries_at, dk_.to(first), dk_.row, seen,
                   s_.depth, rows, true);
    a_.to_values.run(turned(weights), a_.cotangents, work_ + a_.cotangents_at, dv_.to(first),
                     dv_.row, seen, s_.columns, rows, true);
  }

  // From scores and their cotangents to weights and gradients of scores, zero beyond the diagonal.
  void weigh(int64_t i, int64_t rows, int64_t first, int64_t seen, Matrix weights,
             Matrix slopes) const {
    Matrix factor = scale_;
    if (s_.masked) {
      const Matrix mask = {mask_.to(i) + first * mask_.column, mask_.row, mask_.column};
      launch(a_.shift, rows, seen, {weights, scale_, mask, weights});
      factor.at = const_cast<char*>(one_of(s_.dtype));
    }
    launch(a_.weights, rows, seen,
           {weights,
            slopes,
            {lse_.to(i), lse_.row, 0},
            {delta_.to(i), delta_.row, 0},
            factor,
            scale_,
            weights,
            slopes});
    if (!s_.causal) return;
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t visible = std::clamp<int64_t>(i + row + 1 - first, 0, seen);
      const size_t bytes = (seen - visible) * s_.item;
      std::memset(weights.to(row) + visible * s_.item, 0, bytes);
      std::memset(slopes.to(row) + visible * s_.item, 0, bytes);
    }
  }

  static Matrix turned(Matrix x) { return {x.at, x.column, x.row}; }

  const Gradient& a_;
  const AttentionShape& s_;
  char* work_;
  Matrix q_, k_, v_, g_, lse_, delta_, mask_, dq_, dk_, dv_, scale_;
};

// dq of a head from the shares of its parts.
void gather(const Gradient& a, const RoutineCall& call, int64_t head) {
  const AttentionShape& s = a.shape;
  const int64_t row_bytes = s.depth * s.item, bytes = s.queries * row_bytes;
  const Matrix dq = matrix_of(call, call.geometry.operands.size() - 3, head);
  Matrix share = {call.workspace + a.shares_at + head * a.tasks.parts * bytes, row_bytes, s.item};
  for (int64_t i = 0; i < s.queries; ++i) std::memcpy(dq.to(i), share.to(i), row_bytes);
  for (int64_t i = 1; i < a.tasks.parts; ++i) {
    share.at += bytes;
    launch(a.add, s.queries, s.depth, {dq, share, dq});
  }
}

void execute(const RoutineCall& call) {
  const Gradient& gradient = *static_cast<const Gradient*>(call.state);
  const AttentionShape& s = gradient.shape;
  const AttentionTasks& t = gradient.tasks;
  const int64_t blocks = ceil_div(s.keys, gradient.block);
  parallel_for(t.tasks, [&](int64_t task) {
    const Range mine = part(s.heads * t.parts, t.tasks, task);
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      char* share = call.workspace + gradient.shares_at + i * s.queries * s.depth * s.item;
      Head(gradient, call, i / t.parts, call.workspace + task * t.each)
          .run(part(blocks, t.parts, i % t.parts), t.parts > 1 ? share : nullptr);
    }
  });
  if (t.parts == 1) return;
  parallel_for(s.heads, [&](int64_t head) { gather(gradient, call, head); });
}

bool find_panels(const RoutineGeometry& g, Gradient& a) {
  const AttentionShape& s = a.shape;
  const int d = g.operands[kQ].layout->ndim;
  const auto init = [&](Panels& panels, int operand, bool turn, int64_t lanes, int64_t steps) {
    const Layout& x = *g.operands[operand].layout;
    const int64_t row = s.item * x.strides[d - 2], column = s.item * x.strides[d - 1];
    return panels.init(s.dtype, turn ? row : column, turn ? column : row, lanes, steps);
  };
  const int64_t keys = std::min(a.block, s.keys), rows = std::min(kQueryBlock, s.queries);
  return init(a.keys_turned, kK, true, keys, s.depth) &&
         init(a.values_turned, kV, true, keys, s.columns) &&
         init(a.keys, kK, false, s.depth, keys) && init(a.queries, kQ, false, s.depth, rows) &&
         init(a.cotangents, kG, false, s.columns, rows);
}

bool find_kernels(const RoutineGeometry& g, Gradient& a) {
  const AttentionShape& s = a.shape;
  const int64_t keys = std::min(a.block, s.keys);
  const int64_t by_query[] = {std::min(s.queries, kQueryBlock), s.queries % kQueryBlock};
  // Beside the diagonal a block of keys ends where the last queries do.
  const int64_t by_key[] = {keys, s.keys % a.block, s.causal ? s.queries : 0};
  if (!a.to_scores.init(s.dtype, by_query, keys, true) ||
      !a.to_queries.init(s.dtype, by_query, s.depth, false) ||
      !a.to_keys.init(s.dtype, by_key, s.depth, false) ||
      !a.to_values.init(s.dtype, by_key, s.columns, false)) {
    return false;
  }
  if (s.masked) {
    const Layout& mask = *g.operands[kMask].layout;
    const char moves = stride_class(s.item * mask.strides[mask.ndim - 1], s.item);
    const char classes[] = {'1', '0', moves, '1', 0};
    a.shift = attention_kernel("shift", s.dtype, Orientation::kMap, classes);
    if (!a.shift) return false;
  }
  return (a.weights = attention_kernel("weights", s.dtype, Orientation::kMap, "11000011")) &&
         (a.add = attention_kernel("add", s.dtype, Orientation::kMap, "111"));
}

bool prepare(const RoutineGeometry& g, RoutinePlan& plan) {
  auto state = std::make_shared<Gradient>();
  Gradient& a = *state;
  AttentionShape& s = a.shape;
  plan.state = state;
  if (!describe_attention(g, 10, kMask, s)) return false;
  a.block = s.key_block();
  if (!find_panels(g, a) || !find_kernels(g, a)) return false;
  size_t used = 0;
  const auto take = [&](size_t bytes) {
    const size_t at = used;
    used += round_up(bytes, 64);
    return at;
  };
  a.score_row = (round_up(std::min(a.block, s.keys), 64) + 16) * s.item;
  take(a.keys_turned.bytes());
  a.values_turned_at = take(a.values_turned.bytes());
  a.keys_at = take(a.keys.bytes());
  a.queries_at = take(a.queries.bytes());
  a.cotangents_at = take(a.cotangents.bytes());
  a.weights_at = take(kQueryBlock * a.score_row);
  a.slopes_at = take(kQueryBlock * a.score_row);
  a.tasks = AttentionTasks(s, ceil_div(s.keys, a.block), used);
  a.shares_at = a.tasks.tasks * a.tasks.each;
  plan.workspace = a.shares_at;
  if (a.tasks.parts > 1) {
    plan.workspace += s.heads * a.tasks.parts * s.queries * s.depth * s.item;
  }
  plan.nanoseconds = 0.05 * s.work() * (s.dtype == DType::kFloat64 ? 2 : 1);
  return true;
}

const RegisterRoutine registered(
    {.name = "attention_gradient", .prepare = prepare, .execute = execute, .inputs = 7});

}  // namespace

}  // namespace gleed
