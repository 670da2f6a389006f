"""`tf.contrib.rnn`: the cells of `tf.nn.rnn_cell`, and loops over lists of steps."""

from __future__ import annotations

from typing import Any

from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.recurrent import static_bidirectional_rnn as static_bidirectional_rnn
from gleed.compat.tensorflow.recurrent import static_rnn as static_rnn
from gleed.compat.tensorflow.rnn_cell import BasicLSTMCell as BasicLSTMCell
from gleed.compat.tensorflow.rnn_cell import BasicRNNCell as BasicRNNCell
from gleed.compat.tensorflow.rnn_cell import DropoutWrapper as DropoutWrapper
from gleed.compat.tensorflow.rnn_cell import GRUCell as GRUCell
from gleed.compat.tensorflow.rnn_cell import LSTMCell as LSTMCell
from gleed.compat.tensorflow.rnn_cell import LSTMStateTuple as LSTMStateTuple
from gleed.compat.tensorflow.rnn_cell import MultiRNNCell as MultiRNNCell
from gleed.compat.tensorflow.rnn_cell import OutputProjectionWrapper as OutputProjectionWrapper
from gleed.compat.tensorflow.rnn_cell import ResidualWrapper as ResidualWrapper
from gleed.compat.tensorflow.rnn_cell import RNNCell as RNNCell


def __getattr__(name: str) -> Any:
    raise missing("tf.contrib.rnn", name, globals())
