"""Where tensors live, and how their elements are stored."""

from __future__ import annotations

from gleed.errors import ArgumentError, DeviceError

__all__ = ["device", "layout", "strided"]

TYPES = ("cpu", "cuda")


class device:
    """A place for memory: `device("cpu")`, `device("cuda:1")`, `device("cuda", 1)`.

    Raises DeviceError for names that are no device.

    >>> device("cuda:1")
    device(type='cuda', index=1)
    >>> device("cpu") == device(device("cpu")), str(device("cuda", 0))
    (True, 'cuda:0')
    """

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(self, type: str | int | device, index: int | None = None) -> None:
        text = f"cuda:{type}" if isinstance(type, int) else type
        if isinstance(text, device):
            text = str(text)
        if not isinstance(text, str):
            came = type.__class__.__name__
            raise ArgumentError(f"device: takes a name; a {came} came; use device('cpu')")
        name, colon, number = text.partition(":")
        if colon and index is not None:
            raise DeviceError(f"device: one index is enough; '{text}' and {index} came")
        if colon:
            index = int(number) if number.isdecimal() else -1
        if name not in TYPES or (index is not None and index < 0):
            raise DeviceError(
                f"device: must be one of {', '.join(TYPES)}, perhaps with an index; '{text}' came; "
                "use 'cpu' or 'cuda:0', for example"
            )
        object.__setattr__(self, "type", name)
        object.__setattr__(self, "index", index)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("device: does not change; make another one")

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, device):
            return NotImplemented
        return self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[object, tuple[str, int | None]]:
        return device, (self.type, self.index)


CPU = device("cpu")


def check_device(name: str, where: object) -> None:
    """Raise unless the function `name` can make tensors on the device `where`, None being any."""
    if where is not None and device(where).type != "cpu":  # type: ignore[arg-type]
        raise DeviceError(
            f"{name}: this build of gleed computes on the CPU; device {str(where)!r} came; use "
            "'cpu'"
        )


class layout:
    """How a tensor's elements are stored; the one layout is `strided`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"gleed.{self._name}"

    def __reduce__(self) -> str:
        return self._name


strided = layout("strided")
