"""The closed set of operations that the graph IR is made of, one record each.

A record holds the type rule, the scalar code or scheduling kind, and the gradient; see `core`.
"""

from gleed.primitives.attention import attention
from gleed.primitives.convolution import (
    channels_second,
    convolution,
    convolution_input,
    convolution_weight,
)
from gleed.primitives.core import PRIMITIVES, FloatNeededError, IRError, Primitive, require_float
from gleed.primitives.indexing import as_strided, gather, iota, scatter, window
from gleed.primitives.library import (
    affine,
    logcumsumexp,
    matmul,
    nonzero,
    place_of_rank,
    searchsorted,
    sort,
    topk,
)
from gleed.primitives.movement import (
    compact,
    concat,
    diagonal,
    flip,
    insert,
    permute,
    reshape,
    slice,
    view,
)
from gleed.primitives.pointwise import *  # noqa: F403 (every name there is a primitive)
from gleed.primitives.random import (
    random_choices,
    random_events,
    random_integers,
    random_normal,
    random_permutation,
    random_state,
    random_uniform,
    random_uniform_where,
)
from gleed.primitives.reduction import (
    broadcast,
    last_reached,
    reduce_all,
    reduce_any,
    reduce_argmax,
    reduce_argmin,
    reduce_max,
    reduce_min,
    reduce_prod,
    reduce_sum,
    scan_max,
    scan_min,
    scan_prod,
    scan_sum,
)
