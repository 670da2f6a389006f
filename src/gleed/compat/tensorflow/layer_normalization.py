"""`BatchNormalization`."""

from __future__ import annotations

from typing import Any

from gleed.compat.tensorflow import nn
from gleed.compat.tensorflow.layer import UPDATE_OPS, Layer, known_size
from gleed.compat.tensorflow.math import cast
from gleed.graph.initializers import ones_initializer, zeros_initializer
from gleed.graph.node import Node
from gleed.graph.shape import Shape
from gleed.ops.record import OPS


class BatchNormalization(Layer):
    """Inputs with the mean and the variance of each channel taken out: those of the batch while
    `training`, which may be a node, else moving ones.

    The operations that move these are in the collection `tf.GraphKeys.UPDATE_OPS`; make the
    training step depend on them.
    """

    kind = "batch_normalization"

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = None,
        gamma_initializer: Any = None,
        moving_mean_initializer: Any = None,
        moving_variance_initializer: Any = None,
        trainable: bool = True,
        fused: bool | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, trainable, **options)
        self._axis, self._momentum, self._epsilon = axis, momentum, epsilon
        self._wanted = {
            "gamma": (scale, True, gamma_initializer or ones_initializer()),
            "beta": (center, True, beta_initializer or zeros_initializer()),
            "moving_mean": (True, False, moving_mean_initializer or zeros_initializer()),
            "moving_variance": (True, False, moving_variance_initializer or ones_initializer()),
        }
        self._own: dict[str, Any] = {}

    def _make(self, x: Node) -> None:
        units = known_size(self.kind, x, self._axis % len(x.shape))
        self._own = {
            name: self._add(x, name, [units], start, trained=trained) if wanted else None
            for name, (wanted, trained, start) in self._wanted.items()
        }

    def _computed(self, x: Node, training: Any = False, **options: Any) -> Node:
        place = self._axis % len(x.shape)
        gamma, beta, mean, variance = self._own.values()
        used: list[Node] = [mean, variance]
        if training is not False:
            used = self._of_batch(x, place, training, used)
        channels = Shape([n if a == place else 1 for a, n in enumerate(x.shape)])
        parts = [None if p is None else p.reshape(channels) for p in (*used, beta, gamma)]
        return nn.batch_normalization(x, parts[0], parts[1], parts[2], parts[3], self._epsilon)

    def _of_batch(self, x: Node, place: int, training: Any, kept: list[Any]) -> list[Node]:
        """The statistics to use; what is kept moves towards those of the batch."""
        batch = nn.moments(x, [a for a, _ in enumerate(x.shape) if a != place])
        share: Any = 1 - self._momentum
        used = list(batch)
        if isinstance(training, Node):
            pairs = zip(batch, kept, strict=True)
            used = [x.graph.call(OPS["where"], training, new, old) for new, old in pairs]
            share = cast(training, x.dtype) * share
        for moving, new in zip(kept, batch, strict=True):
            move = moving.assign_sub((moving - new) * share).op
            self.updates.append(move)
            x.graph.add_to_collection(UPDATE_OPS, move)
        return used
