"""Settings of the libraries that PyTorch computes with, as programs make them.

gleed computes with kernels of its own. What is set is remembered and changes nothing.

>>> import gleed
>>> gleed.backends.cudnn.benchmark = True
>>> gleed.backends.mps.is_available()
False
"""

from __future__ import annotations

from gleed.backends import cuda, cudnn, mkldnn, mps

__all__ = ["cuda", "cudnn", "mkldnn", "mps"]
