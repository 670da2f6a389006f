"""`tf.nn.dropout`."""

from __future__ import annotations

from typing import Any

from gleed.compat.tensorflow.convert import convert_to_tensor
from gleed.errors import ArgumentError
from gleed.graph.node import Composite, Node
from gleed.ops.record import OPS


def _dropped(x: Any, noise: Any, keep: Any) -> Any:
    return x / keep * OPS["_to"](noise < keep, x.dtype)


def _dropout_mask(x: Any, generator: Any = None) -> Any:
    return OPS["rand_like"](x, generator=generator)


def dropout(
    x: Any,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: int | None = None,
    name: str | None = None,
    rate: Any = None,
) -> Node:
    """Zeros in random places, each with probability 1 − keep_prob, everything else divided by
    keep_prob, which may be a node. `noise_shape` has 1 for dims that share a decision."""
    x = convert_to_tensor(x)
    if keep_prob is None and rate is None:
        raise ArgumentError("dropout: how much is kept must be said; nothing came; give keep_prob")
    keep = 1 - rate if keep_prob is None else keep_prob
    if not isinstance(keep, Node) and not 0 < keep <= 1:
        raise ArgumentError(f"dropout: keep_prob must lie above 0, up to 1; got {keep}; correct it")
    with x.graph.name_scope(name or "dropout") as scope:
        like = x
        if noise_shape is not None:
            for axis, size in enumerate(noise_shape):
                like = like.narrow(axis, 0, 1) if size == 1 else like
        mask = Composite("random_uniform", _dropout_mask, draws=True)
        noise = x.graph.call(mask, like, seed=seed)
        y = x.graph.call(Composite("dropout", _dropped), x, noise, keep, name=scope)
        y.set_shape(x.shape)  # also if the rank of `keep` is unknown
        return y
