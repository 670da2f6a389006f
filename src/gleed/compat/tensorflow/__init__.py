"""TensorFlow 1's names for `gleed.graph`: graphs with placeholders, variables and sessions.

    import gleed.compat.tensorflow as tf

Arguments have TensorFlow's names, order and defaults, numbers its dtypes, images its order of dims.
Where TensorFlow refuses dtypes that differ, gleed promotes them. Devices, threads and
`tf.ConfigProto` are accepted and change nothing.

>>> import gleed.compat.tensorflow as tf
>>> x = tf.placeholder("float")
>>> y = tf.reduce_sum(tf.pow(x, 2))
>>> with tf.Session() as session:
...     print(session.run(y, feed_dict={x: [1, 2, 3]}))
14.0
>>> tf.reduct_sum
Traceback (most recent call last):
...
AttributeError: module 'tf' has no attribute 'reduct_sum'; did you mean 'reduce_sum'?
"""

from __future__ import annotations

from typing import Any

from gleed._C import bfloat16, bool, float16, float32, float64, int8, int16, int32, int64, uint8
from gleed._C import dtype as DType
from gleed.compat.tensorflow import (
    app,
    contrib,
    data,
    errors,
    flags,
    gfile,
    layers,
    logging,
    losses,
    metrics,
    nn,
    summary,
    train,
)
from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.arrays import *  # noqa: F403
from gleed.compat.tensorflow.control import (
    case,
    cond,
    foldl,
    foldr,
    map_fn,
    scan,
    while_loop,
)
from gleed.compat.tensorflow.convert import constant, convert_to_tensor
from gleed.compat.tensorflow.debugging import *  # noqa: F403
from gleed.compat.tensorflow.math import *  # noqa: F403
from gleed.compat.tensorflow.recurrent import reverse_sequence
from gleed.compat.tensorflow.scattering import *  # noqa: F403
from gleed.compat.tensorflow.sessions import (
    ConfigProto,
    GPUOptions,
    InteractiveSession,
    RunMetadata,
    RunOptions,
    Session,
    device,
    name_scope,
)
from gleed.compat.tensorflow.variables import (
    GraphKeys,
    Variable,
    add_to_collection,
    all_variables,
    assign,
    assign_add,
    assign_sub,
    get_collection,
    get_variable,
    initialize_all_variables,
    initialize_variables,
    is_variable_initialized,
    report_uninitialized_variables,
    scatter_add,
    scatter_sub,
    scatter_update,
    variable_scope,
)
from gleed.graph import (
    AUTO_REUSE,
    Graph,
    Operation,
    control_dependencies,
    get_default_session,
    get_variable_scope,
    global_variables,
    global_variables_initializer,
    gradients,
    group,
    identity,
    local_variables,
    local_variables_initializer,
    no_op,
    placeholder,
    placeholder_with_default,
    random_normal,
    random_shuffle,
    random_uniform,
    reset_default_graph,
    set_random_seed,
    stop_gradient,
    trainable_variables,
    truncated_normal,
    variables_initializer,
)
from gleed.graph import Node as Tensor
from gleed.graph import current_graph as get_default_graph
from gleed.graph.data import as_dtype
from gleed.graph.initializers import *  # noqa: F403
from gleed.graph.train import clip_by_global_norm, clip_by_norm, global_norm

# Last, for it names this module.
from gleed.compat.tensorflow import compat  # isort: skip

__version__ = "1.15.0"
newaxis = None


def disable_v2_behavior() -> None:
    """Does nothing: this is TensorFlow 1."""


def disable_eager_execution() -> None:
    """Does nothing: a session runs everything."""


def __getattr__(name: str) -> Any:
    raise missing("tf", name, globals())
