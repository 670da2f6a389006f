"""Training in mixed precision ends where training in float32 does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gleed
from gleed import nn, optim
from gleed.nn import functional as F

LENGTH, WIDTH, STEPS = 24, 32, 120
TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_bytes()
LETTERS = 256


class GPT(nn.Module):
    """From the letters so far to the logits of the next one, at every place at once."""

    def __init__(self) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(LETTERS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, 2, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, nn.LayerNorm(WIDTH))
        self.next = nn.Linear(WIDTH, LETTERS)

    def forward(self, x: Any) -> Any:
        mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)
        x = self.letters(x) + self.places(gleed.arange(LENGTH))
        return self.next(self.layers(x, mask, is_causal=True))


def losses(dtype: Any) -> list[float]:
    """Of learning a text letter by letter."""
    gleed.manual_seed(0)
    model, text = GPT(), gleed.tensor(list(TEXT))
    optimizer = optim.AdamW(model.parameters(), lr=5e-3)
    scaler = gleed.amp.GradScaler("cpu", enabled=dtype is gleed.float16)
    found = []
    for _ in range(STEPS):
        x = text[gleed.randint(0, len(text) - LENGTH, (16, 1)) + gleed.arange(LENGTH + 1)]
        with gleed.autocast("cpu", dtype, enabled=dtype is not gleed.float32):
            logits = model(x[:, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten())
        assert logits.dtype is dtype
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("dtype", [gleed.bfloat16, gleed.float16])
def test_a_transformer_learns_as_in_float32(dtype: Any) -> None:
    whole, half = losses(gleed.float32), losses(dtype)
    assert whole != half
    ends = [sum(found[-20:]) / 20 for found in (whole, half)]
    assert ends[0] < 0.5 * whole[0]
    assert abs(ends[1] / ends[0] - 1) < 0.01
