"""Sequences of different lengths in one batch: padded with a value, or packed without gaps.

A packed sequence keeps, step by step, the elements of those sequences that are long enough; the
longest comes first. So a batch of lengths 3, 2, 1 is packed into 3 + 2 + 1 rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

import gleed
from gleed import Tensor, ops
from gleed.errors import ArgumentError, RangeError, ShapeError


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """Sequences of different lengths without gaps; made by `pack_padded_sequence`.

    data: `(sum of lengths, *)`, all elements of the first step, then of the second, …
    batch_sizes: int64, how many sequences reach each step.
    sorted_indices, unsorted_indices: how the batch was sorted by length, and back; None if it was.

    >>> import gleed
    >>> sequences = [gleed.tensor([1, 2]), gleed.tensor([3])]
    >>> pack_sequence(sequences).data
    tensor([1, 3, 2])
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        """Either `data` and `batch_sizes`, or a pair of them as `data`."""
        if batch_sizes is None:
            if not isinstance(data, list | tuple) or len(data) != 2:
                raise ArgumentError(
                    "PackedSequence: takes data and batch_sizes, or a pair of them; got "
                    f"{type(data).__name__} alone; use pack_padded_sequence or pack_sequence"
                )
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The same with `data.to(…)`; itself if that changes nothing."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def cpu(self) -> Self:
        """In the memory of the processor."""
        return self.to(device="cpu")

    def cuda(self, device: Any = "cuda") -> Self:
        """On a GPU."""
        return self.to(device=device)

    def double(self) -> Self:
        """As float64."""
        return self.to(dtype=gleed.float64)

    def float(self) -> Self:
        """As float32."""
        return self.to(dtype=gleed.float32)

    def half(self) -> Self:
        """As float16."""
        return self.to(dtype=gleed.float16)

    def long(self) -> Self:
        """As int64."""
        return self.to(dtype=gleed.int64)

    def int(self) -> Self:
        """As int32."""
        return self.to(dtype=gleed.int32)

    def short(self) -> Self:
        """As int16."""
        return self.to(dtype=gleed.int16)

    def char(self) -> Self:
        """As int8."""
        return self.to(dtype=gleed.int8)

    def byte(self) -> Self:
        """As uint8."""
        return self.to(dtype=gleed.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU."""
        return self.data.is_cuda


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another, an int64 vector; None for None.

    >>> import gleed
    >>> invert_permutation(gleed.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else permutation.argsort()


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack the first `lengths[b]` steps of every sequence b of a batch.

    input: `(T, B, *)`, or `(B, T, *)` if `batch_first`; any dtype. lengths: from 1 to T, one a
    sequence, in descending order unless `enforce_sorted` is False: then the batch is sorted here.
    Raises ShapeError and RangeError for others.

    >>> import gleed
    >>> pack_padded_sequence(gleed.tensor([[1, 2, 0], [3, 4, 5]]), [2, 3], True, False).data
    tensor([3, 1, 4, 2, 5])
    """
    if input.ndim < 2:
        raise ShapeError(
            "pack_padded_sequence: the input must be (T, B, *), or (B, T, *) with batch_first; got "
            f"shape {list(input.shape)}; add a batch with unsqueeze"
        )
    lengths = gleed.as_tensor(lengths, dtype=gleed.int64)
    if batch_first:
        input = input.transpose(0, 1)
    _check_lengths(lengths, input.shape[0], input.shape[1])
    sorted_indices = None
    if not enforce_sorted:
        lengths, sorted_indices = lengths.sort(descending=True, stable=True)
        input = input.index_select(1, sorted_indices)
    elif bool((lengths[1:] > lengths[:-1]).any()):
        raise RangeError(
            "pack_padded_sequence: lengths must be in descending order; got "
            f"{lengths.tolist()}; pass enforce_sorted=False to have the batch sorted"
        )
    steps = gleed.arange(int(lengths[0])).unsqueeze(1)
    present = steps < lengths
    data = pack(input[: len(present)], present)
    return PackedSequence(data, present.sum(1), sorted_indices)


def _check_lengths(lengths: Tensor, steps: int, batch: int) -> None:
    if lengths.shape != (batch,) or batch == 0:
        raise ShapeError(
            "pack_padded_sequence: there must be one length for each sequence, and at least one "
            f"sequence; got lengths of shape {list(lengths.shape)} for a batch of {batch}; check "
            "batch_first"
        )
    if int(lengths.min()) < 1 or int(lengths.max()) > steps:
        raise RangeError(
            f"pack_padded_sequence: lengths must lie in 1 … {steps}, the steps of the input; got "
            f"{lengths.tolist()}; drop empty sequences, or check batch_first"
        )


def pack(padded: Tensor, present: Tensor) -> Tensor:
    """The elements of a batch `(T, B, *)` where `present` `(T, B)` says so, step by step."""
    places = present.flatten().nonzero().squeeze(1)
    return padded.flatten(0, 1).index_select(0, places)


def presence(batch_sizes: Tensor, steps: int | None = None) -> Tensor:
    """Which sequences of a packed batch reach each step: `(steps, B)`."""
    if steps is not None:
        batch_sizes = gleed.cat([batch_sizes, batch_sizes.new_zeros(steps - len(batch_sizes))])
    return gleed.arange(int(batch_sizes[0])) < batch_sizes.unsqueeze(1)


def unpack(data: Tensor, present: Tensor, padding_value: float = 0.0) -> Tensor:
    """The inverse of `pack`, with `padding_value` where nothing is present."""
    places = present.flatten().cumsum(0).reshape(present.shape) - 1
    padded = data[places.clamp(min=0)]
    known = present.reshape(*present.shape, *(1 for _ in data.shape[1:]))
    return gleed.where(known, padded, gleed.full((), padding_value, dtype=data.dtype))


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Sequences out of a pack, padded to one length, and their lengths, an int64 vector.

    The result is `(T, B, *)`, or `(B, T, *)` if `batch_first`, in the order before packing; T is
    the greatest length, or `total_length`, which must not be smaller (RangeError).

    >>> import gleed
    >>> packed = pack_sequence([gleed.tensor([1, 2]), gleed.tensor([3])])
    >>> pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    longest = len(sequence.batch_sizes)
    if total_length is not None and total_length < longest:
        raise RangeError(
            f"pad_packed_sequence: total_length must be at least {longest}, the length of the "
            f"longest sequence; got {total_length}; leave it out, or raise it"
        )
    present = presence(sequence.batch_sizes, total_length)
    padded, lengths = unpack(sequence.data, present, padding_value), present.sum(0)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return (padded.transpose(0, 1) if batch_first else padded), lengths


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences `(L, *)` of one dtype in one tensor, padded to the length T of the longest.

    The result is `(T, B, *)`, or `(B, T, *)` if `batch_first`. Raises ShapeError if the sequences
    differ in more than their length, RangeError for an unknown side.

    >>> import gleed
    >>> pad_sequence([gleed.tensor([1, 2]), gleed.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    sequences = list(sequences)
    if padding_side not in ("left", "right"):
        raise RangeError(
            f"pad_sequence: padding_side must be 'left' or 'right'; got {padding_side!r}; use "
            "'right'"
        )
    shapes = [list(x.shape) for x in sequences]
    if not shapes or any(not s or s[1:] != shapes[0][1:] for s in shapes):
        raise ShapeError(
            "pad_sequence: takes one sequence or more, of shapes that are equal but for the first "
            f"size; got {shapes}; check the features"
        )
    lengths = gleed.tensor([s[0] for s in shapes]).unsqueeze(1)
    longest = int(lengths.max())
    places = gleed.arange(longest)
    if padding_side == "left":
        places = places - (longest - lengths)
    present = (places >= 0) & (places < lengths)
    padded = unpack(gleed.cat(sequences), present, padding_value)
    return padded if batch_first else padded.transpose(0, 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False
) -> list[Tensor]:
    """The sequences of a padded batch, each cut to its length: views.

    >>> import gleed
    >>> unpad_sequence(gleed.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    batch = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    counts = lengths.tolist() if isinstance(lengths, Tensor) else lengths
    return [x[:n] for x, n in zip(batch.unbind(0), counts, strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences `(L, *)`, in descending order of length unless `enforce_sorted` is False.

    >>> import gleed
    >>> pack_sequence([gleed.tensor([1, 2, 3]), gleed.tensor([4])]).batch_sizes
    tensor([2, 1, 1])
    """
    lengths = [len(x) for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a pack, in the order before packing.

    >>> import gleed
    >>> unpack_sequence(pack_sequence([gleed.tensor([1, 2]), gleed.tensor([3])]))
    [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


# ---- networks as functions
def _of_packed(name: str) -> Callable[..., Any]:
    """The network `name` of `(data, batch_sizes, hx, …)`, as PyTorch's second overload has it."""
    record = ops.OPS[name].public

    def network(*args: Any, **kwargs: Any) -> Any:
        if len(args) != 9 or kwargs or not all(isinstance(x, Tensor) for x in args[:2]):
            return NotImplemented
        data, batch_sizes, *rest = args
        present = presence(batch_sizes)
        output, *states = record(unpack(data, present), *rest, False, mask=present)
        return pack(output, present), *states

    return network


for _name in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
    ops.OPS[_name].otherwise(_of_packed(_name))
