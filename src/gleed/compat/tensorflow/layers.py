"""`tf.layers`: functions that make variables and what is computed with them.

A function makes a layer and calls it: `tf.layers.dense(x, 5)` is `tf.layers.Dense(5)(x)`. A layer
that is kept is called again with the same variables.

>>> import gleed.compat.tensorflow as tf
>>> tf.layers.dense(tf.placeholder(tf.float32, [None, 3]), 5, tf.nn.relu).shape
Shape([None, 5])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.convert import function_of
from gleed.compat.tensorflow.layer import Layer
from gleed.compat.tensorflow.layer_convolution import (
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    SeparableConv2D,
)
from gleed.compat.tensorflow.layer_dense import Dense, Dropout, Flatten
from gleed.compat.tensorflow.layer_normalization import BatchNormalization
from gleed.compat.tensorflow.layer_pooling import (
    AveragePooling1D,
    AveragePooling2D,
    MaxPooling1D,
    MaxPooling2D,
)


def _calling(kind: type[Layer]) -> Callable[..., Any]:
    def function(inputs: Any, *args: Any, **options: Any) -> Any:
        at_call = {"training": options.pop("training")} if "training" in options else {}
        return kind(*args, **options)(inputs, **at_call)

    document = f"What a new `{kind.__name__}` computes of `inputs`; with `reuse`, with the "
    return function_of(kind.kind, document + "variables made before under its name.", function)


dense, flatten, dropout = _calling(Dense), _calling(Flatten), _calling(Dropout)
conv1d, conv2d, conv2d_transpose = _calling(Conv1D), _calling(Conv2D), _calling(Conv2DTranspose)
separable_conv2d, batch_normalization = _calling(SeparableConv2D), _calling(BatchNormalization)
max_pooling1d, max_pooling2d = _calling(MaxPooling1D), _calling(MaxPooling2D)
average_pooling1d, average_pooling2d = _calling(AveragePooling1D), _calling(AveragePooling2D)


def __getattr__(name: str) -> Any:
    raise missing("tf.layers", name, globals())
