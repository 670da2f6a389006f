"""`gleed demo`: a small network learns to read handwritten digits, and what that looks like.

The data are the 1,797 real digits of 8×8 pixels that scikit-learn ships: E. Alpaydin and C. Kaynak,
"Optical Recognition of Handwritten Digits", UCI Machine Learning Repository (1998).
"""

from __future__ import annotations

import time
from pathlib import Path

from sklearn.datasets import load_digits
from tqdm import tqdm

import gleed
from gleed import Tensor, graph, nn
from gleed.demo.plots import Epoch, plot_digits, plot_history
from gleed.errors import GleedError
from gleed.optim import AdamW
from gleed.optim.lr_scheduler import CosineAnnealingLR
from gleed.utils.data import DataLoader, Subset, TensorDataset, random_split

# The digits held back are the same whatever the seed of a run, so that runs compare.
_SPLIT_SEED = 0


def run(epochs: int = 30, seed: int = 0, out: Path = Path("gleed-demo")) -> list[Epoch]:
    """Train, report, and write checkpoint, pictures and graph to the folder `out`.

    Raises GleedError if the checkpoint, read back, does not predict bit for bit the same.
    """
    out.mkdir(parents=True, exist_ok=True)
    gleed.manual_seed(seed)
    train, test = _digits()
    model = make_model()
    print(f"{len(train):,} digits to learn from, {len(test):,} held back\n{model}")
    begin = time.perf_counter()
    history, optimizer = _train(model, train, test, epochs)
    print(f"trained in {time.perf_counter() - begin:.1f} s")
    images, labels = _all_of(test)
    with gleed.no_grad():
        scores = model.eval()(images)
    checkpoint = out / "digits.safetensors"
    gleed.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epochs": epochs},
        checkpoint,
    )
    _verify(checkpoint, images, scores)
    plot_history(history, out / "loss.png")
    plot_digits(images, labels, scores.argmax(1), out / "digits.png")
    loss = nn.functional.cross_entropy(model(images[:32]), labels[:32])
    graph.draw(loss, path=out / "graph.svg", names=model)
    _report(out, checkpoint, history)
    return history


def make_model() -> nn.Sequential:
    """Return the network, untrained: 64 pixels to 10 scores."""
    return nn.Sequential(
        nn.Linear(64, 128),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def _digits() -> tuple[Subset, Subset]:
    """Return four fifths of the digits for training, and one fifth held back."""
    data = load_digits()
    images = gleed.tensor(data.data, dtype=gleed.float32) / 16
    labels = gleed.tensor(data.target, dtype=gleed.int64)
    generator = gleed.Generator().manual_seed(_SPLIT_SEED)
    train, test = random_split(TensorDataset(images, labels), [0.8, 0.2], generator)
    return train, test


def _all_of(part: Subset) -> list[Tensor]:
    (batch,) = DataLoader(part, batch_size=len(part))
    return batch


def _train(model: nn.Module, train: Subset, test: Subset, epochs: int) -> tuple[list[Epoch], AdamW]:
    loader = DataLoader(train, batch_size=32, shuffle=True)
    optimizer = AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    scheduler = CosineAnnealingLR(optimizer, T_max=epochs)
    images, labels = _all_of(test)
    history = []
    with tqdm(total=epochs * len(loader), unit=" batches") as bar:
        for number in range(1, epochs + 1):
            bar.set_description(f"epoch {number}")
            train_loss = _train_epoch(model, loader, optimizer, bar)
            scheduler.step()
            history.append(Epoch(train_loss, *_score(model, images, labels)))
            bar.write(_line(number, history[-1]))
    return history, optimizer


def _train_epoch(model: nn.Module, loader: DataLoader, optimizer: AdamW, bar: tqdm) -> float:
    """Take one pass through the training digits; return the mean loss."""
    model.train()
    total = 0.0
    for images, labels in loader:
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
        bar.update()
    return total / len(loader)


def _score(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the loss and the share of right answers for `images`."""
    model.eval()
    with gleed.no_grad():
        scores = model(images)
        loss = nn.functional.cross_entropy(scores, labels)
        return loss.item(), (scores.argmax(1) == labels).float().mean().item()


def _line(number: int, epoch: Epoch) -> str:
    return (
        f"epoch {number:3}   loss {epoch.train_loss:.4f}   "
        f"held back: loss {epoch.test_loss:.4f}, accuracy {epoch.accuracy:.2%}"
    )


def _verify(checkpoint: Path, images: Tensor, scores: Tensor) -> None:
    """Raise GleedError unless the model in `checkpoint` gives the same `scores`, bit for bit."""
    model = make_model()
    model.load_state_dict(gleed.load(checkpoint)["model"])
    with gleed.no_grad():
        if not (model.eval()(images) == scores).all():
            raise GleedError(
                f"demo: {checkpoint} predicts the same as the model it was written from; it does "
                "not; please report this"
            )


def _report(out: Path, checkpoint: Path, history: list[Epoch]) -> None:
    print(f"\naccuracy on the digits held back: {history[-1].accuracy:.2%}\n")
    meanings = {
        checkpoint: "checkpoint, read back: the same predictions bit for bit",
        out / "loss.png": "loss and accuracy by epoch",
        out / "digits.png": "digits held back, and what the network reads in them",
        out / "graph.svg": "the computational graph of the loss",
    }
    width = max(len(str(path)) for path in meanings)
    for path, meaning in meanings.items():
        print(f"{path!s:{width}}  {meaning}")
