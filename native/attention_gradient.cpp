// The routine "attention_gradient" (attention.h). A task takes some keys and goes through the
// queries of the heads that they serve; the shares of dq of several tasks are added in the order of
// the keys. Of narrow results the sums are kept aside: dq of a group, dk and dv of a block.
#include <algorithm>
#include <cstring>

#include "attention.h"
#include "threads.h"

namespace gleed {

namespace {

enum { kQ, kK, kV, kScale, kG, kLse, kDelta, kMask };  // operands

struct Gradient {
  AttentionShape shape;
  AttentionTasks tasks;
  int64_t block;  // of keys
  // For q · kᵀ, g · vᵀ, s · k, sᵀ · q and pᵀ · g.
  Rows query_rows, cotangent_rows;
  Panels keys_turned, values_turned, keys, queries, cotangents;
  TileProduct to_scores, to_slopes, to_queries, to_keys, to_values;
  KernelFunction shift = nullptr, weights, add, round;
  int64_t score_row;  // bytes
  size_t values_turned_at, keys_at, queries_at, cotangents_at, weights_at, slopes_at;
  size_t query_rows_at, cotangent_rows_at, dk_at, dv_at;
  size_t shares_at;  // in the workspace, after those of the tasks: sums of dq

  bool shares() const { return shape.narrow() || tasks.parts > 1; }
  int64_t share_row() const { return shape.depth * shape.wide; }
  int64_t share_bytes() const { return shape.queries * share_row(); }  // of a head
};

void round(const Gradient& a, Matrix sums, Matrix result, int64_t rows, int64_t columns) {
  const Matrix one = {const_cast<char*>(one_of(a.shape.sums)), 0, 0};
  launch(a.round, rows, columns, {sums, one, result});
}

// Some of the keys that serve a group of heads.
class Keys {
 public:
  // `share` takes what is added to dq of each of the group; null: dq itself does.
  Keys(const Gradient& gradient, const RoutineCall& call, int64_t number, char* workspace,
       char* share)
      : a_(gradient),
        s_(gradient.shape),
        call_(call),
        number_(number),
        work_(workspace),
        share_(share) {
    const size_t first = call.geometry.operands.size() - 3;
    k_ = matrix_of(call, kK, number);
    v_ = matrix_of(call, kV, number);
    dk_ = matrix_of(call, first + 1, number);
    dv_ = matrix_of(call, first + 2, number);
    scale_ = {call.pointers[kScale], 0, 0};
  }

  void run(Range blocks) {
    for (int64_t member = 0; member < s_.group; ++member) {
      select(member);
      clear(dq_, s_.queries, a_.share_row());
    }
    for (int64_t b = blocks.begin; b < blocks.end; ++b) {
      const int64_t first = b * a_.block, count = std::min(a_.block, s_.keys - first);
      start(dk_sums_, dk_, first, count, s_.depth, a_.dk_at);
      start(dv_sums_, dv_, first, count, s_.columns, a_.dv_at);
      a_.keys_turned.pack(k_.to(first), count, s_.depth, work_);
      a_.values_turned.pack(v_.to(first), count, s_.columns, work_ + a_.values_turned_at);
      a_.keys.pack(k_.to(first), s_.depth, count, work_ + a_.keys_at);
      for (int64_t member = 0; member < s_.group; ++member) {
        select(member);
        const int64_t begin = s_.causal ? first / kQueryBlock * kQueryBlock : 0;
        for (int64_t i = begin, rows; i < s_.queries; i += rows) {
          rows = std::min(s_.together(i, first, count), s_.queries - i);
          step(i, rows, first, count);
        }
      }
      finish(dk_sums_, dk_, first, count, s_.depth);
      finish(dv_sums_, dv_, first, count, s_.columns);
    }
  }

 private:
  void select(int64_t member) {
    const int64_t head = number_ * s_.group + member;
    q_ = matrix_of(call_, kQ, head);
    g_ = matrix_of(call_, kG, head);
    lse_ = matrix_of(call_, kLse, head, 1);
    delta_ = matrix_of(call_, kDelta, head, 1);
    if (s_.masked) mask_ = matrix_of(call_, kMask, head);
    dq_ = matrix_of(call_, call_.geometry.operands.size() - 3, head);
    if (share_) dq_ = {share_ + member * a_.share_bytes(), a_.share_row(), s_.wide};
  }

  // The sums for some rows of a result: where they lie, or at a place in the workspace.
  void start(Matrix& sums, Matrix result, int64_t first, int64_t rows, int64_t columns,
             size_t place) const {
    sums = {result.to(first), result.row, s_.wide};
    if (s_.narrow()) sums = {work_ + place, columns * s_.wide, s_.wide};
    clear(sums, rows, columns * s_.wide);
  }

  void finish(Matrix sums, Matrix result, int64_t first, int64_t rows, int64_t columns) const {
    if (s_.narrow()) round(a_, sums, {result.to(first), result.row, result.column}, rows, columns);
  }

  // Queries from `i` on and keys from `first` on.
  void step(int64_t i, int64_t rows, int64_t first, int64_t count) const {
    const int64_t seen = s_.causal ? std::min(count, i + rows - first) : count;
    if (seen <= 0) return;
    const Matrix weights = {work_ + a_.weights_at, a_.score_row, s_.wide};
    const Matrix slopes = {work_ + a_.slopes_at, a_.score_row, s_.wide};
    const Matrix q = a_.query_rows({q_.to(i), q_.row, q_.column}, rows, work_ + a_.query_rows_at);
    const Matrix g =
        a_.cotangent_rows({g_.to(i), g_.row, g_.column}, rows, work_ + a_.cotangent_rows_at);
    a_.to_scores.run(q, a_.keys_turned, work_, weights.at, weights.row, rows, seen, s_.depth,
                     false);
    a_.to_slopes.run(g, a_.values_turned, work_ + a_.values_turned_at, slopes.at, slopes.row, rows,
                     seen, s_.columns, false);
    weigh(i, rows, first, seen, weights, slopes);
    a_.queries.pack(q_.to(i), s_.depth, rows, work_ + a_.queries_at);
    a_.cotangents.pack(g_.to(i), s_.columns, rows, work_ + a_.cotangents_at);
    a_.to_queries.run(slopes, a_.keys, work_ + a_.keys_at, dq_.to(i), dq_.row, rows, s_.depth, seen,
                      true);
    a_.to_keys.run(turned(slopes), a_.queries, work_ + a_.queries_at, dk_sums_.at, dk_sums_.row,
                   seen, s_.depth, rows, true);
    a_.to_values.run(turned(weights), a_.cotangents, work_ + a_.cotangents_at, dv_sums_.at,
                     dv_sums_.row, seen, s_.columns, rows, true);
  }

  // From scores and their cotangents to weights and gradients of scores, zero beyond the diagonal.
  void weigh(int64_t i, int64_t rows, int64_t first, int64_t seen, Matrix weights,
             Matrix slopes) const {
    Matrix factor = scale_;
    if (s_.masked) {
      const Matrix mask = {mask_.to(i) + first * mask_.column, mask_.row, mask_.column};
      launch(a_.shift, rows, seen, {weights, scale_, mask, weights});
      factor.at = const_cast<char*>(one_of(s_.sums));
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
      const size_t bytes = (seen - visible) * s_.wide;
      std::memset(weights.to(row) + visible * s_.wide, 0, bytes);
      std::memset(slopes.to(row) + visible * s_.wide, 0, bytes);
    }
  }

  static Matrix turned(Matrix x) { return {x.at, x.column, x.row}; }

  const Gradient& a_;
  const AttentionShape& s_;
  const RoutineCall& call_;
  int64_t number_;
  char *work_, *share_;
  Matrix q_, g_, lse_, delta_, mask_, dq_;  // of one of the group
  Matrix k_, v_, dk_, dv_, scale_;
  Matrix dk_sums_, dv_sums_;  // of a block
};

// dq of a head from the shares of its parts, of which `at` is the first.
void gather(const Gradient& a, const RoutineCall& call, int64_t head, char* at) {
  const AttentionShape& s = a.shape;
  const Matrix sum = {at, a.share_row(), s.wide};
  for (int64_t i = 1; i < a.tasks.parts; ++i) {
    at += s.group * a.share_bytes();
    launch(a.add, s.queries, s.depth, {sum, {at, sum.row, sum.column}, sum});
  }
  round(a, sum, matrix_of(call, call.geometry.operands.size() - 3, head), s.queries, s.depth);
}

void execute(const RoutineCall& call) {
  const Gradient& gradient = *static_cast<const Gradient*>(call.state);
  const AttentionShape& s = gradient.shape;
  const AttentionTasks& t = gradient.tasks;
  const int64_t blocks = ceil_div(s.keys, gradient.block);
  // Of a group, or of one of its parts.
  const auto share = [&](int64_t i) {
    return call.workspace + gradient.shares_at + i * s.group * gradient.share_bytes();
  };
  parallel_for(t.tasks, [&](int64_t task) {
    const Range mine = part(s.heads / s.group * t.parts, t.tasks, task);
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      char* sums = gradient.shares() ? share(t.parts > 1 ? i : task) : nullptr;
      const int64_t number = i / t.parts;
      Keys(gradient, call, number, call.workspace + task * t.each, sums)
          .run(part(blocks, t.parts, i % t.parts));
      for (int64_t member = 0; sums && t.parts == 1 && member < s.group; ++member) {
        gather(gradient, call, number * s.group + member, sums + member * gradient.share_bytes());
      }
    }
  });
  if (t.parts == 1) return;
  parallel_for(s.heads, [&](int64_t head) {
    char* first = share(head / s.group * t.parts) + head % s.group * gradient.share_bytes();
    gather(gradient, call, head, first);
  });
}

bool find_panels(const RoutineGeometry& g, Gradient& a) {
  const AttentionShape& s = a.shape;
  const int d = g.operands[kQ].layout->ndim;
  const auto turned = [&](Panels& panels, int operand, DType tiles, int64_t lanes, int64_t steps) {
    const Layout& x = *g.operands[operand].layout;
    return panels.init(s.dtype, tiles, s.item * x.strides[d - 2], s.item * x.strides[d - 1], lanes,
                       steps);
  };
  const auto straight = [&](Panels& panels, int operand, int64_t lanes, int64_t steps) {
    const Layout& x = *g.operands[operand].layout;
    return panels.init(s.dtype, s.sums, s.item * x.strides[d - 1], s.item * x.strides[d - 2], lanes,
                       steps);
  };
  const int64_t keys = std::min(a.block, s.keys), rows = std::min(kQueryBlock, s.queries);
  return a.query_rows.init(s, *g.operands[kQ].layout, rows, s.depth) &&
         a.cotangent_rows.init(s, *g.operands[kG].layout, rows, s.columns) &&
         turned(a.keys_turned, kK, a.query_rows.tiles(), keys, s.depth) &&
         turned(a.values_turned, kV, a.cotangent_rows.tiles(), keys, s.columns) &&
         straight(a.keys, kK, s.depth, keys) && straight(a.queries, kQ, s.depth, rows) &&
         straight(a.cotangents, kG, s.columns, rows);
}

bool find_kernels(const RoutineGeometry& g, Gradient& a) {
  const AttentionShape& s = a.shape;
  const int64_t keys = std::min(a.block, s.keys);
  const int64_t by_query[] = {std::min(s.queries, kQueryBlock), s.queries % kQueryBlock};
  // Beside the diagonal a block of keys ends where the last queries do.
  const int64_t by_key[] = {keys, s.keys % a.block, s.causal ? s.queries : 0};
  if (!a.to_scores.init(a.query_rows.tiles(), by_query, keys, true) ||
      !a.to_slopes.init(a.cotangent_rows.tiles(), by_query, keys, true) ||
      !a.to_queries.init(s.sums, by_query, s.depth, false) ||
      !a.to_keys.init(s.sums, by_key, s.depth, false) ||
      !a.to_values.init(s.sums, by_key, s.columns, false)) {
    return false;
  }
  if (s.masked && !(a.shift = mask_kernel(s, g.operands[kMask]))) return false;
  return (a.weights = attention_kernel("weights", s.sums, Orientation::kMap, "11000011")) &&
         (a.add = attention_kernel("add", s.sums, Orientation::kMap, "111")) &&
         (a.round = attention_kernel("scale", s.sums, Orientation::kMap, "101", s.dtype));
}

bool prepare(const RoutineGeometry& g, RoutinePlan& plan) {
  auto state = std::make_shared<Gradient>();
  Gradient& a = *state;
  AttentionShape& s = a.shape;
  plan.state = state;
  if (!describe_attention(g, "nnnwnwwmnnn", s)) return false;
  a.block = s.key_block();
  if (!find_panels(g, a) || !find_kernels(g, a)) return false;
  const int64_t keys = std::min(a.block, s.keys), heads = s.heads / s.group;
  Places places;
  a.score_row = (round_up(keys, 64) + 16) * s.wide;
  places.take(a.keys_turned.bytes());
  a.values_turned_at = places.take(a.values_turned.bytes());
  a.keys_at = places.take(a.keys.bytes());
  a.queries_at = places.take(a.queries.bytes());
  a.cotangents_at = places.take(a.cotangents.bytes());
  a.query_rows_at = places.take(a.query_rows.bytes());
  a.cotangent_rows_at = places.take(a.cotangent_rows.bytes());
  a.weights_at = places.take(kQueryBlock * a.score_row);
  a.slopes_at = places.take(kQueryBlock * a.score_row);
  a.dk_at = places.take(s.narrow() ? keys * s.depth * s.wide : 0);
  a.dv_at = places.take(s.narrow() ? keys * s.columns * s.wide : 0);
  a.tasks = AttentionTasks(s, heads, ceil_div(s.keys, a.block), places.used);
  a.shares_at = a.tasks.tasks * a.tasks.each;
  const int64_t shares = a.tasks.parts > 1 ? heads * a.tasks.parts : a.tasks.tasks;
  plan.workspace = a.shares_at + (a.shares() ? shares * s.group * a.share_bytes() : 0);
  plan.nanoseconds = 0.05 * s.work() * (s.sums == DType::kFloat64 ? 2 : 1);
  return true;
}

const RegisterRoutine registered(
    {.name = "attention_gradient", .prepare = prepare, .execute = execute, .inputs = 7});

}  // namespace

}  // namespace gleed
