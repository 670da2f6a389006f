"""`tf.compat`: the same names again, as later versions of TensorFlow have them."""

from __future__ import annotations

from gleed.compat.tensorflow.compat import v1 as v1
