// Products by register tiles. The result is divided into blocks whose operands fit the caches;
// within a block both operands are packed where that pays, and tiles fill it panel by panel.
#include <algorithm>
#include <vector>

#include "contraction.h"
#include "contraction_pack.h"
#include "threads.h"

namespace gleed {

namespace {

// Blocks: packed operands take 2 MiB each at the most. The depth of a block is such that a panel of
// b stays in the second-level cache and a panel of a in the first.
constexpr int64_t kBlockDepth = 512;
constexpr int64_t kBlockLanes = 1024;
constexpr int64_t kFewTiles = 10;           // rows of tiles for which packing b does not pay
constexpr int64_t kReadable = 2 << 20;      // bytes of b that are as quickly read where they lie
constexpr double kFusedWork = 1 << 21;      // below it, packing is part of the tasks that use it
constexpr double kSerialPacking = 1 << 15;  // bytes that are packed without waking a thread
// Bytes of the result that stay in cache, and into how many parts it is divided for that at least.
constexpr int64_t kFinished = 256 << 10, kFewGroups = 4;
constexpr int64_t kFewTogether = 4, kMostTogether = 16;  // tiles of a part

// One block: ranges of the result and of the depth (in packed steps).
struct Block {
  int64_t row, rows, column, columns, step, steps;
  bool first, last;  // of the depth
};

class Blocked final : public Multiplier {
 public:
  bool init(const Product& product);
  void run(const ProductPointers& at) const override;

 private:
  bool choose_packing();
  void widen_tile();
  bool find_tiles();
  void choose_blocks();
  void choose_tasks();
  void choose_computed();

  Block block_at(int64_t row, int64_t column, int64_t step, int64_t most) const;
  int64_t scratch_tiles() const;
  void run_computed(const Block& whole, const ProductPointers& at) const;
  void run_block(const Block& block, const ProductPointers& at) const;
  void pack(const Block& block, const ProductPointers& at, int64_t panels) const;
  bool packs(const Block& block, const ProductPointers& at) const;
  Lanes rows_of_a(const Block& block, const ProductPointers& at, Range tiles) const;
  void pack_tiles(const Block& block, const ProductPointers& at, Range tiles) const;
  void pack_panel(const Block& block, const ProductPointers& at, int64_t panel) const;
  void multiply(const Block& block, const ProductPointers& at, Range tiles, Range panels,
                const Lanes& a) const;

  int64_t depth_of(const Block& block) const {  // in elements
    const int64_t each = family_.pairs ? 2 : 1;
    return std::min(block.steps * each, p_.k - block.step * each);
  }
  int64_t depth_bytes(int64_t step, int64_t stride) const {
    return step * (family_.pairs ? 2 : 1) * stride;
  }
  bool direct_a() const { return a_packing_ == Packing::kNone; }
  bool computable_a() const { return direct_a() && p_.a_depth == itemsize(p_.dtype); }
  char* b_packed(const Block& block, const ProductPointers& at) const {
    return at.workspace + b_offset_ + block.step / block_steps_ * b_kept_;
  }
  int64_t width() const { return vectors_ * family_.lanes; }
  int64_t padded(int64_t steps) const { return round_up(steps, 16); }

  Product p_;
  TileFamily family_;
  int64_t rows_, vectors_;  // of a full tile
  int64_t steps_;           // of the whole depth
  int64_t packed_;          // bytes of a packed element
  int64_t block_rows_, block_columns_, block_steps_;
  Packing a_packing_ = Packing::kNone, b_packing_ = Packing::kNone;
  Packer pack_a_, pack_b_;
  MicroKernel tiles_[2][2] = {};  // full or last rows, full or last columns
  int64_t last_vectors_, last_columns_;
  bool sums_apart_;  // sums of earlier blocks of the depth do not fit into the result
  bool fused_ = false;
  int64_t row_tasks_, column_tasks_;
  size_t b_offset_ = 0, sums_offset_ = 0;  // in the workspace
  size_t b_kept_ = 0;  // bytes of a block of b, if those of all the depth are kept
  int64_t ahead_ = 1;  // blocks of the depth for which rows of a are computed at a time
};

bool Blocked::init(const Product& product) {
  p_ = product;
  const TileFamily* family = tile_family(p_.dtype);
  if (!family) return false;
  family_ = *family;
  rows_ = family_.rows;
  vectors_ = std::clamp<int64_t>(ceil_div(p_.n, family_.lanes), 1, family_.vectors);
  packed_ = packed_size(p_.dtype);
  steps_ = packed_steps(family_, p_.k);
  if (!choose_packing() || !find_tiles()) return false;
  choose_blocks();
  choose_tasks();
  choose_computed();
  return true;
}

bool Blocked::choose_packing() {
  const int64_t item = itemsize(p_.dtype);
  const bool native = item == packed_, ragged = p_.n % family_.lanes != 0;
  const bool few = ceil_div(p_.m, rows_) <= kFewTiles || p_.n * p_.k * item <= kReadable;
  if (native && p_.b_column == item && few && (!ragged || family_.masks)) {
    if (p_.m <= 3) widen_tile();
  } else {
    if (!pack_b_.init(p_.dtype, family_, p_.b_column, p_.b_depth, width())) return false;
    b_packing_ = pack_b_.packing();
  }

  const bool pairs_in_place = family_.pairs && p_.a_depth == item && p_.k % 2 == 0;
  const bool unit = p_.a_depth == item || p_.a_row == item || ceil_div(p_.n, width()) <= 4;
  if (pairs_in_place || (native && unit)) return true;
  if (!pack_a_.init(p_.dtype, family_, p_.a_row, p_.a_depth, rows_)) return false;
  a_packing_ = pack_a_.packing();
  return true;
}

// Few rows leave registers for more columns, and longer pieces of the rows of b are read faster.
void Blocked::widen_tile() {
  rows_ = p_.m;
  vectors_ = std::min(ceil_div(p_.n, family_.lanes), family_.vectors * (p_.m == 1 ? 4 : 2));
}

bool Blocked::find_tiles() {
  const int64_t last_rows = p_.m % rows_, rest = p_.n % width();
  last_vectors_ = ceil_div(rest, family_.lanes);
  last_columns_ = rest - (last_vectors_ - 1) * family_.lanes;
  const Micro last_kind = last_columns_ == family_.lanes ? Micro::kTile : Micro::kRagged;
  for (int edge_row = 0; edge_row < 2; ++edge_row) {
    for (int edge_column = 0; edge_column < 2; ++edge_column) {
      const int64_t rows = edge_row ? last_rows : p_.m >= rows_ ? rows_ : 0;
      const int64_t vectors = edge_column ? last_vectors_ : p_.n >= width() ? vectors_ : 0;
      if (!rows || !vectors) continue;
      const Micro kind = edge_column ? last_kind : Micro::kTile;
      MicroKernel tile = micro_kernel(kind, p_.dtype, rows, vectors);
      if (!tile) return false;
      tiles_[edge_row][edge_column] = tile;
    }
  }
  return true;
}

// Equal parts of no more than `most`, in multiples of `unit`.
int64_t block_size(int64_t total, int64_t most, int64_t unit) {
  const int64_t blocks = std::max<int64_t>(1, ceil_div(total, most));
  return round_up(ceil_div(total, blocks), unit);
}

void Blocked::choose_blocks() {
  const bool packs_a = a_packing_ != Packing::kNone, packs_b = b_packing_ != Packing::kNone;
  const bool reuses = packs_a || packs_b || p_.m > rows_;
  block_steps_ = std::max<int64_t>(1, reuses ? block_size(steps_, kBlockDepth, 8) : steps_);
  const int64_t lanes = kBlockLanes * 4 / packed_;
  block_rows_ = packs_a ? block_size(p_.m, lanes, rows_) : round_up(p_.m, rows_);
  const bool divided = packs_b && !p_.b_fixed;
  block_columns_ = divided ? block_size(p_.n, lanes, width()) : round_up(p_.n, width());
  sums_apart_ = itemsize(p_.dtype) < 4 && block_steps_ < steps_;
  if (sums_apart_) {
    block_rows_ = block_size(p_.m, kBlockLanes / 2, rows_);
    block_columns_ = block_size(p_.n, kBlockLanes, width());
  }
  if (packs_a) {
    b_offset_ = round_up(block_rows_ * padded(block_steps_) * packed_, 64);
  }
  sums_offset_ = b_offset_;
  if (packs_b) {
    const int64_t fit = std::min(block_columns_, round_up(p_.n, width()));
    const size_t bytes = round_up(fit * padded(block_steps_) * packed_, 64);
    // Many products use it, or many rows, which are computed for all the depth.
    const bool many = p_.b_fixed || (computable_a() && p_.a_computed && p_.m >= 2 * p_.n);
    if (many && fit >= p_.n) b_kept_ = bytes;
    sums_offset_ += bytes * (b_kept_ ? ceil_div(steps_, block_steps_) : 1);
  }
  workspace = sums_offset_ + (sums_apart_ ? block_rows_ * block_columns_ * sizeof(float) : 0);
}

void Blocked::choose_tasks() {
  const int64_t rows = std::min(block_rows_, p_.m), columns = std::min(block_columns_, p_.n);
  Product block = p_;
  block.m = rows;
  block.n = columns;
  block.k = std::min(p_.k, block_steps_ * (family_.pairs ? 2 : 1));
  const int64_t tasks = task_count(block.work());
  column_tasks_ = std::min(tasks, ceil_div(columns, width()));
  row_tasks_ = std::min(ceil_div(tasks, column_tasks_), ceil_div(rows, rows_));
  fused_ = b_packing_ != Packing::kNone && a_packing_ == Packing::kNone &&
           (tasks == 1 || (column_tasks_ > 1 && p_.work() < kFusedWork));
  if (fused_) row_tasks_ = 1;
}

void Blocked::choose_computed() {
  const int64_t item = itemsize(p_.dtype), rows = std::min(block_rows_, p_.m);
  const bool packs_b = b_packing_ != Packing::kNone;
  if (b_kept_ || !packs_b) ahead_ = std::max<int64_t>(1, ceil_div(steps_, block_steps_));
  while (ahead_ > 1 && scratch_tiles() < kFewTogether) --ahead_;
  const bool divides = ceil_div(rows, rows_) >= kFewGroups || row_tasks_ * column_tasks_ == 1;
  if (computable_a() && divides && scratch_tiles() > 0) computes_a = ceil_div(p_.n, block_columns_);
  // A panel of b that lies across its rows would be computed in pieces too short for loops.
  if (packs_b && p_.b_depth == item && !p_.b_fixed) {
    computes_b = b_kept_ ? 1 : ceil_div(p_.m, block_rows_);
  }
}

// How many tiles there is scratch for to compute their rows of a.
int64_t Blocked::scratch_tiles() const {
  const int64_t depth = std::min(p_.k, depth_bytes(ahead_ * block_steps_, 1));
  return kScratch / (rows_ * scratch_pitch(depth, itemsize(p_.dtype)));
}

// The block at a place of the result and of the depth, of no more than some steps.
Block Blocked::block_at(int64_t row, int64_t column, int64_t step, int64_t most) const {
  const int64_t steps = std::min(most, steps_ - step);
  const int64_t rows = std::min(block_rows_, p_.m - row);
  const int64_t columns = std::min(block_columns_, p_.n - column);
  return {row, rows, column, columns, step, steps, step == 0, step + steps >= steps_};
}

void Blocked::run(const ProductPointers& at) const {
  const int64_t together = block_steps_ * (at.a_prologue ? ahead_ : 1);
  for (int64_t column = 0; column < p_.n; column += block_columns_) {
    for (int64_t row = 0; row < p_.m; row += block_rows_) {
      int64_t step = 0;
      do {
        const Block block = block_at(row, column, step, together);
        at.a_prologue ? run_computed(block, at) : run_block(block, at);
        step += together;
      } while (step < steps_);
    }
  }
}

// Rows of a that have no memory are computed once for all columns, by the task that reads them, and
// for several blocks of the depth.
void Blocked::run_computed(const Block& whole, const ProductPointers& at) const {
  std::vector<Block> blocks;
  for (int64_t step = 0; step == 0 || step < whole.steps; step += block_steps_) {
    blocks.push_back(block_at(whole.row, whole.column, whole.step + step, block_steps_));
  }
  const int64_t tiles = ceil_div(whole.rows, rows_), panels = ceil_div(whole.columns, width());
  for (const Block& block : blocks) pack(block, at, packs(block, at) ? panels : 0);
  const int64_t parts = row_tasks_ * column_tasks_ == 1 ? 1 : kFewGroups;
  const int64_t together = std::min({scratch_tiles(), ceil_div(tiles, parts), kMostTogether});
  const int64_t groups = ceil_div(tiles, together);
  parallel_for(groups, [&](int64_t group) {
    const Range mine = part(tiles, groups, group);
    Lanes a = rows_of_a(whole, at, mine);
    for (const Block& block : blocks) {
      multiply(block, at, mine, {0, panels}, a);
      a.at += depth_bytes(block_steps_, a.step);
    }
  });
}

void Blocked::run_block(const Block& block, const ProductPointers& at) const {
  const int64_t tiles = ceil_div(block.rows, rows_), panels = ceil_div(block.columns, width());
  if (!fused_) pack(block, at, packs(block, at) ? panels : 0);
  // What follows the product goes through memory row by row, so whole rows are finished together.
  const int64_t line = block.columns * itemsize(p_.dtype) * rows_;
  const int64_t groups =
      ceil_div(tiles, std::clamp<int64_t>(kFinished / line, kFewTogether, kMostTogether));
  if (at.epilogue && block.last && !fused_ && groups >= kFewGroups) {
    return parallel_for(groups, [&](int64_t group) {
      const Range mine = part(tiles, groups, group);
      multiply(block, at, mine, {0, panels}, rows_of_a(block, at, mine));
    });
  }
  // Neighbouring tasks share a panel of b.
  parallel_for(row_tasks_ * column_tasks_, [&](int64_t task) {
    const Range mine = part(panels, column_tasks_, task / row_tasks_);
    if (fused_ && packs(block, at)) {
      for (int64_t panel = mine.begin; panel < mine.end; ++panel) pack_panel(block, at, panel);
    }
    const Range rows = part(tiles, row_tasks_, task % row_tasks_);
    multiply(block, at, rows, mine, rows_of_a(block, at, rows));
  });
}

// Whether b is packed for a block, or has been already.
bool Blocked::packs(const Block& block, const ProductPointers& at) const {
  const bool again = p_.b_fixed && at.again;
  return b_packing_ != Packing::kNone && !(b_kept_ && (again || block.row > 0));
}

// `panels` of b, and all tiles of a.
void Blocked::pack(const Block& block, const ProductPointers& at, int64_t panels) const {
  const int64_t tiles = direct_a() ? 0 : ceil_div(block.rows, rows_);
  if (!panels && !tiles) return;
  constexpr int64_t kTilesTogether = 8;
  const int64_t groups = ceil_div(tiles, kTilesTogether);
  const auto task = [&](int64_t i) {
    if (i < panels) return pack_panel(block, at, i);
    const int64_t first = (i - panels) * kTilesTogether;
    pack_tiles(block, at, {first, std::min(tiles, first + kTilesTogether)});
  };
  const double bytes = (panels * width() + tiles * rows_) * block.steps * packed_;
  if (bytes > kSerialPacking) return parallel_for(panels + groups, task);
  for (int64_t i = 0; i < panels + groups; ++i) task(i);
}

Lanes Blocked::rows_of_a(const Block& block, const ProductPointers& at, Range tiles) const {
  const int64_t row = tiles.begin * rows_, rows = std::min(tiles.end * rows_, block.rows) - row;
  if (!direct_a()) return {at.workspace + row * padded(block.steps) * packed_, packed_, 0};
  const char* first = at.a + (block.row + row) * p_.a_row + depth_bytes(block.step, p_.a_depth);
  return Lanes{first, p_.a_row, p_.a_depth}.fetched(at.a_prologue, rows, depth_of(block));
}

void Blocked::pack_tiles(const Block& block, const ProductPointers& at, Range tiles) const {
  const char* a = at.a + block.row * p_.a_row + depth_bytes(block.step, p_.a_depth);
  for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
    const int64_t row = tile * rows_;
    pack_a_({a + row * p_.a_row, p_.a_row, p_.a_depth,
             at.workspace + row * padded(block.steps) * packed_, depth_of(block),
             std::min(rows_, block.rows - row)});
  }
}

void Blocked::pack_panel(const Block& block, const ProductPointers& at, int64_t panel) const {
  const int64_t column = panel * width(), columns = std::min(width(), block.columns - column);
  const char* first =
      at.b + (block.column + column) * p_.b_column + depth_bytes(block.step, p_.b_depth);
  const Lanes b =
      Lanes{first, p_.b_column, p_.b_depth}.fetched(at.b_prologue, columns, depth_of(block));
  pack_b_({b.at, b.lane, b.step, b_packed(block, at) + column * padded(block.steps) * packed_,
           depth_of(block), columns});
}

void Blocked::multiply(const Block& block, const ProductPointers& at, Range tiles, Range panels,
                       const Lanes& a) const {
  const int64_t item = itemsize(p_.dtype);
  TileArguments t;
  t.steps = block.steps;
  t.columns = last_columns_;
  t.relu = block.last && p_.relu;

  const int64_t a_tile = rows_ * (direct_a() ? a.lane : padded(block.steps) * packed_);
  t.a_row = a.lane;
  t.a_step = direct_a() ? depth_bytes(1, a.step) : rows_ * packed_;

  const bool direct_b = b_packing_ == Packing::kNone;
  const char* b =
      direct_b ? at.b + block.column * p_.b_column + block.step * p_.b_depth : b_packed(block, at);
  const int64_t b_panel = width() * (direct_b ? p_.b_column : padded(block.steps) * packed_);
  t.b_step = direct_b ? p_.b_depth : width() * packed_;

  char* sums = at.workspace + sums_offset_;
  const int64_t sums_row = block_columns_ * sizeof(float);
  t.raw = sums_apart_ && !block.last;
  t.c_row = t.raw ? sums_row : p_.c_row;
  t.before_row = sums_apart_ ? sums_row : p_.c_row;
  char* c = t.raw ? sums : at.c + block.row * p_.c_row + block.column * item;
  const int64_t c_item = t.raw ? sizeof(float) : item;

  for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
    const int64_t column = panel * width();
    const bool edge_column = column + width() > block.columns;
    t.bias = block.last && p_.bias ? at.bias + (block.column + column) * item : nullptr;
    for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
      const int64_t row = tile * rows_;
      const bool edge_row = row + rows_ > block.rows;
      t.a = a.at + (tile - tiles.begin) * a_tile;
      t.b = b + panel * b_panel;
      t.c = c + row * t.c_row + column * c_item;
      t.before = block.first   ? nullptr
                 : sums_apart_ ? sums + row * sums_row + column * sizeof(float)
                               : t.c;
      tiles_[edge_row][edge_column](&t);
    }
  }
  if (!block.last) return;
  const int64_t row = tiles.begin * rows_, column = panels.begin * width();
  at.finish(c + row * t.c_row + column * item, std::min(tiles.end * rows_, block.rows) - row,
            std::min(panels.end * width(), block.columns) - column);
}

}  // namespace

std::unique_ptr<Multiplier> make_blocked(const Product& product) {
  auto blocked = std::make_unique<Blocked>();
  if (!blocked->init(product)) return nullptr;
  return blocked;
}

}  // namespace gleed
