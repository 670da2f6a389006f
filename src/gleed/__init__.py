"""gleed: a deep-learning framework, PyTorch's API on a small, fast engine."""

from gleed import _C  # noqa: F401
