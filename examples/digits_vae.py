"""Learn to draw handwritten digits: a variational autoencoder with a latent plane.

Source: Kingma and Welling, "Auto-Encoding Variational Bayes", 2014.
Needs scikit-learn and matplotlib: pip install "gleed[demo]"
"""

from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from tqdm import trange

import gleed
from gleed import nn, optim
from gleed.nn import functional as F
from gleed.utils.data import DataLoader, TensorDataset

gleed.manual_seed(0)
digits = load_digits()
images = gleed.tensor(digits.data, dtype=gleed.float32) / 16


class Autoencoder(nn.Module):
    """Pictures of 64 pixels to points of a plane, each with a variance, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 4)
        )
        self.decoder = nn.Sequential(
            nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 64)
        )

    def forward(self, x: gleed.Tensor) -> tuple[gleed.Tensor, gleed.Tensor, gleed.Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        point = mean + gleed.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(point), mean, log_variance


def negative_elbo(
    x: gleed.Tensor, logits: gleed.Tensor, mean: gleed.Tensor, log_variance: gleed.Tensor
) -> gleed.Tensor:
    """How badly the picture is drawn, and how far its point is from the standard normal."""
    drawing = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    distance = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
    return (drawing + distance).mean()


EPOCHS = 150
model = Autoencoder()
optimizer = optim.Adam(model.parameters(), lr=2e-3)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS)
loader = DataLoader(TensorDataset(images), batch_size=64, shuffle=True)
progress = trange(EPOCHS, unit="epoch")
for _ in progress:
    total = 0.0
    for (x,) in loader:
        loss = negative_elbo(x, *model(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    scheduler.step()
    progress.set_postfix(loss=f"{total / len(images):.2f}")

with gleed.no_grad():
    points = model.encoder(images)[:, :2]
    # Equal steps of probability: where most digits lie, most are drawn.
    side = gleed.linspace(0.02, 0.98, 16)
    steps = (2 * side - 1).erfinv() * 2**0.5
    grid = gleed.stack(gleed.meshgrid(steps.flip(0), steps, indexing="ij")[::-1], dim=-1)
    drawn = F.pad(model.decoder(grid.reshape(-1, 2)).sigmoid().reshape(16, 16, 8, 8), (1, 1, 1, 1))
    sheet = drawn.permute(0, 2, 1, 3).reshape(160, 160)

figure = Figure(figsize=(11, 5), layout="constrained")
left, right = figure.subplots(1, 2)
dots = left.scatter(*points.numpy().T, c=digits.target, cmap="tab10", s=8)
figure.colorbar(dots, ax=left, ticks=range(10))
left.set(title="where digits lie in the plane", aspect="equal")
right.imshow(sheet.numpy(), cmap="gray_r")
right.set(title="what the plane looks like", xticks=[], yticks=[])
figure.savefig("digits_vae.png")
print("see digits_vae.png")
