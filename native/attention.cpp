// The routine "attention" (attention.h): softmax as keys come, with the greatest score and the sum
// of exponentials so far beside every row of results, which is rescaled when they change.
// Source: M. Milakov and N. Gimelshein, "Online normalizer calculation for softmax", 2018.
#include "attention.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "threads.h"

namespace gleed {

namespace {

enum { kQ, kK, kV, kScale, kMask };  // operands

constexpr int64_t kQueries = 16 * kQueryBlock;  // that go through the keys together

struct Attention {
  AttentionShape shape;
  AttentionTasks tasks;
  int64_t block;  // of keys
  Rows queries;
  Panels keys, values;
  TileProduct scores, results;
  KernelFunction shift = nullptr, softmax, finish, scale, round, rest = nullptr;
  int64_t score_row;  // bytes
  // In a task's workspace, after a block of keys:
  size_t values_at, queries_at, scores_at, top_at, sum_at, change_at, results_at;
};

// Scores that no query sees: those beyond the diagonal.
template <class T>
void hide(char* scores, int64_t row_bytes, int64_t rows, int64_t columns, int64_t seen) {
  for (int64_t i = 0; i < rows; ++i, ++seen, scores += row_bytes) {
    T* row = reinterpret_cast<T*>(scores);
    const int64_t from = std::clamp<int64_t>(seen, 0, columns);
    std::fill(row + from, row + columns, -std::numeric_limits<T>::infinity());
  }
}

template <class T>
bool positive(const char* x) {
  return *reinterpret_cast<const T*>(x) > 0;
}

// One head, some of its queries.
class Head {
 public:
  Head(const Attention& attention, const RoutineCall& call, int64_t head, char* workspace)
      : a_(attention), s_(attention.shape), work_(workspace), wide_(s_.sums == DType::kFloat64) {
    const size_t out = call.geometry.operands.size() - (a_.rest ? 3 : 2);
    q_ = matrix_of(call, kQ, head);
    k_ = matrix_of(call, kK, head / s_.group);
    v_ = matrix_of(call, kV, head / s_.group);
    mask_ = s_.masked ? matrix_of(call, kMask, head) : Matrix{};
    out_ = matrix_of(call, out, head);
    lse_ = matrix_of(call, out + 1, head, 1);
    rest_ = a_.rest ? matrix_of(call, out + 2, head) : Matrix{};
    scale_ = call.pointers[kScale];
    // Hidden scores are minus infinity, which a scale of zero or less would turn around.
    scaled_ = s_.masked || !(wide_ ? positive<double>(scale_) : positive<float>(scale_));
  }

  void run(Range queries) {
    const int64_t rows = queries.end - queries.begin;
    const Matrix out = {out_.to(queries.begin), out_.row, out_.column};
    results_ = out;
    if (s_.narrow()) results_ = {work_ + a_.results_at, s_.columns * s_.wide, s_.wide};
    wide_ ? start<double>(rows) : start<float>(rows);
    const int64_t keys = s_.causal ? std::min(s_.keys, queries.end) : s_.keys;
    if (keys == 0) clear(results_, rows, s_.columns * s_.wide);
    for (int64_t first = 0; first < keys; first += a_.block) {
      const int64_t count = std::min(a_.block, keys - first);
      a_.keys.pack(k_.to(first), count, s_.depth, work_);
      a_.values.pack(v_.to(first), s_.columns, count, work_ + a_.values_at);
      for (int64_t i = queries.begin, rows; i < queries.end; i += rows) {
        rows = std::min(s_.together(i, first, count), queries.end - i);
        attend(i, rows, first, count, i - queries.begin);
      }
    }
    const Matrix top = {work_ + a_.top_at, 0, s_.wide}, sum = {work_ + a_.sum_at, 0, s_.wide};
    launch(a_.finish, 1, rows, {top, sum, {lse_.to(queries.begin), 0, s_.wide}, sum});
    const Matrix factor = {sum.at, s_.wide, 0};
    launch(a_.round, rows, s_.columns, {results_, factor, out});
    if (!a_.rest) return;
    const Matrix rest = {rest_.to(queries.begin), rest_.row, rest_.column};
    launch(a_.rest, rows, s_.columns, {results_, factor, out, rest});
  }

 private:
  template <class T>
  void start(int64_t rows) const {
    std::fill_n(reinterpret_cast<T*>(work_ + a_.top_at), rows, -std::numeric_limits<T>::infinity());
    std::fill_n(reinterpret_cast<T*>(work_ + a_.sum_at), rows, T(0));
  }

  // Queries from `i` on against keys from `first` on; `place` is the row of their sums.
  void attend(int64_t i, int64_t rows, int64_t first, int64_t count, int64_t place) const {
    const int64_t seen = s_.causal ? std::min(count, i + rows - first) : count;
    if (seen <= 0) return;
    const Matrix q = a_.queries({q_.to(i), q_.row, q_.column}, rows, work_ + a_.queries_at);
    const Matrix scores = {work_ + a_.scores_at, a_.score_row, s_.wide};
    a_.scores.run(q, a_.keys, work_, scores.at, scores.row, rows, seen, s_.depth, false);
    const Matrix factor = {const_cast<char*>(scaled_ ? one_of(s_.sums) : scale_), 0, 0};
    if (s_.masked) {
      const Matrix mask = {mask_.to(i) + first * mask_.column, mask_.row, mask_.column};
      launch(a_.shift, rows, seen, {scores, {const_cast<char*>(scale_), 0, 0}, mask, scores});
    } else if (scaled_) {
      rescale(scores, rows, seen, scale_, 0);
    }
    if (s_.causal && i < first + seen) {
      const int64_t visible = i + 1 - first;
      wide_ ? hide<double>(scores.at, scores.row, rows, seen, visible)
            : hide<float>(scores.at, scores.row, rows, seen, visible);
    }
    const Matrix top = {work_ + a_.top_at + place * s_.wide, s_.wide, 0};
    const Matrix sum = {work_ + a_.sum_at + place * s_.wide, s_.wide, 0};
    const Matrix change = {work_ + a_.change_at, s_.wide, 0};
    launch(a_.softmax, rows, seen, {scores, top, sum, factor, scores, top, sum, change});
    const Matrix results = {results_.to(place), results_.row, results_.column};
    if (first > 0) rescale(results, rows, s_.columns, change.at, s_.wide);
    a_.results.run(scores, a_.values, work_ + a_.values_at, results.at, results.row, rows,
                   s_.columns, seen, first > 0);
  }

  // Every row times a number of its own.
  void rescale(Matrix x, int64_t rows, int64_t columns, const char* by, int64_t stride) const {
    launch(a_.scale, rows, columns, {x, {const_cast<char*>(by), stride, 0}, x});
  }

  const Attention& a_;
  const AttentionShape& s_;
  char* work_;
  bool wide_, scaled_;
  Matrix q_, k_, v_, mask_, out_, lse_, rest_;
  Matrix results_ = {};  // sums for the queries that run
  const char* scale_;
};

void execute(const RoutineCall& call) {
  const Attention& attention = *static_cast<const Attention*>(call.state);
  const AttentionShape& s = attention.shape;
  const AttentionTasks& t = attention.tasks;
  const int64_t blocks = ceil_div(s.queries, kQueryBlock);
  parallel_for(t.tasks, [&](int64_t task) {
    const Range mine = part(s.heads * t.parts, t.tasks, task);
    for (int64_t i = mine.begin; i < mine.end; ++i) {
      const Range range = part(blocks, t.parts, i % t.parts);
      const int64_t end = std::min(s.queries, range.end * kQueryBlock);
      Head head(attention, call, i / t.parts, call.workspace + task * t.each);
      for (int64_t first = range.begin * kQueryBlock; first < end; first += kQueries) {
        head.run({first, std::min(end, first + kQueries)});
      }
    }
  });
}

bool find_kernels(const RoutineGeometry& g, bool rest, Attention& a) {
  const DType sums = a.shape.sums;
  if (a.shape.masked && !(a.shift = mask_kernel(a.shape, g.operands[kMask]))) return false;
  return (a.softmax = attention_kernel("softmax", sums, Orientation::kRow, "10001000")) &&
         (a.finish = attention_kernel("finish", sums, Orientation::kMap, "1111")) &&
         (a.scale = attention_kernel("scale", sums, Orientation::kMap, "101")) &&
         (a.round = attention_kernel("scale", sums, Orientation::kMap, "101", a.shape.dtype)) &&
         (!rest ||
          (a.rest = attention_kernel("rest", sums, Orientation::kMap, "1011", a.shape.dtype)));
}

bool prepare(const RoutineGeometry& g, RoutinePlan& plan) {
  auto state = std::make_shared<Attention>();
  Attention& a = *state;
  AttentionShape& s = a.shape;
  plan.state = state;
  // The rest alone could be narrow in that place.
  const bool rest = itemsize(g.operands.back().dtype) < 4;
  if (!describe_attention(g, rest ? "nnnwmnwn" : "nnnwmnw", s)) return false;
  a.block = s.key_block();
  const Layout &k = *g.operands[kK].layout, &v = *g.operands[kV].layout;
  const int64_t row = k.ndim - 2, column = k.ndim - 1, keys = std::min(a.block, s.keys);
  const int64_t rows[] = {std::min(s.queries, kQueryBlock), s.queries % kQueryBlock};
  if (!a.queries.init(s, *g.operands[kQ].layout, rows[0], s.depth) ||
      !a.keys.init(s.dtype, a.queries.tiles(), s.item * k.strides[row], s.item * k.strides[column],
                   keys, s.depth) ||
      !a.values.init(s.dtype, s.sums, s.item * v.strides[column], s.item * v.strides[row],
                     s.columns, keys) ||
      !a.scores.init(a.queries.tiles(), rows, keys, true) ||
      !a.results.init(s.sums, rows, s.columns, false) || !find_kernels(g, rest, a)) {
    return false;
  }
  a.score_row = (round_up(keys, 64) + 16) * s.wide;
  const int64_t together = std::min(kQueries, s.queries);
  Places places;
  places.take(a.keys.bytes());
  a.values_at = places.take(a.values.bytes());
  a.queries_at = places.take(a.queries.bytes());
  a.scores_at = places.take(kQueryBlock * a.score_row);
  a.top_at = places.take(together * s.wide);
  a.sum_at = places.take(together * s.wide);
  a.change_at = places.take(kQueryBlock * s.wide);
  a.results_at = places.take(s.narrow() ? together * s.columns * s.wide : 0);
  a.tasks = AttentionTasks(s, s.heads, ceil_div(s.queries, kQueryBlock), places.used);
  plan.workspace = a.tasks.tasks * a.tasks.each;
  plan.nanoseconds = 0.02 * s.work() * (s.sums == DType::kFloat64 ? 2 : 1);
  return true;
}

const RegisterRoutine registered(
    {.name = "attention", .prepare = prepare, .execute = execute, .inputs = 4});

}  // namespace

}  // namespace gleed
