"""Linear algebra: the ops whose namespace is "linalg"."""

from gleed import ops

globals().update(ops.functions("linalg"))
