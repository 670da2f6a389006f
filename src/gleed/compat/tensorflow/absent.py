"""Names of TensorFlow 1 that gleed has not, and what to use instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from gleed.graph.data import advice

_FEEDING = "use tf.data.Dataset, or feed batches"
_FILES = "use tf.train.Saver"
_LINEAR_ALGEBRA = "compute it with NumPy in tf.py_func"
_STRINGS = "strings are no tensors here"

ABSENT = {
    "FIFOQueue": _FEEDING,
    "FixedLenFeature": _FEEDING,
    "SparseTensor": "use dense tensors",
    "TFRecordReader": _FEEDING,
    "TensorArray": "use tf.scan or tf.map_fn, which stack their results",
    "TextLineReader": _FEEDING,
    "as_string": _STRINGS,
    "complex64": "keep real and imaginary parts in two tensors",
    "complex128": "keep real and imaginary parts in two tensors",
    "decode_csv": _FEEDING,
    "distribute": "one process computes",
    "estimator": "write the training loop",
    "image": "prepare images before they are fed",
    "io": _FILES,
    "keras": "use gleed.nn",
    "profiler": "measure with time.perf_counter",
    "random_gamma": "draw with NumPy and feed",
    "random_poisson": "draw with NumPy and feed",
    "read_file": _FEEDING,
    "saved_model": _FILES,
    "sparse_placeholder": "use dense tensors",
    "sparse_tensor_dense_matmul": "use dense tensors",
    "string": _STRINGS,
    "string_split": _STRINGS,
    "test": "use pytest",
    "cholesky": _LINEAR_ALGEBRA,
    "matrix_determinant": _LINEAR_ALGEBRA,
    "matrix_inverse": _LINEAR_ALGEBRA,
    "matrix_solve": _LINEAR_ALGEBRA,
    "qr": _LINEAR_ALGEBRA,
    "self_adjoint_eig": _LINEAR_ALGEBRA,
    "svd": _LINEAR_ALGEBRA,
    "contrib.learn": "write the training loop",
    "contrib.slim": "use tf.layers",
    "contrib.tensorboard": "use tf.summary",
    "data.FixedLengthRecordDataset": "read files in Dataset.from_generator",
    "data.TFRecordDataset": "read files in Dataset.from_generator",
    "data.TextLineDataset": "read lines in Dataset.from_generator",
    "data.experimental": "use the methods of tf.data.Dataset",
    "segment_sum": "use tf.unsorted_segment_sum",
    "segment_mean": "use tf.unsorted_segment_mean",
    "segment_max": "use tf.unsorted_segment_max",
    "nn.ctc_loss": "use gleed.nn.functional.ctc_loss with gleed.graph.call",
    "train.Coordinator": _FEEDING,
    "train.FtrlOptimizer": "use tf.train.AdagradOptimizer",
    "train.MonitoredTrainingSession": "use tf.Session and tf.train.Saver",
    "train.QueueRunner": _FEEDING,
    "train.batch": _FEEDING,
    "train.shuffle_batch": _FEEDING,
    "train.string_input_producer": _FEEDING,
    "train.start_queue_runners": _FEEDING,
    "train.Supervisor": "use tf.Session and tf.train.Saver",
}


def missing(module: str, name: str, names: Mapping[str, Any]) -> AttributeError:
    """The error for a name that a module, such as "tf.nn", has not."""
    within = module.removeprefix("tf").removeprefix(".")
    instead = ABSENT.get(f"{within}.{name}" if within else name)
    if instead is not None:
        return _error(f"{module}.{name} is TensorFlow's, gleed has it not; {instead}", name)
    public = [n for n, value in names.items() if not n.startswith("_") and _is_public(value)]
    return _error(f"module {module!r} has no attribute {name!r}; {advice(name, public)}", name)


def _is_public(value: Any) -> bool:
    """Whether it is TensorFlow's: of modules those that answer for names of theirs."""
    return not isinstance(value, ModuleType) or hasattr(value, "__getattr__")


def _error(text: str, name: str) -> AttributeError:
    # Without `obj`, Python would add a guess of its own.
    return AttributeError(text, name=name, obj=None)
