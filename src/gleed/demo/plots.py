"""The pictures of the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from gleed import Tensor

_INK, _ACCENT, _WRONG, _FRAME = "#1f2430", "#ee8c3a", "#d0342c", "#c3c9d6"


class Epoch(NamedTuple):
    """What is known after a pass through the training digits."""

    train_loss: float
    test_loss: float
    accuracy: float


def plot_history(history: list[Epoch], path: Path) -> None:
    """Draw the losses by epoch."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    losses = figure.subplots()
    numbers = range(1, len(history) + 1)
    style: dict[str, Any] = {"linewidth": 2, "marker": "o", "markersize": 3}
    losses.plot(numbers, [e.train_loss for e in history], color=_INK, label="training", **style)
    losses.plot(numbers, [e.test_loss for e in history], color=_ACCENT, label="held back", **style)
    losses.set(xlabel="epoch", ylabel="cross entropy", yscale="log")
    losses.legend(frameon=False, loc="lower left")
    losses.grid(alpha=0.25, which="both")
    losses.spines[["top", "right"]].set_visible(False)
    losses.set_title(
        f"Handwritten digits: {history[-1].accuracy:.2%} of those held back are read correctly",
        loc="left",
    )
    figure.savefig(path)


def plot_digits(images: Tensor, labels: Tensor, predictions: Tensor, path: Path) -> None:
    """Draw digits with what the network reads in them: mistakes first, marked."""
    right = (predictions == labels).tolist()
    order = sorted(range(len(right)), key=right.__getitem__)
    figure = Figure(figsize=(10, 7), layout="constrained")
    for place, i in zip(figure.subplots(6, 10).flat, order, strict=False):
        place.imshow(images[i].view(8, 8).tolist(), cmap="gray_r", interpolation="nearest")
        place.set(xticks=[], yticks=[])
        place.spines[:].set_color(_FRAME)
        text, color = str(predictions[i].item()), _INK
        if not right[i]:
            text, color = f"{text}, is {labels[i].item()}", _WRONG
            place.spines[:].set(color=_WRONG, linewidth=2)
        place.set_title(text, color=color, fontsize=11)
    figure.suptitle("What the network reads (mistakes first)", color=_INK)
    figure.savefig(path)
