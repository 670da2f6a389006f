"""Tools around training: data (`gleed.utils.data`) and checkpointing (`gleed.utils.checkpoint`)."""

from gleed.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
