"""`import gleed.compat.tensorflow.compat.v1 as tf` gives the module that everything is in."""

from __future__ import annotations

import sys

sys.modules[__name__] = sys.modules["gleed.compat.tensorflow"]
