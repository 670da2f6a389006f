"""`tf.contrib`, as far as programs commonly use it: `layers`, `rnn`, `seq2seq`."""

from __future__ import annotations

from typing import Any

from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.contrib import layers as layers
from gleed.compat.tensorflow.contrib import rnn as rnn
from gleed.compat.tensorflow.contrib import seq2seq as seq2seq


def __getattr__(name: str) -> Any:
    raise missing("tf.contrib", name, globals())
