"""The exceptions that gleed raises.

Each is also one of Python's own, so that `except RuntimeError` (PyTorch's habit) and the builtin
that fits (`IndexError`, `TypeError`, `ValueError`) both catch it. Messages read
`op: rule; what came; likely fix`.

>>> issubclass(BoundsError, IndexError) and issubclass(BoundsError, RuntimeError)
True
"""


class GleedError(RuntimeError):
    """The base of every exception that gleed raises on purpose."""


class ShapeError(GleedError, ValueError):
    """Sizes that do not fit together, or not the operation."""


class DTypeError(GleedError, TypeError):
    """A dtype that an operation does not take."""


class ArgumentError(GleedError, TypeError):
    """A call with missing, unknown or wrong arguments."""


class RangeError(GleedError, ValueError):
    """A number outside the range that makes sense."""


class BoundsError(GleedError, IndexError):
    """An index or an axis out of range."""


class DeviceError(GleedError):
    """A device that does not exist here, or tensors on different ones."""


class OutOfMemoryError(GleedError, MemoryError):
    """More memory than the system or the limit allows. Nothing was changed."""


class GradientError(GleedError):
    """A gradient that cannot be had: freed graphs, overwritten values, tensors without history."""


class TraceError(GleedError):
    """Python code that cannot be captured, such as control flow that depends on data."""


class GraphError(GleedError):
    """A graph that is used against its rules: finalised, mixed with another, not initialised."""
