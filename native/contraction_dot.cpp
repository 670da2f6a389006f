// Products with a very thin side, both operands contiguous along the depth: dot products, no
// packing.
#include <algorithm>
#include <cstring>

#include "contraction.h"
#include "contraction_kernels.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr int64_t kRows = 4;             // of the larger side, at a time
constexpr int64_t kTogether = 12 << 10;  // bytes of rows that are computed at a time
constexpr int64_t kWorthwhile = 32;  // depth, for each thin row, that outweighs summing up lanes

class Dot final : public Multiplier {
 public:
  bool init(const Product& product);
  void run(const ProductPointers& at) const override;

 private:
  Product p_;
  bool thin_rows_;        // the rows of a are few; else the columns of b are
  int64_t thick_, thin_;  // sizes
  MicroKernel full_ = nullptr, last_ = nullptr;
  bool copies_ = false;  // the thin side is made contiguous first
  int64_t tasks_;
};

bool Dot::init(const Product& product) {
  p_ = product;
  thin_rows_ = p_.m <= p_.n;
  thick_ = thin_rows_ ? p_.n : p_.m;
  thin_ = thin_rows_ ? p_.m : p_.n;
  const int64_t item = itemsize(p_.dtype);
  copies_ = (thin_rows_ ? p_.a_depth : p_.b_depth) != item;
  if (copies_) workspace = thin_ * p_.k * item;
  tasks_ = std::min(task_count(p_.work()), ceil_div(thick_, kRows));
  if (kRows * scratch_pitch(p_.k, item) <= kScratch) (thin_rows_ ? computes_b : computes_a) = 1;
  if (thick_ >= kRows && !(full_ = micro_kernel(Micro::kDot, p_.dtype, kRows, thin_))) return false;
  const int64_t rest = thick_ % kRows;
  return !rest || (last_ = micro_kernel(Micro::kDot, p_.dtype, rest, thin_));
}

void Dot::run(const ProductPointers& at) const {
  const int64_t item = itemsize(p_.dtype);
  const char* thick = thin_rows_ ? at.b : at.a;
  const char* thin = thin_rows_ ? at.a : at.b;
  const int64_t thick_row = thin_rows_ ? p_.b_column : p_.a_row;
  int64_t thin_row = thin_rows_ ? p_.a_row : p_.b_column;
  if (copies_) {
    const int64_t depth_stride = thin_rows_ ? p_.a_depth : p_.b_depth;
    for (int64_t i = 0; i < thin_; ++i) {
      for (int64_t k = 0; k < p_.k; ++k) {
        std::memcpy(at.workspace + (i * p_.k + k) * item, thin + i * thin_row + k * depth_stride,
                    item);
      }
    }
    thin = at.workspace;
    thin_row = p_.k * item;
  }
  const int64_t c_row = thin_rows_ ? item : p_.c_row, c_column = thin_rows_ ? p_.c_row : item;
  const int64_t bias_row = thin_rows_ ? item : 0, bias_column = thin_rows_ ? 0 : item;
  const int64_t groups = ceil_div(thick_, kRows);
  const int64_t together = std::max<int64_t>(1, kTogether / (kRows * p_.k * item));
  const Prologue* prologue = thin_rows_ ? at.b_prologue : at.a_prologue;
  parallel_for(tasks_, [&](int64_t task) {
    const Range mine = part(groups, tasks_, task);
    Lanes rows = {thick, thick_row, item};
    for (int64_t group = mine.begin; group < mine.end; ++group) {
      const int64_t row = group * kRows, ahead = (group - mine.begin) % together * kRows;
      if (ahead == 0) {
        const int64_t end = std::min(group + together, mine.end);
        const int64_t many = std::min(end * kRows, thick_) - row;
        rows = Lanes{thick + row * thick_row, thick_row, item}.fetched(prologue, many, p_.k);
      }
      DotArguments d = {rows.at + ahead * rows.lane,
                        rows.lane,
                        thin,
                        thin_row,
                        at.c + row * c_row,
                        c_row,
                        c_column,
                        p_.k,
                        p_.bias ? at.bias + row * bias_row : nullptr,
                        bias_row,
                        bias_column,
                        p_.relu};
      (row + kRows <= thick_ ? full_ : last_)(&d);
    }
    const int64_t first = mine.begin * kRows, many = std::min(mine.end * kRows, thick_) - first;
    at.finish(at.c + first * c_row, thin_rows_ ? thin_ : many, thin_rows_ ? many : thin_);
  });
}

}  // namespace

bool suits_dot(const Product& p) {
  const int64_t item = itemsize(p.dtype), thin = std::min(p.m, p.n);
  if (thin > 1) {
    const TileFamily* family = tile_family(p.dtype);
    if (!family || thin > family->vectors || p.k < kWorthwhile * thin) return false;
  }
  const bool a_ready = p.a_depth == item, b_ready = p.b_depth == item;
  return p.k > 0 && (p.m <= p.n ? b_ready : a_ready) && ((a_ready && b_ready) || thin == 1);
}

std::unique_ptr<Multiplier> make_dot(const Product& product) {
  auto dot = std::make_unique<Dot>();
  if (!dot->init(product)) return nullptr;
  return dot;
}

}  // namespace gleed
