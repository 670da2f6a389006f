// A growing array of plain values whose first N live on the stack.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>

namespace gleed {

template <class T, size_t N>
class SmallBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  SmallBuffer() = default;
  explicit SmallBuffer(size_t size) { resize(size); }
  ~SmallBuffer() {
    if (data_ != inline_) std::free(data_);
  }
  SmallBuffer(const SmallBuffer&) = delete;
  SmallBuffer& operator=(const SmallBuffer&) = delete;

  void push(T value) {
    if (size_ == capacity_) grow(size_ + 1);
    data_[size_++] = value;
  }
  // New elements are left unset.
  void resize(size_t size) {
    if (size > capacity_) grow(size);
    size_ = size;
  }
  void clear() { size_ = 0; }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  operator std::span<const T>() const { return {data_, size_}; }

 private:
  void grow(size_t least) {
    const size_t capacity = least > 2 * capacity_ ? least : 2 * capacity_;
    T* moved = static_cast<T*>(std::malloc(capacity * sizeof(T)));
    if (!moved) throw std::bad_alloc();
    std::memcpy(moved, data_, size_ * sizeof(T));
    if (data_ != inline_) std::free(data_);
    data_ = moved;
    capacity_ = capacity;
  }

  T inline_[N];
  T* data_ = inline_;
  size_t size_ = 0;
  size_t capacity_ = N;
};

}  // namespace gleed
