"""Forecast sunspots: an LSTM that reads the numbers of 250 years and goes on by itself.

The data are the yearly means 1700–2008 of the US National Geophysical Data Center (public domain).
Needs matplotlib: pip install "gleed[demo]"
"""

from csv import DictReader
from pathlib import Path

from matplotlib.figure import Figure
from tqdm import trange

import gleed
from gleed import nn, optim
from gleed.nn import functional as F

gleed.manual_seed(0)
with Path(__file__).with_name("sunspots.csv").open() as file:
    rows = [(int(row["year"]), float(row["sunspots"])) for row in DictReader(file)]
years = [year for year, _ in rows]
series = gleed.tensor([number for _, number in rows]).sqrt() / 8  # peaks and valleys alike
FIRST = years.index(1950)  # not seen in training
WINDOW, STEPS = 88, 600  # eight cycles of about 11 years


class Forecaster(nn.Module):
    """From the numbers of some years to how much the next one differs, after each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 16)
        self.change = nn.Linear(16, 1)

    def forward(self, x: gleed.Tensor, state=None):
        """Shapes: x and the forecasts (years, batch, 1)."""
        features, state = self.lstm(x, state)
        return x + self.change(features), state


model = Forecaster()
optimizer = optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.1)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
windows = series[:FIRST].unfold(0, WINDOW + 1, 1).t().unsqueeze(2)
progress = trange(STEPS, unit="step")
for _ in progress:
    some = windows[:, gleed.randint(0, windows.shape[1], (32,))]
    forecast, _ = model(some[:-1] + 0.06 * gleed.randn_like(some[:-1]))
    loss = F.mse_loss(forecast[11:], some[12:])  # after a cycle to find out where it is
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    progress.set_postfix(loss=f"{loss.item():.4f}")

with gleed.no_grad():
    known = series.reshape(-1, 1, 1)
    forecast, _ = model(known)
    ahead = (8 * forecast[:-1, 0, 0].relu()) ** 2  # of the years from the second on
    numbers = (8 * series) ** 2
    error = (ahead[FIRST - 1 :] - numbers[FIRST:]).abs().mean().item()
    naive = (numbers[FIRST - 1 : -1] - numbers[FIRST:]).abs().mean().item()
    # From 1950 on without looking: every forecast is the next input.
    alone, state = model(known[:FIRST])
    dreamt = [alone[-1:]]
    for _ in range(len(years) - FIRST - 1):
        alone, state = model(dreamt[-1], state)
        dreamt.append(alone)
    dream = (8 * gleed.cat(dreamt).flatten().relu()) ** 2

print(f"mean error a year ahead {error:.1f}; of 'the same as this year' {naive:.1f}")
figure = Figure(figsize=(11, 4.5), layout="constrained")
axes = figure.subplots()
axes.fill_between(years, numbers.numpy(), color="0.85", label="sunspots observed")
axes.plot(years[FIRST:], ahead[FIRST - 1 :].numpy(), color="C0", label="forecast a year ahead")
axes.plot(years[FIRST:], dream.numpy(), "--", color="C3", label="forecast from 1950 on")
axes.set(xlim=(1850, 2008), ylim=(0, None), xlabel="year", ylabel="sunspots, yearly mean")
axes.legend(loc="upper left")
figure.savefig("forecast.png")
print("see forecast.png")
