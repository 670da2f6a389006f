#include "generator.h"

#include <cmath>
#include <cstring>
#include <numbers>
#include <random>

#include "errors.h"
#include "op.h"

namespace gleed {

namespace {

constexpr uint64_t kDefaultSeed = 67280421310721;  // PyTorch's, for generators without a seed

struct Generator {
  PyObject_HEAD;
  RandomSource* source;
};

RandomSource& source_of(PyObject* self) { return *reinterpret_cast<Generator*>(self)->source; }

// 53 bits, so that the seed survives in any language's numbers.
uint64_t unpredictable_seed() {
  std::random_device device;
  return (uint64_t{device()} << 32 | device()) & ((uint64_t{1} << 53) - 1);
}

// What torch.get_rng_state() holds, byte for byte.
struct State {
  uint64_t seed;
  int32_t left, seeded;
  uint64_t next;
  uint64_t words[Mt19937::kWords];
  double unused_x, spare, unused_rho;
  int32_t has_spare, padding;
  float float_spare;
  uint8_t has_float_spare, end[3];
};
static_assert(sizeof(State) == 5056);

// ---- Python's methods

PyObject* generator_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self) reinterpret_cast<Generator*>(self)->source = new RandomSource(kDefaultSeed);
  return self;
}

void generator_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  delete reinterpret_cast<Generator*>(self)->source;
  type->tp_free(self);
  Py_DECREF(type);
}

// An int of -2^63 to 2^64 - 1; negative ones count from the end.
bool read_seed(PyObject* o, uint64_t* seed) {
  PyObject* number = PyNumber_Index(o);
  if (!number) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
      PyErr_Clear();
      raise("ArgumentError", "manual_seed: the seed is an int; got %s; use int(...)",
            Py_TYPE(o)->tp_name);
    }
    return false;
  }
  int overflow = 0;
  *seed = static_cast<uint64_t>(PyLong_AsLongLongAndOverflow(number, &overflow));
  if (overflow > 0) *seed = PyLong_AsUnsignedLongLong(number);
  if (overflow < 0 || PyErr_Occurred()) {
    PyErr_Clear();
    raise("RangeError",
          "manual_seed: the seed must lie in -2**63 to 2**64 - 1; got %R; use seed %% 2**64",
          number);
    Py_DECREF(number);
    return false;
  }
  Py_DECREF(number);
  return true;
}

PyObject* manual_seed(PyObject* self, PyObject* number) {
  uint64_t seed;
  if (!read_seed(number, &seed)) return nullptr;
  RandomSource& source = source_of(self);
  const std::scoped_lock lock(source.mutex);
  source.reseed(seed);
  return Py_NewRef(self);
}

PyObject* seed(PyObject* self, PyObject*) {
  RandomSource& source = source_of(self);
  const uint64_t chosen = unpredictable_seed();
  const std::scoped_lock lock(source.mutex);
  source.reseed(chosen);
  return PyLong_FromUnsignedLongLong(chosen);
}

PyObject* initial_seed(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLongLong(source_of(self).words.seed());
}

PyObject* state_bytes(PyObject* self, PyObject*) {
  RandomSource& source = source_of(self);
  const std::scoped_lock lock(source.mutex);
  State state{};
  state.seed = source.words.seed();
  state.left = source.words.left();
  state.seeded = 1;
  state.next = static_cast<uint64_t>(source.words.next());
  for (int i = 0; i < Mt19937::kWords; ++i) state.words[i] = source.words.state()[i];
  state.has_spare = source.spare.has_value();
  state.spare = source.spare.value_or(0.0);
  return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(&state), sizeof(state));
}

PyObject* restore_bytes(PyObject* self, PyObject* bytes) {
  State state;
  if (!PyBytes_Check(bytes) || PyBytes_GET_SIZE(bytes) != sizeof(state)) {
    return raise("ShapeError",
                 "set_state: a state is a uint8 tensor of %zu elements, from get_state(); got %zd",
                 sizeof(state), PyBytes_Check(bytes) ? PyBytes_GET_SIZE(bytes) : Py_ssize_t{0});
  }
  std::memcpy(&state, PyBytes_AS_STRING(bytes), sizeof(state));
  const bool fresh = state.left == 1 && state.next == 0;
  if (!fresh && (state.next < 1 || state.next > Mt19937::kWords ||
                 state.left + state.next != Mt19937::kWords + 1)) {
    return raise("RangeError",
                 "set_state: the state must come from get_state(); this one is damaged; %d words "
                 "left and %llu used do not make a block",
                 static_cast<int>(state.left), static_cast<unsigned long long>(state.next));
  }
  uint32_t words[Mt19937::kWords];
  for (int i = 0; i < Mt19937::kWords; ++i) words[i] = static_cast<uint32_t>(state.words[i]);
  RandomSource& source = source_of(self);
  const std::scoped_lock lock(source.mutex);
  source.words.restore(state.seed, words, state.left, static_cast<int>(state.next));
  source.spare.reset();
  if (state.has_spare) source.spare = state.spare;
  Py_RETURN_NONE;
}

PyMethodDef generator_methods[] = {
    {"manual_seed", manual_seed, METH_O, "Begin the numbers that belong to a seed; returns self."},
    {"seed", seed, METH_NOARGS, "Begin with an unpredictable seed, and return it."},
    {"initial_seed", initial_seed, METH_NOARGS, "The seed with which the numbers began."},
    {"_state_bytes", state_bytes, METH_NOARGS, "The state as bytes."},
    {"_restore_bytes", restore_bytes, METH_O, "Continue from a state given as bytes."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot generator_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(generator_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(generator_dealloc)},
    {Py_tp_methods, generator_methods},
    {0, nullptr},
};
PyType_Spec generator_spec = {"gleed._C.Generator", sizeof(Generator), 0,
                              Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, generator_slots};

RandomSource* default_source = nullptr;

// The generator that serves calls without one, from now on: set_default_generator(generator).
PyObject* set_default(PyObject*, PyObject* generator) {
  if (!PyObject_TypeCheck(generator, GeneratorType)) {
    return raise("ArgumentError", "set_default_generator: takes a Generator; got %s",
                 Py_TYPE(generator)->tp_name);
  }
  Py_XSETREF(DefaultGenerator, Py_NewRef(generator));
  default_source = &source_of(generator);
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"set_default_generator", set_default, METH_O,
     "set_default_generator(generator). The source of calls that name none."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

double RandomState::normal() {
  if (spare) {
    const double result = *spare;
    spare.reset();
    return result;
  }
  const double u1 = words.unit(), u2 = words.unit();
  const double radius = std::sqrt(-2.0 * std::log1p(-u2)), angle = 2.0 * std::numbers::pi * u1;
  spare = radius * std::sin(angle);
  return radius * std::cos(angle);
}

RandomSource& default_random_source() { return *default_source; }

RandomSource& random_source(uint64_t generator) {
  if (generator == 0) return *default_source;
  return source_of(reinterpret_cast<PyObject*>(generator));
}

bool init_generator_type(PyObject* module) {
  PyObject* type = PyType_FromSpec(&generator_spec);
  GeneratorType = reinterpret_cast<PyTypeObject*>(type);
  if (!type || PyModule_AddObjectRef(module, "Generator", type) < 0) return false;
  static RandomSource first(unpredictable_seed());
  default_source = &first;
  return PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace gleed
