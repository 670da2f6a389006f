"""Balance a pole on a cart: a policy gradient agent, and the little world it learns in.

64 carts run side by side, one tensor for each quantity. The agent is REINFORCE (Williams, 1992)
with a learned baseline; the world is that of Barto, Sutton and Anderson, 1983.
Needs matplotlib: pip install "gleed[demo]"
"""

import math

from matplotlib.figure import Figure
from tqdm import trange

import gleed
from gleed import nn, optim
from gleed.nn import functional as F

CARTS, STEPS, UPDATES = 64, 200, 60
DISCOUNT = 0.99
TRACK, TILT = 2.4, math.radians(12)  # beyond which an episode ends


class CartPoles:
    """Many carts, each with position, velocity, angle and angular velocity (SI units)."""

    gravity, force, seconds = 9.8, 10.0, 0.02
    cart, pole, half_length = 1.0, 0.1, 0.5

    def __init__(self, count: int) -> None:
        self.state = gleed.rand(count, 4) * 0.1 - 0.05

    def step(self, action: gleed.Tensor) -> gleed.Tensor:
        """Push every cart to the left (0) or right (1); tells which have failed."""
        _, v, angle, spin = self.state.unbind(1)
        push = self.force * (2 * action.float() - 1)
        mass, moment = self.cart + self.pole, self.pole * self.half_length
        drag = (push + moment * spin**2 * angle.sin()) / mass
        lever = self.half_length * (4 / 3 - self.pole * angle.cos() ** 2 / mass)
        turn = (self.gravity * angle.sin() - angle.cos() * drag) / lever
        speed_up = drag - moment * turn * angle.cos() / mass
        change = gleed.stack((v, speed_up, spin, turn), 1)
        self.state = self.state + self.seconds * change
        return (self.state[:, 0].abs() > TRACK) | (self.state[:, 2].abs() > TILT)


def episode(policy: nn.Module) -> tuple[gleed.Tensor, gleed.Tensor, gleed.Tensor]:
    """States [steps, carts, 4], actions and whether the cart was still up, both [steps, carts]."""
    world = CartPoles(CARTS)
    up = gleed.ones(CARTS, dtype=gleed.bool)
    states, actions, running = [], [], []
    with gleed.no_grad():
        for _ in range(STEPS):
            action = gleed.multinomial(policy(world.state).softmax(1), 1).squeeze(1)
            states.append(world.state)
            actions.append(action)
            running.append(up)
            up = up & ~world.step(action)
            if not up.any():
                break
    return gleed.stack(states), gleed.stack(actions), gleed.stack(running)


def discounted(rewards: gleed.Tensor) -> gleed.Tensor:
    """What is still to come from each step on."""
    returns = gleed.zeros_like(rewards)
    following = gleed.zeros(rewards.shape[1])
    for step in reversed(range(len(rewards))):
        following = rewards[step] + DISCOUNT * following
        returns[step] = following
    return returns


gleed.manual_seed(0)
policy = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2))
value = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = optim.Adam([*policy.parameters(), *value.parameters()], lr=1e-2)

lengths = []
progress = trange(UPDATES, unit="update")
for _ in progress:
    states, actions, running = episode(policy)
    returns = discounted(running.float())[running]
    states, actions = states[running], actions[running]
    expected = value(states).squeeze(1)
    advantage = (returns - expected).detach()
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
    log_probability = -F.cross_entropy(policy(states), actions, reduction="none")
    loss = -(advantage * log_probability).mean() + 0.01 * F.mse_loss(expected, returns)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
    optimizer.step()
    lengths.append(running.sum(0).float())
    progress.set_postfix(steps=f"{lengths[-1].mean().item():.0f}")

steps = gleed.stack(lengths)
print(f"the pole stays up for {steps[0].mean().item():.0f} steps at first, "
      f"for {steps[-5:].mean().item():.0f} of {STEPS} at last")  # fmt: skip

figure = Figure(figsize=(7, 4.5), layout="constrained")
axes = figure.subplots()
updates = range(1, UPDATES + 1)
worst, best = steps.quantile(0.1, dim=1), steps.quantile(0.9, dim=1)
axes.fill_between(updates, worst.tolist(), best.tolist(), color="#5fae94", alpha=0.3,
                  label="80 % of the carts")  # fmt: skip
axes.plot(updates, steps.mean(1).tolist(), color="#ee8c3a", label="mean")
axes.set(xlabel="update", ylabel="steps until the pole falls")
axes.legend(frameon=False)
figure.savefig("cart_pole.png")
print("see cart_pole.png")
