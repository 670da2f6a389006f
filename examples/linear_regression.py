"""Fit a line to noisy points by gradient descent, and draw it.

Needs matplotlib: pip install "gleed[demo]"
"""

from matplotlib.figure import Figure

import gleed
from gleed import nn, optim

gleed.manual_seed(0)
x = gleed.rand(100, 1) * 4 - 2
y = 3 * x - 1 + 0.5 * gleed.randn(100, 1)

model = nn.Linear(1, 1)
optimizer = optim.SGD(model.parameters(), lr=0.1)
for _ in range(100):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

slope, intercept = model.weight.item(), model.bias.item()
print(f"loss {loss.item():.3f}: y = {slope:.3f} x {intercept:+.3f}")

figure = Figure(figsize=(7, 4.5), layout="constrained")
axes = figure.subplots()
axes.scatter(x.flatten().tolist(), y.flatten().tolist(), s=14, color="#5fae94", label="points")
ends = gleed.tensor([[-2.0], [2.0]])
axes.plot(ends.flatten().tolist(), model(ends).flatten().tolist(), color="#ee8c3a", label="line")
axes.set(xlabel="x", ylabel="y")
axes.legend(frameon=False)
figure.savefig("linear_regression.png")
print("see linear_regression.png")
