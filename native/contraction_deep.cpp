// Few results of very long sums: the depth is cut into pieces, whose products are computed side by
// side and added in order. Where it is cut depends on the depth alone.
#include <algorithm>

#include "contraction.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr int64_t kPiece = 1 << 14;    // depth of a piece, at least
constexpr int64_t kMaxPieces = 32;     // each has a workspace
constexpr int64_t kFewResults = 1024;  // for which the products of the pieces are soon added up

template <class T>
class Deep final : public Multiplier {
 public:
  bool init(const Product& product) {
    p_ = product;
    depth_ = std::max(kPiece, round_up(ceil_div(p_.k, kMaxPieces), 64));
    pieces_ = ceil_div(p_.k, depth_);
    results_bytes_ = round_up(p_.m * p_.n * sizeof(T), 64);
    Product piece = p_;
    piece.bias = piece.relu = false;
    piece.c_row = p_.n * sizeof(T);
    piece.k = depth_;
    whole_ = make_multiplier(piece);
    piece.k = p_.k - (pieces_ - 1) * depth_;
    last_ = make_multiplier(piece);
    if (!whole_ || !last_) return false;
    each_ = results_bytes_ + round_up(std::max(whole_->workspace, last_->workspace), 64);
    workspace = pieces_ * each_;
    return true;
  }

  void run(const ProductPointers& at) const override {
    parallel_for(pieces_, [&](int64_t i) {
      ProductPointers piece = at;
      piece.a += i * depth_ * p_.a_depth;
      piece.b += i * depth_ * p_.b_depth;
      piece.c = at.workspace + i * each_;
      piece.workspace = piece.c + results_bytes_;
      piece.epilogue = nullptr;
      (i + 1 < pieces_ ? whole_ : last_)->run(piece);
    });
    for (int64_t i = 0; i < p_.m; ++i) {
      for (int64_t j = 0; j < p_.n; ++j) finish(at, i, j);
    }
    at.finish(at.c, p_.m, p_.n);
  }

 private:
  void finish(const ProductPointers& at, int64_t i, int64_t j) const {
    T sum = 0;
    for (int64_t piece = 0; piece < pieces_; ++piece) {
      sum += reinterpret_cast<const T*>(at.workspace + piece * each_)[i * p_.n + j];
    }
    if (p_.bias) sum += reinterpret_cast<const T*>(at.bias)[j];
    if (p_.relu && sum < 0) sum = 0;
    reinterpret_cast<T*>(at.c + i * p_.c_row)[j] = sum;
  }

  Product p_;
  int64_t depth_, pieces_;
  size_t results_bytes_, each_;  // of a piece: its results, and its workspace with them
  std::unique_ptr<Multiplier> whole_, last_;
};

template <class T>
std::unique_ptr<Multiplier> make(const Product& product) {
  auto deep = std::make_unique<Deep<T>>();
  if (!deep->init(product)) return nullptr;
  return deep;
}

}  // namespace

bool suits_deep(const Product& p) {
  const bool native = p.dtype == DType::kFloat32 || p.dtype == DType::kFloat64;
  return native && p.k >= 2 * kPiece && p.m * p.n <= kFewResults;
}

std::unique_ptr<Multiplier> make_deep(const Product& product) {
  return product.dtype == DType::kFloat64 ? make<double>(product) : make<float>(product);
}

}  // namespace gleed
