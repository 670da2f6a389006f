"""Tell what a small picture shows: a residual network on 32×32 pixels in colour.

    python residual_network.py                         pieces of the photographs of scikit-learn
    python residual_network.py cifar-10-batches-bin    CIFAR-10, a folder of its binary version

Source: He et al., "Deep residual learning for image recognition", 2016.
Needs scikit-learn and matplotlib: pip install "gleed[demo]"
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure
from sklearn.datasets import load_sample_images
from tqdm import trange

import gleed
from gleed import nn, optim
from gleed.nn import functional as F

SIZE, BATCH = 32, 64
CHINA, FLOWER = range(2)
# Where in which photograph there is what, to learn from and held back: left, top, right, bottom.
REGIONS = {
    "sky": (CHINA, [(0, 0, 90, 140), (330, 0, 500, 200)], [(510, 0, 640, 130)]),
    "water": (CHINA, [(352, 232, 425, 320)], [(430, 238, 545, 272)]),
    "roof": (CHINA, [(110, 78, 310, 130), (85, 243, 215, 283)],
             [(215, 243, 345, 283), (240, 345, 330, 385)]),
    "walls": (CHINA, [(105, 190, 215, 240), (80, 285, 215, 335)],
              [(215, 190, 318, 240), (215, 285, 340, 335)]),
    "trees": (CHINA, [(0, 365, 130, 427), (380, 320, 460, 427), (570, 200, 640, 427)],
              [(470, 310, 560, 427)]),
    "petals": (FLOWER, [(200, 130, 306, 320)], [(306, 130, 410, 320)]),
    "leaves": (FLOWER, [(0, 0, 160, 427)], [(450, 0, 640, 427)]),
}  # fmt: skip
Pictures = tuple[gleed.Tensor, gleed.Tensor]  # bytes [pictures, 3, 32, 32], and their labels


def photographs() -> tuple[list[str], Pictures, Pictures]:
    """Pieces of regions, as many of each: names, what to learn from, what is held back."""
    photos = [gleed.tensor(photo) for photo in load_sample_images().images]

    def pieces(boxes_of: int, count: int) -> Pictures:
        found = []
        for photo, *boxes in REGIONS.values():
            windows = [
                photos[photo][top:bottom, left:right].unfold(0, SIZE, 2).unfold(1, SIZE, 2)
                for left, top, right, bottom in boxes[boxes_of]
            ]
            every = gleed.cat([window.flatten(0, 1) for window in windows])
            found.append(every[gleed.randperm(len(every))[:count]])
        labels = [gleed.full((len(of),), label) for label, of in enumerate(found)]
        return gleed.cat(found), gleed.cat(labels)

    return list(REGIONS), pieces(0, 300), pieces(1, 100)


def cifar(folder: Path) -> tuple[list[str], Pictures, Pictures]:
    """Records of a label and 3 × 32 × 32 bytes (Krizhevsky, 2009)."""

    def read(pattern: str) -> Pictures:
        content = b"".join(file.read_bytes() for file in sorted(folder.glob(pattern)))
        records = gleed.frombuffer(bytearray(content), dtype=gleed.uint8).view(-1, 3073)
        return records[:, 1:].reshape(-1, 3, SIZE, SIZE), records[:, 0].long()

    names = (folder / "batches.meta.txt").read_text().split()
    return names, read("data_batch_*.bin"), read("test_batch.bin")


def numbers(x: gleed.Tensor) -> gleed.Tensor:
    """Bytes of pictures around zero."""
    return x.float() / 64 - 2


def augmented(x: gleed.Tensor) -> gleed.Tensor:
    """Each picture moved by up to four pixels, mirrored or not, in a light of its own."""
    x = F.pad(x, (4, 4, 4, 4), mode="reflect")
    i = gleed.arange(len(x))[:, None, None]
    down, right = gleed.randint(0, 9, (2, len(x), 1)) + gleed.arange(SIZE)
    x = x[i, :, down[:, :, None], right[:, None, :]].permute(0, 3, 1, 2)
    x = gleed.where(gleed.rand(len(x), 1, 1, 1) < 0.5, x, x.flip(3))
    contrast, light = 0.2 * gleed.randn(2, len(x), 1, 1, 1)
    return x * (1 + contrast) + light


class Residual(nn.Module):
    """What two convolutions add to their input, or to a smaller one of more channels."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )  # fmt: skip
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: gleed.Tensor) -> gleed.Tensor:
        return F.relu(self.shortcut(x) + self.change(x))


gleed.manual_seed(0)
given = Path(sys.argv[1]) if len(sys.argv) > 1 else None
names, (x_train, y_train), (x_test, y_test) = cifar(given) if given else photographs()
steps = min(1200, 4 * len(x_train) // BATCH)

model = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
    Residual(16, 16), Residual(16, 32, 2), Residual(32, 32), Residual(32, 64, 2), Residual(64, 64),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, len(names)),
)  # fmt: skip
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True)
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=steps)

progress = trange(steps, unit="step")
for _ in progress:
    some = gleed.randint(0, len(x_train), (BATCH,))
    loss = F.cross_entropy(model(augmented(numbers(x_train[some]))), y_train[some])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    progress.set_postfix(loss=f"{loss.item():.3f}")

model.eval()
with gleed.no_grad():
    logits = gleed.cat([model(numbers(x)) for x in x_test.split(256)])
certainty, guess = logits.softmax(1).max(1)
right = guess == y_test
print(f"held back: {right.float().mean().item():.1%} of {len(right)} pictures are recognised")

figure = Figure(figsize=(11, 4.4), layout="constrained")
left, sheet = figure.subfigures(1, 2, width_ratios=(4, 7))
confusion = gleed.zeros(len(names), len(names))
confusion.index_put_((y_test, guess), gleed.ones(len(guess)), accumulate=True)
axes = left.subplots()
axes.imshow((confusion / confusion.sum(1, keepdim=True)).sqrt().numpy(), cmap="Oranges")
axes.set_xticks(range(len(names)), names, rotation=60)
axes.set_yticks(range(len(names)), names)
axes.set(xlabel="recognised as", ylabel="is", title=f"{right.float().mean().item():.1%} right")
unsure = (certainty + right).argsort()  # mistakes first
for axes, i in zip(sheet.subplots(3, 7).flat, unsure.tolist(), strict=False):
    axes.imshow(x_test[i].permute(1, 2, 0).numpy())
    axes.set_title(f"{names[guess[i].item()]} {certainty[i].item():.0%}", fontsize=9)
    axes.set(xticks=[], yticks=[])
    if not right[i]:
        axes.set_xlabel(f"is {names[y_test[i].item()]}", fontsize=9, color="#d0342c")
sheet.suptitle("Mistakes, then what it is least sure of")
figure.savefig("residual_network.png")
print("see residual_network.png")
