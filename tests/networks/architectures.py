"""Networks made at random from a seed, of the pieces that real ones are made of.

The same seed gives the same network in gleed and in PyTorch: `library` is either module.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np

# How many networks the tests make; GLEED_ARCHITECTURES=1000 for a thorough search.
COUNT = int(os.environ.get("GLEED_ARCHITECTURES", "16"))
ACTIVATIONS = (
    *("ReLU", "LeakyReLU", "ELU", "SELU", "GELU", "SiLU", "Mish", "Tanh", "Sigmoid", "Softplus"),
    *("Hardtanh", "Hardswish", "Softsign", "CELU", "LogSigmoid", "Tanhshrink"),
)


def pieces(library: Any) -> SimpleNamespace:
    """The modules that networks need beyond those of a library."""
    nn = library.nn

    class Residual(nn.Module):
        def __init__(self, body: Any) -> None:
            super().__init__()
            self.body = body

        def forward(self, x: Any) -> Any:
            return x + self.body(x)

    class Concatenated(nn.Module):
        def __init__(self, axis: int, *bodies: Any) -> None:
            super().__init__()
            self.axis, self.bodies = axis, nn.ModuleList(bodies)

        def forward(self, x: Any) -> Any:
            return library.cat([body(x) for body in self.bodies], self.axis)

    class First(nn.Module):
        """The first result of a module with several; `copies` of the input are given to it."""

        def __init__(self, body: Any, copies: int = 1) -> None:
            super().__init__()
            self.body, self.copies = body, copies

        def forward(self, x: Any) -> Any:
            return self.body(*(x for _ in range(self.copies)))[0]

    class Applied(nn.Module):
        def __init__(self, method: str, *arguments: Any) -> None:
            super().__init__()
            self.method, self.arguments = method, arguments

        def forward(self, x: Any) -> Any:
            return getattr(x, self.method)(*self.arguments)

    return SimpleNamespace(
        Residual=Residual, Concatenated=Concatenated, First=First, Applied=Applied
    )


@dataclass
class Architecture:
    """A network with a batch for it, and how it is trained."""

    net: Any
    input: np.ndarray
    target: np.ndarray
    loss: Any
    optimizer: Any


class Builder:
    """Makes one network; every choice comes from the seed."""

    def __init__(self, library: Any, seed: int) -> None:
        self.library, self.nn, self.own = library, library.nn, pieces(library)
        self.random = Random(seed)

    def build(self) -> Architecture:
        """The network of the seed."""
        rng = np.random.default_rng(self.random.randrange(1 << 30))
        dtype = self.random.choice(("float32", "float64"))
        batch = self.random.randint(2, 5)
        kind = self.random.choice((self.image, self.sequence, self.tokens, self.vector))
        layers, shape, features = kind()
        classes = self.random.randint(2, 6)
        net = self.nn.Sequential(*layers, self.nn.Linear(features, classes))
        net.to(getattr(self.library, dtype)).train(self.random.random() < 0.7)
        for module in net.modules():
            if isinstance(module, self.nn.Dropout):
                module.eval()
        whole = kind == self.tokens
        input = rng.integers(0, 9, (batch, *shape)) if whole else rng.normal(size=(batch, *shape))
        input = input if whole else input.astype(dtype)
        if self.random.random() < 0.6:
            loss = self.nn.CrossEntropyLoss(label_smoothing=self.random.choice((0.0, 0.1)))
            target = rng.integers(0, classes, batch)
        else:
            loss = getattr(self.nn, self.random.choice(("MSELoss", "SmoothL1Loss", "HuberLoss")))()
            target = rng.normal(size=(batch, classes)).astype(dtype)
        return Architecture(net, input, target, loss, self.optimizer(net))

    def optimizer(self, net: Any) -> Any:
        optim, parameters = self.library.optim, list(net.parameters())
        # A great eps: where gradients are roundings of zero, as of a bias before a batch norm, the
        # usual one would make steps of them.
        options = {"lr": 0.01, "eps": 1e-2, "weight_decay": self.random.choice((0, 0.1))}
        name = self.random.choice(("SGD", "Adam", "AdamW", "RMSprop", "Adagrad"))
        if name == "SGD":
            return optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=self.random.random() < 0.5)
        return getattr(optim, name)(parameters, **options)

    # ---- kinds of networks: their layers, the shape of a sample, how many features come out
    def image(self) -> tuple[list[Any], tuple[int, ...], int]:
        channels = self.random.randint(1, 4)
        height, width = (self.random.randint(5, 12) for _ in range(2))
        shape = channels, height, width
        layers: list[Any] = []
        for _ in range(self.random.randint(2, 5)):
            found, channels, height, width = self.image_block(channels, height, width)
            layers += found
        if self.random.random() < 0.3:  # on as a sequence of places
            # The pool hands row-major gradients back. Those of a sequence, with samples next to
            # their channels in memory, PyTorch's instance norm would take for another layout.
            layers += [self.nn.AvgPool2d(1), self.own.Applied("flatten", 2)]
            layers.append(self.own.Applied("transpose", 1, 2))
            found, channels = self.sequence_blocks(channels, 2)
            return [*layers, *found, self.own.Applied("mean", 1)], shape, channels
        if self.random.random() < 0.5:
            pool = self.nn.AdaptiveAvgPool2d(1)
            return [*layers, pool, self.nn.Flatten()], shape, channels
        return [*layers, self.nn.Flatten()], shape, channels * height * width

    def image_block(
        self, channels: int, height: int, width: int
    ) -> tuple[list[Any], int, int, int]:
        nn, choice = self.nn, self.random.random()
        if choice < 0.35:
            out, groups = self.random.randint(1, 4) * 2, 1
            if channels % 2 == 0 and self.random.random() < 0.3:
                groups = 2
            kernel = tuple(min(self.random.randint(1, 3), n) for n in (height, width))
            stride = self.random.choice((1, 1, 2))
            padding = self.random.randint(0, 1) if min(kernel) > 1 else 0  # below image and kernel
            mode = self.random.choice(("zeros", "zeros", "reflect", "circular", "replicate"))
            conv = nn.Conv2d(
                channels, out, kernel, stride, padding, groups=groups, padding_mode=mode,
                bias=self.random.random() < 0.7,
            )  # fmt: skip
            height, width = (
                (n + 2 * padding - k) // stride + 1
                for n, k in zip((height, width), kernel, strict=True)
            )
            return [conv, *self.after(out, 2, height, width)], out, height, width
        if choice < 0.45:
            conv = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels)
            return [conv], channels, height, width
        if choice < 0.55:
            out = self.random.randint(1, 4)
            conv = nn.ConvTranspose2d(channels, out, 2, stride=2)
            crop = nn.AdaptiveAvgPool2d((height, width))
            return [conv, crop, *self.after(out, 2, height, width)], out, height, width
        if choice < 0.7 and min(height, width) >= 4:
            kind = self.random.choice(("MaxPool2d", "AvgPool2d", "LPPool2d"))
            made = nn.LPPool2d(2, 2) if kind == "LPPool2d" else getattr(nn, kind)(2)
            if kind == "LPPool2d":  # roots have no derivative at 0
                made = nn.Sequential(nn.Softplus(), made)
            return [made], channels, height // 2, width // 2
        if choice < 0.85:
            body = nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1),
                *self.after(channels, 2, height, width),
                nn.Conv2d(channels, channels, 1),
            )
            return [self.own.Residual(body), self.activation()], channels, height, width
        branches = [nn.Conv2d(channels, 2, 1), nn.Conv2d(channels, 3, 3, padding=1),
                    nn.AvgPool2d(3, 1, 1)]  # fmt: skip
        return [self.own.Concatenated(1, *branches)], channels + 5, height, width

    def after(self, channels: int, axes: int, *size: int) -> list[Any]:
        """What may follow a convolution: a norm, an activation, a dropout."""
        nn, layers = self.nn, []
        norms = [None, nn.GroupNorm(self.divisor(channels), channels)]
        norms.append(getattr(nn, f"BatchNorm{axes}d")(channels))
        if int(np.prod(size)) > 1:
            norms.append(getattr(nn, f"InstanceNorm{axes}d")(channels, affine=True))
        norms.append(nn.LocalResponseNorm(2))
        norm = self.random.choice(norms)
        layers += [] if norm is None else [norm]
        if self.random.random() < 0.8:
            layers.append(self.activation())
        if self.random.random() < 0.3:
            layers.append(nn.Dropout(0.3))
        return layers

    def divisor(self, n: int) -> int:
        return self.random.choice([d for d in range(1, n + 1) if n % d == 0])

    def activation(self) -> Any:
        return getattr(self.nn, self.random.choice(ACTIVATIONS))()

    def sequence(self) -> tuple[list[Any], tuple[int, ...], int]:
        features = self.random.randint(2, 6)
        layers, out = self.sequence_blocks(features, self.random.randint(1, 4))
        shape = self.random.randint(2, 9), features
        return [*layers, self.summary()], shape, out

    def tokens(self) -> tuple[list[Any], tuple[int, ...], int]:
        features = self.random.randint(1, 3) * 2
        count = self.random.randint(2, 9)
        if self.random.random() < 0.2:
            bag = self.nn.EmbeddingBag(9, features, mode=self.random.choice(("sum", "mean")))
            return [bag, self.activation()], (count,), features
        table = self.nn.Embedding(9, features, padding_idx=self.random.choice((None, 0)))
        layers, out = self.sequence_blocks(features, self.random.randint(1, 4))
        return [table, *layers, self.summary()], (count,), out

    def summary(self) -> Any:
        if self.random.random() < 0.6:
            return self.own.Applied("mean", 1)
        return self.own.Applied("select", 1, -1)

    def sequence_blocks(self, features: int, count: int) -> tuple[list[Any], int]:
        layers: list[Any] = []
        for _ in range(count):
            found, features = self.sequence_block(features)
            layers += found
        return layers, features

    def sequence_block(self, features: int) -> tuple[list[Any], int]:
        nn, random = self.nn, self.random
        kind = random.choice(("recurrent", "attention", "encoder", "linear", "norm", "conv"))
        if kind == "recurrent":
            hidden, both = random.randint(2, 5), random.random() < 0.3
            net = getattr(nn, random.choice(("LSTM", "GRU", "RNN")))(
                features, hidden, random.randint(1, 2), batch_first=True, bidirectional=both,
                bias=random.random() < 0.8,
            )  # fmt: skip
            return [self.own.First(net)], hidden * (1 + both)
        if kind == "attention":
            heads = self.divisor(features)
            attention = nn.MultiheadAttention(features, heads, batch_first=True)
            return [self.own.Residual(self.own.First(attention, 3))], features
        if kind == "encoder":
            heads, first = self.divisor(features), random.random() < 0.5
            layer = nn.TransformerEncoderLayer(
                features, heads, 2 * features, 0.0, batch_first=True, norm_first=first
            )
            return [layer], features
        if kind == "linear":
            out = random.randint(2, 6)
            return [nn.Linear(features, out), self.activation()], out
        if kind == "norm":
            name = random.choice(("LayerNorm", "RMSNorm"))
            return [getattr(nn, name)(features), nn.Dropout(0.2)], features
        turn = self.own.Applied("transpose", 1, 2)
        out = random.randint(1, 5)
        conv = nn.Conv1d(features, out, 3, padding=random.randint(1, 2))
        return [turn, conv, self.activation(), self.own.Applied("transpose", 1, 2)], out

    def vector(self) -> tuple[list[Any], tuple[int, ...], int]:
        features = first = self.random.randint(2, 20)
        layers: list[Any] = []
        for _ in range(self.random.randint(1, 4)):
            out = self.random.randint(2, 20)
            body = [self.nn.Linear(features, out, self.random.random() < 0.8)]
            norm = self.random.choice((None, self.nn.BatchNorm1d(out), self.nn.LayerNorm(out)))
            body += [] if norm is None else [norm]
            body.append(self.activation())
            if self.random.random() < 0.3:
                body.append(self.own.Residual(self.nn.Linear(out, out)))
            layers, features = [*layers, *body], out
        return layers, (first,), features


def run(made: Architecture, library: Any) -> dict[str, np.ndarray]:
    """One step of training: the result, gradients, and what parameters and buffers become."""
    x, target = library.tensor(made.input), library.tensor(made.target)
    if made.input.dtype.kind == "f":
        x.requires_grad_()
    y = made.net(x)
    loss = made.loss(y, target)
    loss.backward()
    found = {"result": y, "loss": loss}
    if x.requires_grad:
        found["gradient of the input"] = x.grad
    found |= {f"gradient of {name}": p.grad for name, p in made.net.named_parameters()}
    arrays = {name: np.array(value.detach().numpy()) for name, value in found.items()}
    made.optimizer.step()
    for name, value in made.net.state_dict().items():
        arrays[f"{name} after a step"] = np.array(value.detach().numpy())
    return arrays
