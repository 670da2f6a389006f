"""Names of TensorFlow 1 that gleed has not, and what to use instead."""

from __future__ import annotations

from collections.abc import Iterable

from gleed.graph.data import advice

_FEEDING = "feed batches, from gleed.utils.data.DataLoader for instance"
_FILES = "use tf.train.Saver"
_STRINGS = "strings are no tensors here"

ABSENT = {
    "FIFOQueue": _FEEDING,
    "FixedLenFeature": _FEEDING,
    "Print": "fetch the node and print it",
    "SparseTensor": "use dense tensors",
    "TFRecordReader": _FEEDING,
    "TensorArray": "use tf.scan or tf.map_fn, which stack their results",
    "TextLineReader": _FEEDING,
    "app": "call main() yourself",
    "as_string": _STRINGS,
    "assert_equal": "compare what session.run gives",
    "complex64": "keep real and imaginary parts in two tensors",
    "complex128": "keep real and imaginary parts in two tensors",
    "contrib": "initializers are tf.glorot_uniform_initializer and others",
    "data": _FEEDING,
    "decode_csv": _FEEDING,
    "distribute": "one process computes",
    "estimator": "write the training loop",
    "flags": "use argparse",
    "gfile": "use open()",
    "image": "prepare images before they are fed",
    "io": _FILES,
    "keras": "use gleed.nn",
    "metrics": "compute them from what session.run gives",
    "profiler": "measure with time.perf_counter",
    "py_func": "use gleed.graph.call for a function of tensors",
    "random_gamma": "draw with NumPy and feed",
    "random_poisson": "draw with NumPy and feed",
    "read_file": _FEEDING,
    "saved_model": _FILES,
    "sparse_placeholder": "use dense tensors",
    "sparse_tensor_dense_matmul": "use dense tensors",
    "string": _STRINGS,
    "string_split": _STRINGS,
    "summary": "print or plot what session.run gives",
    "test": "use pytest",
    "nn.bidirectional_dynamic_rnn": "use two tf.nn.dynamic_rnn, one over tf.reverse(x, [1])",
    "nn.ctc_loss": "use gleed.nn.functional.ctc_loss with gleed.graph.call",
    "nn.local_response_normalization": "use gleed.nn.functional.local_response_norm with call",
    "nn.lrn": "use gleed.nn.functional.local_response_norm with gleed.graph.call",
    "nn.nce_loss": "use softmax cross-entropy over all classes",
    "nn.sampled_softmax_loss": "use softmax cross-entropy over all classes",
    "train.AdadeltaOptimizer": "use tf.train.AdagradOptimizer",
    "train.Coordinator": _FEEDING,
    "train.FtrlOptimizer": "use tf.train.AdagradOptimizer",
    "train.MonitoredTrainingSession": "use tf.Session and tf.train.Saver",
    "train.QueueRunner": _FEEDING,
    "train.start_queue_runners": _FEEDING,
    "train.Supervisor": "use tf.Session and tf.train.Saver",
}


def missing(module: str, name: str, names: Iterable[str]) -> AttributeError:
    """The error for a name that a module, such as "tf.nn", has not."""
    within = module.removeprefix("tf").removeprefix(".")
    instead = ABSENT.get(f"{within}.{name}" if within else name)
    if instead is not None:
        return AttributeError(f"{module}.{name} is TensorFlow's, gleed has it not; {instead}")
    public = [n for n in names if not n.startswith("_")]
    return AttributeError(f"module {module!r} has no attribute {name!r}; {advice(name, public)}")
