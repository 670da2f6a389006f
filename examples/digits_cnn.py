"""Read handwritten digits with a small convolutional network, and draw the hardest of them.

Needs scikit-learn and matplotlib: pip install "gleed[demo]"
"""

from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from tqdm import trange

import gleed
from gleed import nn, optim
from gleed.nn import functional as F
from gleed.utils.data import DataLoader, TensorDataset, random_split

EPOCHS = 40

gleed.manual_seed(0)
digits = load_digits()
images = gleed.tensor(digits.images, dtype=gleed.float32).unsqueeze(1) / 16
labels = gleed.tensor(digits.target)
train, test = random_split(TensorDataset(images, labels), [0.8, 0.2])


def block(inputs: int, outputs: int) -> nn.Module:
    """A convolution that keeps the size of the picture."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def moved(x: gleed.Tensor) -> gleed.Tensor:
    """The pictures of a batch, shifted by up to one pixel."""
    down, right = gleed.randint(0, 3, (2,)).tolist()
    return F.pad(x, (1, 1, 1, 1))[:, :, down : down + 8, right : right + 8]


model = nn.Sequential(
    block(1, 32), block(32, 32), nn.MaxPool2d(2),
    block(32, 64), block(64, 64), nn.AdaptiveAvgPool2d(1),
    nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, 10),
)  # fmt: skip
loader = DataLoader(train, batch_size=64, shuffle=True)
optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=EPOCHS * len(loader))

progress = trange(EPOCHS, unit="epoch")
for _ in progress:
    for x, y in loader:
        loss = F.cross_entropy(model(moved(x)), y, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    progress.set_postfix(loss=f"{loss.item():.3f}")

model.eval()
x, y = next(iter(DataLoader(test, batch_size=len(test))))
with gleed.no_grad():
    certainty, guess = model(x).softmax(1).max(1)
print(f"held back: {(guess == y).float().mean().item():.2%} of {len(y)} digits are read right")

figure = Figure(figsize=(9, 2.2), layout="constrained")
for axes, i in zip(figure.subplots(1, 7), certainty.argsort().tolist(), strict=False):
    axes.imshow(x[i, 0].numpy(), cmap="gray_r")
    axes.set_title(f"{guess[i].item()} ({certainty[i].item():.0%})", fontsize=10)
    axes.set(xlabel="right" if guess[i] == y[i] else f"it is {y[i].item()}", xticks=[], yticks=[])
figure.suptitle("The digits that it is least sure of")
figure.savefig("digits_cnn.png")
print("see digits_cnn.png")
