// Entry: a captured program with all that must hold for it to be run, checked and run without
// Python. `gleed/captured/entry.py` makes them and says what the arguments mean.
#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <tuple>
#include <vector>

#include "bind_engine.h"
#include "generator.h"
#include "op.h"
#include "recording.h"
#include "steps.h"
#include "tape.h"

namespace gleed {

namespace {

// What an argument must be, or what a result is made of.
struct Form {
  enum Kind { kTensor, kFixed, kSequence, kDict, kFields, kNumber };
  Kind kind = kFixed;
  Py_ssize_t tensor = 0;       // kTensor, kNumber (any of a type): its number
  PyObject* object = nullptr;  // kFixed: the object; else the type
  PyObject* keys = nullptr;    // kDict, kFields: a tuple
  std::vector<Form> items;
};

// A place of Python's state, and what it held.
struct Cell {
  enum Kind { kItem, kAttribute, kIndex, kLength, kKeys, kContent, kType, kCode };
  Kind kind;
  PyObject *holder, *key, *held;
  Py_ssize_t index;
  bool number;  // any float will do: it is one of the program's run-time numbers
  int exact;    // whether another tensor is a change: it is found in other places too
};

// Where an input comes from.
struct Source {
  enum Kind { kArgument, kCell, kGrad, kConstant };
  Kind kind;
  Py_ssize_t number;
  PyObject* constant;
  int requires_grad, written;
  Py_ssize_t hooks;
};

// What a tensor among the results is: an output, or an input itself.
struct Result {
  bool output;
  Py_ssize_t number;
};

struct Contents {
  std::vector<PyObject*> owned;
  Form arguments, results;
  Py_ssize_t tensors = 0;  // and followed numbers among the arguments
  bool grad = true, inference = false, converts = false;
  int dtype = 0;
  std::vector<Cell> cells;
  std::vector<Source> sources;
  PyObject *op = nullptr, *missing = nullptr;
  std::vector<uint64_t> numbers;
  // A number, and the cell that it is in; or ~ that of an argument.
  std::vector<std::pair<Py_ssize_t, Py_ssize_t>> followed;
  std::vector<uint64_t> generators;  // that it draws from
  bool differentiable = false, writes = false;
  std::vector<std::pair<Py_ssize_t, Py_ssize_t>> gradients;  // input, output or -1 for None
  std::vector<Py_ssize_t> needs_none, needs_some;
  std::vector<Result> tensors_returned;
};

struct Entry {
  PyObject_HEAD;
  Contents* contents;
};

PyObject* grad_name = nullptr;

// ---- comparing
bool same(PyObject* before, PyObject* now) {
  if (before == now) return true;
  if (Py_TYPE(before) != Py_TYPE(now)) return false;
  if (is_tensor(before)) return true;  // another tensor is another input
  if (PyFloat_CheckExact(before)) {
    const double a = PyFloat_AS_DOUBLE(before), b = PyFloat_AS_DOUBLE(now);
    return std::memcmp(&a, &b, sizeof a) == 0;
  }
  if (PyTuple_CheckExact(before)) {
    const Py_ssize_t n = PyTuple_GET_SIZE(before);
    bool equal = n == PyTuple_GET_SIZE(now);
    for (Py_ssize_t i = 0; equal && i < n; ++i) {
      equal = same(PyTuple_GET_ITEM(before, i), PyTuple_GET_ITEM(now, i));
    }
    return equal;
  }
  const bool by_value = PyLong_CheckExact(before) || PyUnicode_CheckExact(before) ||
                        PyBytes_CheckExact(before) || PyComplex_CheckExact(before) ||
                        PySlice_Check(before);
  if (!by_value) return false;
  return PyObject_RichCompareBool(before, now, Py_EQ) == 1;
}

bool keys_are(PyObject* dict, PyObject* keys) {
  if (PyDict_GET_SIZE(dict) != PyTuple_GET_SIZE(keys)) return false;
  PyObject *key, *value;
  Py_ssize_t position = 0, i = 0;
  while (PyDict_Next(dict, &position, &key, &value)) {
    if (!same(PyTuple_GET_ITEM(keys, i++), key)) return false;
  }
  return true;
}

// What a cell holds now: a new reference; null, perhaps with an exception, if it cannot be had.
PyObject* read(const Cell& cell, PyObject* missing) {
  PyObject* value = nullptr;
  switch (cell.kind) {
    case Cell::kItem:
      value = PyDict_GetItemWithError(cell.holder, cell.key);
      break;
    case Cell::kAttribute:
      value = PyObject_GetAttr(cell.holder, cell.key);
      if (!value) PyErr_Clear();
      return value ? value : Py_NewRef(missing);
    case Cell::kIndex: {
      const Py_ssize_t size =
          PyList_Check(cell.holder) ? PyList_GET_SIZE(cell.holder) : PyTuple_GET_SIZE(cell.holder);
      if (cell.index < size) {
        value = PyList_Check(cell.holder) ? PyList_GET_ITEM(cell.holder, cell.index)
                                          : PyTuple_GET_ITEM(cell.holder, cell.index);
      }
      break;
    }
    case Cell::kContent:
      value = PyCell_GET(cell.holder);
      break;
    default:
      return nullptr;
  }
  return Py_NewRef(value ? value : missing);
}

bool unchanged(const Cell& cell, PyObject* missing) {
  if (cell.kind == Cell::kType)
    return Py_IS_TYPE(cell.holder, reinterpret_cast<PyTypeObject*>(cell.held));
  if (cell.kind == Cell::kCode) {
    PyObject* defaults = PyFunction_GET_DEFAULTS(cell.holder);
    return PyFunction_GET_CODE(cell.holder) == cell.held &&
           (defaults ? defaults : Py_None) == cell.key;
  }
  if (cell.kind == Cell::kLength) return PyObject_Size(cell.holder) == cell.index;
  if (cell.kind == Cell::kKeys) {
    const bool plain = PyDict_Check(cell.holder) && !PyODict_Check(cell.holder);
    if (plain) return keys_are(cell.holder, cell.held);
    PyObject* items = PySequence_Tuple(cell.holder);
    const bool equal = items && same(cell.held, items);
    Py_XDECREF(items);
    return equal;
  }
  PyObject* now = read(cell, missing);
  const bool equal = now && (cell.number  ? PyFloat_CheckExact(now)
                             : cell.exact ? cell.held == now
                                          : same(cell.held, now));
  Py_XDECREF(now);
  return equal;
}

using Tensors = SmallBuffer<PyObject*, 32>;

bool fits_word(PyObject* number) {
  int overflow = 0;
  if (PyLong_Check(number)) PyLong_AsLongLongAndOverflow(number, &overflow);
  return overflow == 0;
}

// A run-time number as programs take it.
uint64_t word_of(PyObject* number) {
  if (PyLong_Check(number)) return static_cast<uint64_t>(PyLong_AsLongLong(number));
  return std::bit_cast<uint64_t>(PyFloat_AS_DOUBLE(number));
}

bool match(const Form& form, PyObject* value, Tensors& tensors) {
  switch (form.kind) {
    case Form::kTensor:
      tensors[form.tensor] = value;
      return is_tensor(value);
    case Form::kFixed:
      return !is_tensor(value) && same(form.object, value);
    case Form::kNumber:
      tensors[form.tensor] = value;
      return Py_TYPE(value) == reinterpret_cast<PyTypeObject*>(form.object) && fits_word(value);
    default:
      break;
  }
  if (Py_TYPE(value) != reinterpret_cast<PyTypeObject*>(form.object)) return false;
  const auto count = static_cast<Py_ssize_t>(form.items.size());
  if (form.kind == Form::kSequence) {
    const bool list = PyList_Check(value);
    if (count != (list ? PyList_GET_SIZE(value) : PyTuple_GET_SIZE(value))) return false;
    for (Py_ssize_t i = 0; i < count; ++i) {
      PyObject* item = list ? PyList_GET_ITEM(value, i) : PyTuple_GET_ITEM(value, i);
      if (!match(form.items[i], item, tensors)) return false;
    }
    return true;
  }
  if (form.kind == Form::kDict) {
    if (!keys_are(value, form.keys)) return false;
    for (Py_ssize_t i = 0; i < count; ++i) {
      PyObject* item = PyDict_GetItemWithError(value, PyTuple_GET_ITEM(form.keys, i));
      if (!item || !match(form.items[i], item, tensors)) return false;
    }
    return true;
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PyObject_GetAttr(value, PyTuple_GET_ITEM(form.keys, i));
    // The object keeps its field.
    Py_XDECREF(item);
    if (!item || !match(form.items[i], item, tensors)) return false;
  }
  return true;
}

// ---- running
PyObject* build(const Form& form, const Contents& entry, PyObject* const* outputs,
                PyObject* inputs) {
  if (form.kind == Form::kTensor) {
    const Result& result = entry.tensors_returned[form.tensor];
    return Py_NewRef(result.output ? outputs[result.number]
                                   : PyTuple_GET_ITEM(inputs, result.number));
  }
  if (form.kind == Form::kFixed) return Py_NewRef(form.object);
  const auto count = static_cast<Py_ssize_t>(form.items.size());
  const bool dict = form.kind == Form::kDict;
  const bool list = form.object == reinterpret_cast<PyObject*>(&PyList_Type);
  PyObject* made = dict ? PyDict_New() : list ? PyList_New(count) : PyTuple_New(count);
  for (Py_ssize_t i = 0; made && i < count; ++i) {
    PyObject* item = build(form.items[i], entry, outputs, inputs);
    bool ok = item != nullptr;
    if (ok && dict) {
      ok = PyDict_SetItem(made, PyTuple_GET_ITEM(form.keys, i), item) == 0;
      Py_DECREF(item);
    } else if (ok && list) {
      PyList_SET_ITEM(made, i, item);
    } else if (ok) {
      PyTuple_SET_ITEM(made, i, item);
    }
    if (!ok) Py_CLEAR(made);
  }
  return made;
}

// The tensors that the program is run on; null, perhaps with an exception, if they cannot be had,
// or one needs a gradient that did not, or the other way round.
PyObject* gather(const Contents& entry, const Tensors& arguments) {
  const auto count = static_cast<Py_ssize_t>(entry.sources.size());
  PyObject* inputs = PyTuple_New(count);
  for (Py_ssize_t i = 0; inputs && i < count; ++i) {
    const Source& source = entry.sources[i];
    PyObject* tensor = nullptr;
    switch (source.kind) {
      case Source::kArgument:
        tensor = Py_NewRef(arguments[source.number]);
        break;
      case Source::kCell:
        tensor = read(entry.cells[source.number], entry.missing);
        break;
      case Source::kGrad:
        tensor = PyObject_GetAttr(PyTuple_GET_ITEM(inputs, source.number), grad_name);
        break;
      case Source::kConstant:
        tensor = Py_NewRef(source.constant);
    }
    // A program whose results have no history runs without gradients; its key is silent here.
    const auto tracked = [&] {
      const Tensor* t = as_tensor(tensor);
      return requires_grad(t) == (source.requires_grad != 0) && count_hooks(t) == source.hooks;
    };
    if (tensor && is_tensor(tensor) && (!entry.grad || tracked())) {
      PyTuple_SET_ITEM(inputs, i, tensor);
    } else {
      Py_XDECREF(tensor);
      Py_CLEAR(inputs);
    }
  }
  return inputs;
}

bool has_grad(PyObject* tensor) {
  const AutogradMeta* meta = as_tensor(tensor)->grad_meta;
  return meta && meta->grad;
}

bool holds(const Contents& entry, PyObject* inputs) {
  for (Py_ssize_t k : entry.needs_none) {
    if (has_grad(PyTuple_GET_ITEM(inputs, k))) return false;
  }
  for (Py_ssize_t k : entry.needs_some) {
    if (!has_grad(PyTuple_GET_ITEM(inputs, k))) return false;
  }
  return true;
}

// Whether what the program writes to shares no memory with another input.
bool apart(const Contents& entry, PyObject* inputs) {
  static uint32_t mark = 0;
  const auto count = static_cast<Py_ssize_t>(entry.sources.size());
  const auto tensor = [&](Py_ssize_t k) { return as_tensor(PyTuple_GET_ITEM(inputs, k)); };
  bool shared = false;
  ++mark;
  for (bool written : {true, false}) {
    for (Py_ssize_t k = 0; k < count; ++k) {
      if (entry.sources[k].written != int{written}) continue;
      shared |= tensor(k)->storage->mark == mark;
      if (written) tensor(k)->storage->mark = mark;
    }
  }
  for (Py_ssize_t k = 0; shared && k < count; ++k) {
    for (Py_ssize_t i = 0; entry.sources[k].written && i < count; ++i) {
      if (i != k && overlap(tensor(k), tensor(i))) return false;
    }
  }
  return true;
}

// Generators as they are, to be put back if a program fails that has drawn already.
class Draws {
 public:
  explicit Draws(const std::vector<uint64_t>& generators) {
    for (uint64_t generator : generators) {
      RandomSource& source = generator ? random_source(generator) : default_random_source();
      const std::scoped_lock lock(source.mutex);
      before_.emplace_back(&source, source.words, source.spare);
    }
  }
  void undo() {
    for (auto& [source, words, spare] : before_) {
      const std::scoped_lock lock(source->mutex);
      source->words = words;
      source->spare = spare;
    }
  }

 private:
  std::vector<std::tuple<RandomSource*, Mt19937, std::optional<double>>> before_;
};

PyObject* run_on(const Contents& entry, PyObject* inputs, const Tensors& arguments) {
  SmallBuffer<uint64_t, 32> numbers(entry.numbers.size());
  std::copy(entry.numbers.begin(), entry.numbers.end(), numbers.data());
  for (const auto& [number, cell] : entry.followed) {
    // `unchanged` and `match` have seen what it is.
    PyObject* value =
        cell < 0 ? Py_NewRef(arguments[~cell]) : read(entry.cells[cell], entry.missing);
    numbers[number] = word_of(value);
    Py_DECREF(value);
  }
  Draws draws(entry.generators);
  PyObject* found =
      run_program(*reinterpret_cast<Op*>(entry.op), inputs, numbers, entry.differentiable);
  if (!found) {
    draws.undo();
    return nullptr;
  }
  const bool many = PyTuple_CheckExact(found);
  PyObject* const* outputs = many ? &PyTuple_GET_ITEM(found, 0) : &found;
  bool ok = true;
  for (const auto& [input, output] : entry.gradients) {
    ok = ok && PyObject_SetAttr(PyTuple_GET_ITEM(inputs, input), grad_name,
                                output < 0 ? Py_None : outputs[output]) == 0;
  }
  PyObject* result = ok ? build(entry.results, entry, outputs, inputs) : nullptr;
  Py_DECREF(found);
  return result;
}

// entry(args, kwargs): the result, or NotImplemented if the program is not for this call.
PyObject* entry_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject *positional, *named;
  if (kwargs ||
      !PyArg_ParseTuple(args, "O!O!:Entry", &PyTuple_Type, &positional, &PyDict_Type, &named)) {
    return PyErr_Occurred() ? nullptr : raise("TypeError", "Entry: it takes args and kwargs");
  }
  const Contents& entry = *reinterpret_cast<Entry*>(self)->contents;
  Tensors tensors(static_cast<size_t>(entry.tensors));
  bool fits = !recording() && grad_enabled() == entry.grad &&
              inference_enabled() == entry.inference &&
              static_cast<int>(default_dtype) == entry.dtype && converting() == entry.converts &&
              match(entry.arguments.items[0], positional, tensors) &&
              match(entry.arguments.items[1], named, tensors);
  for (size_t i = 0; fits && i < entry.cells.size(); ++i) {
    fits = unchanged(entry.cells[i], entry.missing);
  }
  PyObject* inputs = fits ? gather(entry, tensors) : nullptr;
  PyObject* result = nullptr;
  if (inputs && holds(entry, inputs) && (!entry.writes || apart(entry, inputs))) {
    Py_INCREF(self);  // the program may drop whoever holds this
    result = run_on(entry, inputs, tensors);
    Py_DECREF(self);
  } else if (!PyErr_Occurred()) {
    result = Py_NewRef(Py_NotImplemented);
  }
  Py_XDECREF(inputs);
  return result;
}

// ---- from Python
class Reader {
 public:
  explicit Reader(Contents& contents) : contents_(contents) {}

  PyObject* own(PyObject* o) {
    contents_.owned.push_back(Py_NewRef(o));
    return o;
  }

  // (0, k), (1, object), (2, type, items), (3, type, keys, items), (4, type, names, items) or
  // (5, type, k)
  bool form(PyObject* o, Form& out) {
    int kind;
    PyObject *first, *second = nullptr, *third = nullptr;
    if (!PyArg_ParseTuple(o, "iO|OO", &kind, &first, &second, &third)) return false;
    out.kind = static_cast<Form::Kind>(kind);
    if (kind == Form::kTensor) {
      out.tensor = PyLong_AsSsize_t(first);
      return !PyErr_Occurred();
    }
    out.object = own(first);
    if (kind == Form::kNumber) out.tensor = PyLong_AsSsize_t(second);
    if (kind == Form::kFixed || kind == Form::kNumber) return !PyErr_Occurred();
    PyObject* items = kind == Form::kSequence ? second : third;
    if (kind != Form::kSequence) out.keys = own(second);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items); ++i) {
      out.items.emplace_back();
      if (!form(PyTuple_GET_ITEM(items, i), out.items.back())) return false;
    }
    return true;
  }

  bool cells(PyObject* list) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); ++i) {
      int kind;
      Cell cell{};
      if (!PyArg_ParseTuple(PyTuple_GET_ITEM(list, i), "iOOOp", &kind, &cell.holder, &cell.key,
                            &cell.held, &cell.exact)) {
        return false;
      }
      cell.kind = static_cast<Cell::Kind>(kind);
      for (PyObject* o : {cell.holder, cell.key, cell.held}) own(o);
      PyObject* number = cell.kind == Cell::kLength ? cell.held : cell.key;
      if (cell.kind == Cell::kLength || cell.kind == Cell::kIndex) {
        cell.index = PyLong_AsSsize_t(number);
      }
      contents_.cells.push_back(cell);
    }
    return !PyErr_Occurred();
  }

  bool sources(PyObject* list) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); ++i) {
      int kind;
      Source source{};
      PyObject* what;
      if (!PyArg_ParseTuple(PyTuple_GET_ITEM(list, i), "iOpnp", &kind, &what, &source.requires_grad,
                            &source.hooks, &source.written)) {
        return false;
      }
      source.kind = static_cast<Source::Kind>(kind);
      contents_.writes |= source.written != 0;
      if (source.kind == Source::kConstant) {
        source.constant = own(what);
      } else {
        source.number = PyLong_AsSsize_t(what);
      }
      contents_.sources.push_back(source);
    }
    return !PyErr_Occurred();
  }

  template <class Add>
  static bool pairs(PyObject* list, Add add) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); ++i) {
      Py_ssize_t a, b;
      if (!PyArg_ParseTuple(PyTuple_GET_ITEM(list, i), "nn", &a, &b)) return false;
      add(a, b);
    }
    return true;
  }

 private:
  Contents& contents_;
};

// Entry(arguments, tensors, modes, cells, missing, sources, program, gradients, needs, results)
PyObject* entry_new(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject *arguments, *modes, *cells, *missing, *sources, *program, *gradients, *needs, *results;
  Py_ssize_t tensors;
  if (!PyArg_ParseTuple(args, "OnO!O!OO!O!O!O!O:Entry", &arguments, &tensors, &PyTuple_Type, &modes,
                        &PyTuple_Type, &cells, &missing, &PyTuple_Type, &sources, &PyTuple_Type,
                        &program, &PyTuple_Type, &gradients, &PyTuple_Type, &needs, &results)) {
    return nullptr;
  }
  auto contents = std::make_unique<Contents>();
  Contents& c = *contents;
  Reader reader(c);
  PyObject *dtype, *form, *returned, *numbers, *followed, *generators;
  int grad, inference, converts, differentiable;
  DType default_of_call;
  bool ok =
      reader.form(arguments, c.arguments) &&
      PyArg_ParseTuple(modes, "ppOp", &grad, &inference, &dtype, &converts) &&
      read_dtype(dtype, &default_of_call) && reader.cells(cells) && reader.sources(sources) &&
      PyArg_ParseTuple(program, "O!O!O!O!p", OpType, &c.op, &PyTuple_Type, &numbers, &PyTuple_Type,
                       &followed, &PyTuple_Type, &generators, &differentiable) &&
      PyArg_ParseTuple(results, "OO!", &form, &PyTuple_Type, &returned) &&
      reader.form(form, c.results);
  ok = ok &&
       Reader::pairs(gradients,
                     [&](Py_ssize_t a, Py_ssize_t b) { c.gradients.emplace_back(a, b); }) &&
       Reader::pairs(needs,
                     [&](Py_ssize_t input, Py_ssize_t some) {
                       (some ? c.needs_some : c.needs_none).push_back(input);
                     }) &&
       Reader::pairs(returned, [&](Py_ssize_t output, Py_ssize_t number) {
         c.tensors_returned.push_back({output != 0, number});
       });
  for (const auto& [words, list] :
       {std::pair{&c.numbers, numbers}, std::pair{&c.generators, generators}}) {
    for (Py_ssize_t i = 0; ok && i < PyTuple_GET_SIZE(list); ++i) {
      words->push_back(PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(list, i)));
    }
  }
  ok = ok && !PyErr_Occurred() && Reader::pairs(followed, [&](Py_ssize_t number, Py_ssize_t cell) {
         c.followed.emplace_back(number, cell);
         if (cell >= 0) c.cells[cell].number = true;
       });
  if (ok) {
    c.tensors = tensors;
    c.grad = grad, c.inference = inference, c.converts = converts;
    c.dtype = static_cast<int>(default_of_call);
    c.differentiable = differentiable;
    c.missing = reader.own(missing);
    reader.own(c.op);
  }
  PyObject* self = ok ? type->tp_alloc(type, 0) : nullptr;
  if (!self) {
    for (PyObject* o : c.owned) Py_DECREF(o);
    return nullptr;
  }
  reinterpret_cast<Entry*>(self)->contents = contents.release();
  return self;
}

int entry_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (const Contents* contents = reinterpret_cast<Entry*>(self)->contents) {
    for (PyObject* o : contents->owned) Py_VISIT(o);
  }
  return 0;
}

// A program that is still reachable from a finalizer may be run: what it holds goes at the end.
int entry_clear(PyObject*) { return 0; }

void entry_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Contents* contents = reinterpret_cast<Entry*>(self)->contents;
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
  if (!contents) return;
  for (PyObject* o : contents->owned) Py_DECREF(o);
  delete contents;
}

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("A captured program, and what must hold for it to be run.")},
    {Py_tp_new, reinterpret_cast<void*>(entry_new)},
    {Py_tp_call, reinterpret_cast<void*>(entry_call)},
    {Py_tp_traverse, reinterpret_cast<void*>(entry_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(entry_clear)},
    {Py_tp_dealloc, reinterpret_cast<void*>(entry_dealloc)},
    {0, nullptr},
};
PyType_Spec spec = {"gleed._C.Entry", sizeof(Entry), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                    slots};

}  // namespace

bool init_entry_type(PyObject* module) {
  grad_name = PyUnicode_InternFromString("grad");
  PyObject* type = PyType_FromSpec(&spec);
  const bool ok = grad_name && type && PyModule_AddObjectRef(module, "Entry", type) == 0;
  Py_XDECREF(type);
  return ok;
}

}  // namespace gleed
