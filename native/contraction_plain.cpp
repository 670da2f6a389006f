// Products by plain loops: integers (which wrap around), bool (any and) and complex numbers.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "contraction.h"
#include "threads.h"

namespace gleed {

namespace {

constexpr int64_t kColumns = 128;  // of a panel of b, which is copied and used for all rows
constexpr int64_t kDepth = 32;

struct Bool {
  uint8_t bits;
  Bool operator+(Bool other) const { return {static_cast<uint8_t>(bits | other.bits)}; }
  Bool operator*(Bool other) const { return {static_cast<uint8_t>(bits & other.bits)}; }
};

template <class T>
struct Complex {
  T re, im;
  Complex operator+(Complex o) const { return {re + o.re, im + o.im}; }
  Complex operator*(Complex o) const { return {re * o.re - im * o.im, re * o.im + im * o.re}; }
};

template <class T>
T read(const char* place) {
  T value;
  std::memcpy(&value, place, sizeof(T));
  return value;
}

// T is unsigned for integers of either kind: its overflow is defined, and the bits are the same.
template <class T>
class Plain final : public Multiplier {
 public:
  explicit Plain(const Product& product) : p_(product) {
    constexpr double kCost = 8;  // of a multiplication, next to one in a register tile
    tasks_ = std::min(task_count(kCost * p_.work()), ceil_div(p_.m, 4));
    workspace = tasks_ * sizeof(Panel);
  }

  void run(const ProductPointers& at) const override {
    parallel_for(tasks_, [&](int64_t task) {
      Panel& panel = reinterpret_cast<Panel*>(at.workspace)[task];
      const Range rows = part(p_.m, tasks_, task);
      for (int64_t column = 0; column < p_.n; column += kColumns) {
        const int64_t columns = std::min(kColumns, p_.n - column);
        for (int64_t depth = 0; depth == 0 || depth < p_.k; depth += kDepth) {
          const int64_t steps = std::min(kDepth, p_.k - depth);
          load(panel, at.b + column * p_.b_column + depth * p_.b_depth, columns, steps);
          for (int64_t row = rows.begin; row < rows.end; ++row) {
            add_row(panel, at.a + row * p_.a_row + depth * p_.a_depth, result(at, row, column),
                    columns, steps, depth == 0);
          }
        }
        for (int64_t row = rows.begin; row < rows.end; ++row) {
          finish(result(at, row, column), at.bias, column, columns);
        }
      }
      at.finish(at.c + rows.begin * p_.c_row, rows.end - rows.begin, p_.n);
    });
  }

 private:
  struct Panel {
    alignas(64) T cells[kDepth][kColumns];
  };

  T* result(const ProductPointers& at, int64_t row, int64_t column) const {
    return reinterpret_cast<T*>(at.c + row * p_.c_row) + column;
  }

  void load(Panel& panel, const char* b, int64_t columns, int64_t steps) const {
    for (int64_t k = 0; k < steps; ++k) {
      for (int64_t j = 0; j < columns; ++j) {
        panel.cells[k][j] = read<T>(b + k * p_.b_depth + j * p_.b_column);
      }
    }
  }

  void add_row(const Panel& panel, const char* a, T* c, int64_t columns, int64_t steps,
               bool first) const {
    alignas(64) T sums[kColumns];
    if (first) {
      std::fill_n(sums, columns, T{});
    } else {
      std::copy_n(c, columns, sums);
    }
    for (int64_t k = 0; k < steps; ++k) {
      const T x = read<T>(a + k * p_.a_depth);
      for (int64_t j = 0; j < columns; ++j) {
        sums[j] = static_cast<T>(sums[j] + x * panel.cells[k][j]);
      }
    }
    std::copy_n(sums, columns, c);
  }

  void finish(T* c, const char* bias, int64_t column, int64_t columns) const {
    if (!p_.bias && !p_.relu) return;
    for (int64_t j = 0; j < columns; ++j) {
      if (p_.bias) c[j] = static_cast<T>(c[j] + read<T>(bias + (column + j) * sizeof(T)));
      if constexpr (std::is_integral_v<T>) {
        const bool negative = info(p_.dtype).is_signed && c[j] >> (8 * sizeof(T) - 1);
        if (p_.relu && negative) c[j] = 0;
      }
    }
  }

  Product p_;
  int64_t tasks_;
};

}  // namespace

std::unique_ptr<Multiplier> make_plain(const Product& product) {
  switch (product.dtype) {
    case DType::kBool:
      return std::make_unique<Plain<Bool>>(product);
    case DType::kInt8:
    case DType::kUInt8:
      return std::make_unique<Plain<uint8_t>>(product);
    case DType::kInt16:
      return std::make_unique<Plain<uint16_t>>(product);
    case DType::kInt32:
      return std::make_unique<Plain<uint32_t>>(product);
    case DType::kInt64:
      return std::make_unique<Plain<uint64_t>>(product);
    case DType::kComplex64:
      return std::make_unique<Plain<Complex<float>>>(product);
    default:
      return std::make_unique<Plain<Complex<double>>>(product);
  }
}

}  // namespace gleed
