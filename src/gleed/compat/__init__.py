"""Other libraries' names for what gleed has.

`gleed.compat.tensorflow`: TensorFlow 1, for graphs with placeholders and sessions.
"""
