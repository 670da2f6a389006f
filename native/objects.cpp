#include "objects.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <vector>

namespace gleed {

namespace {

struct Malformed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
#error "gleed runs on x86-64 and AArch64"
#endif

// Bounds-checked reading: a count of T at a byte position, as copies, so alignment does not matter.
template <class T>
std::vector<T> read(std::span<const char> bytes, uint64_t position, uint64_t count) {
  if (position > bytes.size() || count > (bytes.size() - position) / sizeof(T)) {
    throw Malformed("it is truncated");
  }
  std::vector<T> values(count);
  if (count) std::memcpy(values.data(), bytes.data() + position, count * sizeof(T));
  return values;
}

std::string name_at(const std::vector<char>& names, uint64_t position) {
  if (position >= names.size()) throw Malformed("a name lies outside its table");
  const void* end = std::memchr(names.data() + position, 0, names.size() - position);
  if (!end) throw Malformed("a name has no end");
  return std::string(names.data() + position);
}

// Address space is reserved a megabyte at a time, so that neighbouring objects become one mapping.
// Called with the GIL held, like everything that loads.
char* reserve_pages(size_t bytes) {
  static char* next = nullptr;
  static size_t left = 0;
  constexpr size_t kRegion = 1 << 20;
  if (bytes > left) {
    const size_t size = bytes > kRegion ? bytes : kRegion;
    void* region = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) throw Malformed("the system gives no memory for it");
    next = static_cast<char*>(region);
    left = size;
  }
  char* pages = next;
  next += bytes;
  left -= bytes;
  return pages;
}

class Object {
 public:
  explicit Object(std::span<const char> bytes) : bytes_(bytes) {
    const Elf64_Ehdr header = read<Elf64_Ehdr>(bytes, 0, 1)[0];
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_type != ET_REL || header.e_shentsize != sizeof(Elf64_Shdr)) {
      throw Malformed("it is no ELF64 relocatable");
    }
    if (header.e_machine != kMachine) throw Malformed("it is for another machine");
    sections_ = read<Elf64_Shdr>(bytes, header.e_shoff, header.e_shnum);
    names_ = contents<char>(section(header.e_shstrndx));
  }

  void* load(const std::string& symbol) {
    place_sections();
    read_symbols();
    copy_sections();
    relocate();
    std::optional<uint64_t> found;
    for (const Elf64_Sym& entry : symbols_) {
      if (entry.st_name && entry.st_shndx != SHN_UNDEF &&
          name_at(symbol_names_, entry.st_name) == symbol) {
        found = address_of(entry);
      }
    }
    if (!found) throw Malformed("it has no symbol " + symbol);
    const uint64_t base = reinterpret_cast<uint64_t>(image_);
    if (*found < base || *found >= base + size_) throw Malformed("its symbol is no function");
    if (mprotect(image_, size_, PROT_READ | PROT_EXEC) != 0) {
      throw Malformed("the system does not let it be executed");
    }
    __builtin___clear_cache(image_, image_ + size_);
    return reinterpret_cast<void*>(*found);
  }

 private:
  static constexpr uint64_t kUnplaced = UINT64_MAX;

  const Elf64_Shdr& section(uint64_t number) const {
    if (number >= sections_.size()) throw Malformed("a section number is out of range");
    return sections_[number];
  }

  template <class T>
  std::vector<T> contents(const Elf64_Shdr& s) const {
    return read<T>(bytes_, s.sh_offset, s.sh_size / sizeof(T));
  }

  // Lays the sections that are needed at run time out in one image.
  void place_sections() {
    places_.assign(sections_.size(), kUnplaced);
    for (size_t i = 0; i < sections_.size(); ++i) {
      const Elf64_Shdr& s = sections_[i];
      if (!(s.sh_flags & SHF_ALLOC)) continue;
      const std::string name = name_at(names_, s.sh_name);
      if (name.starts_with(".eh_frame") || s.sh_size == 0) continue;
      const bool constant = !(s.sh_flags & SHF_WRITE) || name.starts_with(".data.rel.ro");
      if (!constant || s.sh_type == SHT_NOBITS) throw Malformed("it has writable data: " + name);
      const uint64_t align = s.sh_addralign ? s.sh_addralign : 1;
      if (align > 4096 || (align & (align - 1))) throw Malformed("an alignment is absurd");
      if (s.sh_size > bytes_.size()) throw Malformed("it is truncated");
      size_ = (size_ + align - 1) & ~(align - 1);
      places_[i] = size_;
      size_ += s.sh_size;
      if (size_ > 16 * bytes_.size() + (1 << 20)) throw Malformed("its sections overlap");
    }
    if (size_ == 0) throw Malformed("it is empty");
    const size_t page = sysconf(_SC_PAGESIZE);
    size_ = (size_ + page - 1) & ~(page - 1);
  }

  void read_symbols() {
    for (const Elf64_Shdr& s : sections_) {
      if (s.sh_type != SHT_SYMTAB) continue;
      symbols_ = contents<Elf64_Sym>(s);
      symbol_names_ = contents<char>(section(s.sh_link));
    }
  }

  void copy_sections() {
    image_ = reserve_pages(size_);
    if (mprotect(image_, size_, PROT_READ | PROT_WRITE) != 0) {
      throw Malformed("the system gives no memory for it");
    }
    for (size_t i = 0; i < sections_.size(); ++i) {
      if (places_[i] == kUnplaced) continue;
      const std::vector<char> data = contents<char>(sections_[i]);
      std::memcpy(image_ + places_[i], data.data(), data.size());
    }
  }

  uint64_t address_of(const Elf64_Sym& symbol) const {
    if (symbol.st_shndx == SHN_ABS) return symbol.st_value;
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= SHN_LORESERVE) {
      throw Malformed("it refers to something outside: " + name_at(symbol_names_, symbol.st_name));
    }
    section(symbol.st_shndx);
    const uint64_t place = places_[symbol.st_shndx];
    if (place == kUnplaced || symbol.st_value > size_ - place) {
      throw Malformed("a symbol lies outside its section");
    }
    return reinterpret_cast<uint64_t>(image_) + place + symbol.st_value;
  }

  void relocate() {
    for (const Elf64_Shdr& s : sections_) {
      if (s.sh_type != SHT_RELA && s.sh_type != SHT_REL) continue;
      section(s.sh_info);
      const uint64_t place = places_[s.sh_info];
      if (place == kUnplaced) continue;
      if (s.sh_type == SHT_REL) throw Malformed("its relocations have no addends");
      const uint64_t length = sections_[s.sh_info].sh_size;
      for (const Elf64_Rela& entry : contents<Elf64_Rela>(s)) {
        const uint64_t number = ELF64_R_SYM(entry.r_info);
        if (number >= symbols_.size()) throw Malformed("a symbol number is out of range");
        const uint64_t target = number ? address_of(symbols_[number]) + entry.r_addend
                                       : static_cast<uint64_t>(entry.r_addend);
        apply(ELF64_R_TYPE(entry.r_info), place, length, entry.r_offset, target);
      }
    }
  }

  template <class T>
  void put(uint64_t place, uint64_t length, uint64_t offset, T value) {
    if (length < sizeof(T) || offset > length - sizeof(T)) {
      throw Malformed("a relocation lies outside its section");
    }
    std::memcpy(image_ + place + offset, &value, sizeof(T));
  }

  uint32_t instruction(uint64_t place, uint64_t length, uint64_t offset) const {
    if (length < 4 || offset > length - 4) throw Malformed("a relocation lies outside its section");
    uint32_t word;
    std::memcpy(&word, image_ + place + offset, 4);
    return word;
  }

  static void require(bool fits) {
    if (!fits) throw Malformed("a relocation does not reach its target");
  }

  void apply(uint32_t type, uint64_t place, uint64_t length, uint64_t offset, uint64_t target) {
    const uint64_t here = reinterpret_cast<uint64_t>(image_) + place + offset;
    const int64_t distance = static_cast<int64_t>(target - here);
#if defined(__x86_64__)
    switch (type) {
      case R_X86_64_NONE:
        return;
      case R_X86_64_64:
        return put<uint64_t>(place, length, offset, target);
      case R_X86_64_PC64:
        return put<int64_t>(place, length, offset, distance);
      case R_X86_64_PC32:
      case R_X86_64_PLT32:
        require(distance == static_cast<int32_t>(distance));
        return put<int32_t>(place, length, offset, static_cast<int32_t>(distance));
      case R_X86_64_32:
        require(target == static_cast<uint32_t>(target));
        return put<uint32_t>(place, length, offset, static_cast<uint32_t>(target));
      case R_X86_64_32S:
        require(static_cast<int64_t>(target) == static_cast<int32_t>(target));
        return put<int32_t>(place, length, offset, static_cast<int32_t>(target));
    }
#else
    const auto patch = [&](uint32_t mask, uint32_t bits) {
      put<uint32_t>(place, length, offset,
                    (instruction(place, length, offset) & ~mask) | (bits & mask));
    };
    const uint64_t low = target & 0xFFF;
    switch (type) {
      case R_AARCH64_NONE:
        return;
      case R_AARCH64_ABS64:
        return put<uint64_t>(place, length, offset, target);
      case R_AARCH64_PREL64:
        return put<int64_t>(place, length, offset, distance);
      case R_AARCH64_PREL32:
        require(distance == static_cast<int32_t>(distance));
        return put<int32_t>(place, length, offset, static_cast<int32_t>(distance));
      case R_AARCH64_CALL26:
      case R_AARCH64_JUMP26:
        require(distance % 4 == 0 && distance >= -(1 << 27) && distance < (1 << 27));
        return patch(0x03FFFFFF, static_cast<uint32_t>(distance >> 2));
      case R_AARCH64_ADR_PREL_PG_HI21:
      case R_AARCH64_ADR_PREL_PG_HI21_NC: {
        const int64_t pages = static_cast<int64_t>((target & ~0xFFFull) - (here & ~0xFFFull)) >> 12;
        require(pages >= -(1 << 20) && pages < (1 << 20));
        const uint32_t bits = static_cast<uint32_t>(pages);
        return patch(0x60FFFFE0, (bits & 3) << 29 | ((bits >> 2) & 0x7FFFF) << 5);
      }
      case R_AARCH64_ADD_ABS_LO12_NC:
      case R_AARCH64_LDST8_ABS_LO12_NC:
        return patch(0x003FFC00, static_cast<uint32_t>(low << 10));
      case R_AARCH64_LDST16_ABS_LO12_NC:
        return patch(0x003FFC00, static_cast<uint32_t>(low >> 1 << 10));
      case R_AARCH64_LDST32_ABS_LO12_NC:
        return patch(0x003FFC00, static_cast<uint32_t>(low >> 2 << 10));
      case R_AARCH64_LDST64_ABS_LO12_NC:
        return patch(0x003FFC00, static_cast<uint32_t>(low >> 3 << 10));
      case R_AARCH64_LDST128_ABS_LO12_NC:
        return patch(0x003FFC00, static_cast<uint32_t>(low >> 4 << 10));
    }
#endif
    throw Malformed("it has a relocation of unknown type " + std::to_string(type));
  }

  std::span<const char> bytes_;
  std::vector<Elf64_Shdr> sections_;
  std::vector<char> names_, symbol_names_;
  std::vector<Elf64_Sym> symbols_;
  std::vector<uint64_t> places_;  // of each section in the image
  char* image_ = nullptr;
  size_t size_ = 0;
};

}  // namespace

void* load_object(std::span<const char> bytes, const std::string& symbol, std::string& error) {
  try {
    return Object(bytes).load(symbol);
  } catch (const std::exception& e) {
    error = e.what();
    return nullptr;
  }
}

}  // namespace gleed
