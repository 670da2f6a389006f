"""gleed: a deep-learning framework, PyTorch's API on a small, fast engine."""

from __future__ import annotations

import importlib
from typing import Any

from gleed import (
    _C,
    autograd,
    cuda,
    devices,
    dtypes,
    factories,
    formatting,
    inquiries,
    memory_formats,
    ops,
    subscripts,
    tensor_methods,
    tensor_types,
)
from gleed._C import Size, Tensor, __version__, get_num_threads, memory_stats, set_num_threads
from gleed._C import reset_peak_memory as reset_peak_memory_stats
from gleed.autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from gleed.devices import *  # noqa: F403
from gleed.dtypes import *  # noqa: F403
from gleed.factories import *  # noqa: F403
from gleed.formatting import get_printoptions, printoptions, set_printoptions
from gleed.inquiries import *  # noqa: F403
from gleed.memory_formats import *  # noqa: F403
from gleed.random import (
    Generator,
    default_generator,
    fork_rng,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from gleed.tensor_types import *  # noqa: F403

# Where to find what is loaded at its first use, which keeps `import gleed` quick.
LAZY = {
    "amp": "gleed.amp",
    "are_deterministic_algorithms_enabled": "gleed.settings",
    "backends": "gleed.backends",
    "compile": "gleed.captured",
    "cond": "gleed.captured.control_flow",
    "map": "gleed.captured.control_flow",
    "scan": "gleed.captured.control_flow",
    "while_loop": "gleed.captured.control_flow",
    "autocast": "gleed.amp",
    "get_autocast_cpu_dtype": "gleed.amp",
    "get_autocast_dtype": "gleed.amp",
    "get_autocast_gpu_dtype": "gleed.amp",
    "get_deterministic_debug_mode": "gleed.settings",
    "get_float32_matmul_precision": "gleed.settings",
    "is_deterministic_algorithms_warn_only_enabled": "gleed.settings",
    "set_deterministic_debug_mode": "gleed.settings",
    "set_float32_matmul_precision": "gleed.settings",
    "use_deterministic_algorithms": "gleed.settings",
    "is_autocast_cache_enabled": "gleed.amp",
    "is_autocast_cpu_enabled": "gleed.amp",
    "is_autocast_enabled": "gleed.amp",
    "func": "gleed.func",
    "graph": "gleed.graph",
    "load": "gleed.serialization",
    "nn": "gleed.nn",
    "optim": "gleed.optim",
    "save": "gleed.serialization",
    "linalg": "gleed.linalg",
    "special": "gleed.special",
    "utils": "gleed.utils",
    "vmap": "gleed.func",
}

__all__ = [
    "Generator",
    "Size",
    "Tensor",
    "__version__",
    "autograd",
    "cuda",
    "default_generator",
    "enable_grad",
    "fork_rng",
    "get_num_threads",
    "get_printoptions",
    "get_rng_state",
    "inference_mode",
    "initial_seed",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "manual_seed",
    "memory_stats",
    "no_grad",
    "printoptions",
    "reset_peak_memory_stats",
    "seed",
    "set_grad_enabled",
    "set_num_threads",
    "set_printoptions",
    "set_rng_state",
    *devices.__all__,
    *memory_formats.__all__,
    *dtypes.__all__,
    *factories.__all__,
    *inquiries.__all__,
    *tensor_types.__all__,
    *LAZY,
    *ops.functions("gleed"),
]


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module 'gleed' has no attribute {name!r}")
    module = importlib.import_module(LAZY[name])
    value = globals()[name] = getattr(module, name, module)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *LAZY})


ops.install()
globals().update(ops.functions("gleed"))
_C.register_slot("advanced_index", subscripts.get_item)
_C.register_slot("setitem", subscripts.set_item)
tensor_methods.install()
Tensor.__repr__ = formatting.tensor_repr
Tensor.__format__ = formatting.tensor_format
autograd.connect({name: ops.OPS[name].public for name in autograd.ENGINE_OPS})
