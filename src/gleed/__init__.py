"""gleed: a deep-learning framework, PyTorch's API on a small, fast engine."""

from __future__ import annotations

from gleed import _C, formatting, ops, subscripts, tensor_methods
from gleed._C import Size, Tensor, __version__, memory_stats
from gleed._C import get_num_threads as get_num_threads
from gleed._C import set_num_threads as set_num_threads
from gleed.autograd import (
    connect,
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

ops.install()
globals().update(ops.functions("gleed"))

_C.register_slot("advanced_index", subscripts.get_item)
_C.register_slot("setitem", subscripts.set_item)
tensor_methods.install()
Tensor.__repr__ = formatting.tensor_repr
connect({**globals(), **{name: ops.OPS[name].public for name in ("add_", "copy_", "zero_")}})

from gleed import autograd, cuda, nn, optim, utils  # noqa: E402 (they use the names above)
from gleed.serialization import load, save  # noqa: E402
