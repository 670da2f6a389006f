"""Tools around training: data (`gleed.utils.data`), checkpointing (`gleed.utils.checkpoint`) and
files for TensorBoard (`gleed.utils.tensorboard`, to be imported by its name)."""

from gleed.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
