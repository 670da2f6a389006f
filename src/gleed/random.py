"""Seeds and states of the generator of random numbers: `gleed.manual_seed` and its kin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from gleed import _C
from gleed._C import Tensor
from gleed.devices import device as device_type
from gleed.errors import DeviceError, DTypeError
from gleed.followed import stop_capture


class Generator(_C.Generator):
    """A source of random numbers with a state of its own: PyTorch's CPU generator, the Mersenne
    Twister. The same seed gives the same numbers.

    >>> import gleed
    >>> gleed.rand(2, generator=Generator().manual_seed(0))
    tensor([0.4963, 0.7682])
    """

    def __new__(cls, device: Any = "cpu") -> Self:
        """`device` must be the CPU."""
        if device_type(device).type != "cpu":
            raise DeviceError(
                f"Generator: this build of gleed computes on the CPU; device {str(device)!r} came; "
                "use 'cpu'"
            )
        return super().__new__(cls)

    @property
    def device(self) -> device_type:
        """The device whose numbers this draws."""
        return device_type("cpu")

    def manual_seed(self, seed: int) -> Self:
        """Begin the numbers that belong to a seed."""
        _uncaptured("manual_seed")
        return super().manual_seed(seed)

    def seed(self) -> int:
        """Begin with an unpredictable seed, and return it."""
        _uncaptured("seed")
        return super().seed()

    def get_state(self) -> Tensor:
        """The state, as a uint8 tensor; the same bytes as PyTorch's."""
        _uncaptured("get_state")
        return _C.frombuffer(bytearray(self._state_bytes()), _C.uint8)

    def set_state(self, new_state: Tensor) -> Self:
        """Continue from a state that `get_state` gave, here or in PyTorch."""
        kind = getattr(new_state, "dtype", type(new_state).__name__)
        if kind is not _C.uint8:
            raise DTypeError(
                f"set_state: a state is a uint8 tensor; got {kind}; pass what get_state gave"
            )
        _uncaptured("set_state")
        self._restore_bytes(_C.to_numpy(new_state).tobytes())
        return self

    def clone_state(self) -> Generator:
        """Another generator in the same state."""
        return Generator().set_state(self.get_state())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.get_state(),)


def _uncaptured(name: str) -> None:
    stop_capture(
        f"a program draws on from where its generators are; {name}() would not be repeated",
        f"call {name}() outside",
    )


def _rebuilt(state: Tensor) -> Generator:
    return Generator().set_state(state)


default_generator = Generator()
default_generator.seed()
_C.set_default_generator(default_generator)


def manual_seed(seed: int) -> Generator:
    """Begin the numbers that belong to a seed; returns the default generator.

    >>> import gleed
    >>> _ = manual_seed(0)
    >>> gleed.rand(2)
    tensor([0.4963, 0.7682])
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Begin with an unpredictable seed, and return it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed with which the default generator began."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator, as a uint8 tensor."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continue from a state that `get_rng_state` gave."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, **options: Any) -> Iterator[None]:
    """What is drawn in this block leaves no trace: afterwards the state is what it was.

    >>> import gleed
    >>> _ = manual_seed(0)
    >>> with fork_rng():
    ...     _ = gleed.rand(100)
    >>> gleed.rand(1)
    tensor([0.4963])
    """
    state = default_generator._state_bytes() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            default_generator._restore_bytes(state)
