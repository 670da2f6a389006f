// DLPack (dmlc.github.io/dlpack, version 1): tensors exchanged with other libraries without
// copying.
#include <cstring>

#include "recording.h"
#include "scalar.h"
#include "tape.h"
#include "tensor_type.h"

namespace gleed {
namespace {

// The structures of the specification; their members' names are ours, their layout is not.
struct DLDevice {
  int32_t type;
  int32_t id;
};
struct DLDataType {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: row-major
  uint64_t byte_offset;
};
struct Unversioned {
  DLTensor tensor;
  void* context;
  void (*deleter)(Unversioned*);
};
struct Versioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(Versioned*);
  uint64_t flags;
  DLTensor tensor;
};
constexpr uint64_t kReadOnly = 1, kCopied = 2;
constexpr int32_t kCpu = 1, kCudaHost = 3;
enum Code : uint8_t {
  kInt = 0,
  kUInt = 1,
  kFloat = 2,
  kBFloat = 4,
  kComplexCode = 5,
  kBoolCode = 6
};

DLDataType dl_dtype(DType dtype) {
  const DTypeInfo& d = info(dtype);
  const Code code = dtype == DType::kBFloat16 ? kBFloat
                    : dtype == DType::kBool   ? kBoolCode
                    : d.floating              ? kFloat
                    : d.complex               ? kComplexCode
                    : d.is_signed             ? kInt
                                              : kUInt;
  return {code, static_cast<uint8_t>(8 * d.itemsize), 1};
}

bool dtype_from_dl(DLDataType type, DType* out) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const DLDataType known = dl_dtype(static_cast<DType>(i));
    if (known.code != type.code || known.bits != type.bits || type.lanes != 1) continue;
    *out = static_cast<DType>(i);
    return true;
  }
  return false;
}

// ---------------------------------------------------------------------------------- giving away

// One exported tensor: the structure of either kind, what it points to, and the memory it keeps.
template <class Managed>
struct Exported {
  Managed managed;
  Storage* storage;
  int64_t shape[kMaxDims];
  int64_t strides[kMaxDims];
};

// Consumers may let go from any thread.
template <class Managed>
void delete_exported(Managed* managed) {
  auto* exported = static_cast<Exported<Managed>*>(managed->context);
  const PyGILState_STATE state = PyGILState_Ensure();
  drop(exported->storage);
  PyGILState_Release(state);
  delete exported;
}

template <class Managed>
constexpr const char* capsule_name() {
  return std::is_same_v<Managed, Versioned> ? "dltensor_versioned" : "dltensor";
}

// A capsule that nobody consumed still has its name, and must delete what it holds.
template <class Managed>
void delete_capsule(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, capsule_name<Managed>())) return;
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, capsule_name<Managed>()));
  if (managed->deleter) managed->deleter(managed);
}

template <class Managed>
PyObject* export_tensor(const Tensor* t, bool copied) {
  auto* e = new (std::nothrow) Exported<Managed>();
  if (!e) return PyErr_NoMemory();
  for (int i = 0; i < t->layout.ndim; ++i) {
    e->shape[i] = t->layout.sizes[i];
    e->strides[i] = t->layout.strides[i];
  }
  e->storage = keep(t->storage);
  e->managed.context = e;
  e->managed.deleter = delete_exported<Managed>;
  e->managed.tensor = {t->data(),  {kCpu, 0}, t->layout.ndim, dl_dtype(t->dtype), e->shape,
                       e->strides, 0};
  if constexpr (std::is_same_v<Managed, Versioned>) {
    e->managed.major = 1;
    e->managed.minor = 0;
    e->managed.flags = (t->storage->read_only ? kReadOnly : 0) | (copied ? kCopied : 0);
  }
  PyObject* capsule = PyCapsule_New(&e->managed, capsule_name<Managed>(), delete_capsule<Managed>);
  if (!capsule) delete_exported(&e->managed);
  return capsule;
}

}  // namespace

PyObject* tensor_dlpack_device(PyObject*, PyObject*) { return Py_BuildValue("(ii)", kCpu, 0); }

PyObject* tensor_dlpack(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"stream", "max_version", "dl_device", "copy", nullptr};
  PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:__dlpack__", const_cast<char**>(names),
                                   &stream, &version, &device, &copy)) {
    return nullptr;
  }
  Tensor* t = as_tensor(self);
  if (!readable(t, "__dlpack__")) return nullptr;
  if (requires_grad(t)) {
    return raise("GradientError",
                 "__dlpack__: other libraries take no part in differentiation; the tensor requires "
                 "grad; use detach() first");
  }
  int device_type = kCpu, device_id = 0;
  if (device != Py_None && !PyArg_ParseTuple(device, "ii", &device_type, &device_id))
    return nullptr;
  if (device_type != kCpu) {
    return raise("BufferError",
                 "__dlpack__: the tensor is on the CPU; device type %d was asked for", device_type);
  }
  int major = 0, minor = 0;
  if (version != Py_None && !PyArg_ParseTuple(version, "ii", &major, &minor)) return nullptr;
  const int copied = copy == Py_None ? 0 : PyObject_IsTrue(copy);
  if (copied < 0) return nullptr;
  if (major < 1 && t->storage->read_only && !copied) {
    return raise("BufferError",
                 "__dlpack__: the tensor's memory is read-only, which the consumer's version of "
                 "DLPack cannot say; use clone() first");
  }
  PyObject* source = copied ? tensor_from_data(self, nullptr) : Py_NewRef(self);
  if (!source) return nullptr;
  PyObject* capsule = major >= 1 ? export_tensor<Versioned>(as_tensor(source), copied)
                                 : export_tensor<Unversioned>(as_tensor(source), copied);
  Py_DECREF(source);
  return capsule;
}

// ---------------------------------------------------------------------------------------- taking

namespace {

// A layout whose extent and byte size can be computed without overflow.
bool read_layout(const DLTensor& source, Layout* layout) {
  int64_t strides[kMaxDims];
  if (source.ndim < 0 || source.ndim > kMaxDims) {
    raise("ShapeError", "from_dlpack: at most %d dimensions; %d came; reshape it", kMaxDims,
          source.ndim);
    return false;
  }
  const std::span<const int64_t> sizes{source.shape, static_cast<size_t>(source.ndim)};
  for (int64_t size : sizes) {
    if (size >= 0) continue;
    raise("ShapeError", "from_dlpack: sizes must not be negative; %lld came",
          static_cast<long long>(size));
    return false;
  }
  *layout = contiguous_layout(sizes);
  if (source.strides) {
    std::copy(source.strides, source.strides + source.ndim, strides);
    *layout = as_strided(sizes, {strides, sizes.size()}, 0);
  }
  return true;
}

template <class Managed>
void release_managed(void* owner) {
  auto* managed = static_cast<Managed*>(owner);
  if (managed->deleter) managed->deleter(managed);
}

template <class Managed>
PyObject* import_capsule(PyObject* capsule) {
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, capsule_name<Managed>()));
  if (!managed) return nullptr;
  bool read_only = false;
  if constexpr (std::is_same_v<Managed, Versioned>) {
    if (managed->major != 1) {
      return raise("BufferError", "from_dlpack: understands version 1; version %u.%u came",
                   managed->major, managed->minor);
    }
    read_only = managed->flags & kReadOnly;
  }
  const DLTensor& source = managed->tensor;
  if (source.device.type != kCpu && source.device.type != kCudaHost) {
    return raise(
        "DeviceError",
        "from_dlpack: takes memory of the CPU; device type %d came; copy it to the CPU first",
        source.device.type);
  }
  DType dtype;
  if (!dtype_from_dl(source.dtype, &dtype)) {
    return raise(
        "DTypeError",
        "from_dlpack: no dtype of gleed fits; code %d with %d bits and %d lanes came; convert "
        "it first",
        source.dtype.code, source.dtype.bits, source.dtype.lanes);
  }
  Layout layout;
  if (!read_layout(source, &layout)) return nullptr;
  int64_t lo, hi;
  extent(layout, &lo, &hi);
  layout.offset = -lo;
  char* start = static_cast<char*>(source.data) + source.byte_offset + lo * itemsize(dtype);
  Storage* storage = wrap(start, (hi - lo) * itemsize(dtype), release_managed<Managed>, managed);
  if (!storage) return nullptr;
  storage->read_only = read_only;
  // From here on the memory is ours to delete; the new name tells the capsule's destructor.
  PyCapsule_SetName(
      capsule, std::is_same_v<Managed, Versioned> ? "used_dltensor_versioned" : "used_dltensor");
  return object(new_tensor(storage, layout, dtype));
}

// producer.__dlpack__(max_version=(1, 0)), or without arguments where that is unknown.
PyObject* ask(PyObject* producer) {
  PyObject* method = PyObject_GetAttrString(producer, "__dlpack__");
  if (!method) {
    PyErr_Clear();
    return raise("ArgumentError",
                 "from_dlpack: takes an object with __dlpack__; a %s came; use gleed.tensor(...)",
                 Py_TYPE(producer)->tp_name);
  }
  PyObject* options = Py_BuildValue("{s:(ii)}", "max_version", 1, 0);
  PyObject* none = options ? PyTuple_New(0) : nullptr;
  PyObject* capsule = none ? PyObject_Call(method, none, options) : nullptr;
  if (!capsule && PyErr_ExceptionMatches(PyExc_TypeError)) {
    PyErr_Clear();
    capsule = PyObject_CallNoArgs(method);
  }
  Py_XDECREF(options);
  Py_XDECREF(none);
  Py_DECREF(method);
  return capsule;
}

}  // namespace

PyObject* from_dlpack(PyObject* producer) {
  PyObject* capsule = PyCapsule_CheckExact(producer) ? Py_NewRef(producer) : ask(producer);
  if (!capsule) return nullptr;
  PyObject* result;
  if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
    result = import_capsule<Versioned>(capsule);
  } else if (PyCapsule_IsValid(capsule, "dltensor")) {
    result = import_capsule<Unversioned>(capsule);
  } else {
    result = raise("ArgumentError",
                   "from_dlpack: takes a fresh DLPack capsule; a used or other one "
                   "came; ask the producer for a new one");
  }
  Py_DECREF(capsule);
  return result;
}

}  // namespace gleed
