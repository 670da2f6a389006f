"""Write like these docs: a transformer that learns them letter by letter, and goes on from there.

    python char_gpt.py                in float32
    python char_gpt.py --bfloat16     products in bfloat16: faster, to the same loss

Source: Vaswani et al., "Attention is all you need", 2017; Radford et al., "Language models are
unsupervised multitask learners", 2019. Needs matplotlib and tqdm: pip install "gleed[demo]"
"""

import re
import sys
from pathlib import Path
from textwrap import fill

from matplotlib.figure import Figure
from tqdm import trange

import gleed
from gleed import nn, optim
from gleed.nn import functional as F

HALF = "--bfloat16" in sys.argv
LENGTH, WIDTH, HEADS, LAYERS, BATCH, STEPS = 64, 128, 4, 2, 12, 800


def is_prose(line: str) -> bool:
    """Whether it is of words: no program, table, list or formula."""
    if line.startswith("Also:") or not line[:1].isalpha():
        return False
    return sum(letter.isalpha() or letter in " ,.;`" for letter in line) > 0.95 * len(line)


gleed.manual_seed(0)
root = Path(__file__).resolve().parent.parent
pages = sorted([*root.glob("*.md"), *root.glob("docs/*.md")])
words = "\n".join(page.read_text(encoding="utf-8") for page in pages)
text = re.sub("```.*?```", "", words, flags=re.DOTALL)
prose = [line for line in text.splitlines() if is_prose(line)]
text = "".join(letter for letter in " ".join(prose) if letter.isascii())
letters = sorted(set(text))
numbers = {letter: i for i, letter in enumerate(letters)}
data = gleed.tensor([numbers[letter] for letter in text])
train, test = data[: len(data) * 9 // 10], data[len(data) * 9 // 10 :]


class GPT(nn.Module):
    """From the letters so far to the logits of the next one, at every place at once."""

    def __init__(self) -> None:
        super().__init__()
        self.letters = nn.Embedding(len(letters), WIDTH)
        self.places = nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH))
        self.next = nn.Linear(WIDTH, len(letters))
        for table in (self.letters, self.places):
            nn.init.normal_(table.weight, std=0.1)  # beside which the layers are heard

    def forward(self, x: gleed.Tensor) -> gleed.Tensor:
        length = x.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        x = self.letters(x) + self.places(gleed.arange(length))
        return self.next(self.layers(x, mask, is_causal=True))


def loss_on(source: gleed.Tensor) -> gleed.Tensor:
    """How badly the next letters of random pieces are foretold."""
    starts = gleed.randint(0, len(source) - LENGTH, (BATCH, 1))
    pieces = source[starts + gleed.arange(LENGTH + 1)]
    with gleed.autocast("cpu", dtype=gleed.bfloat16, enabled=HALF):
        return F.cross_entropy(model(pieces[:, :-1]).flatten(0, 1), pieces[:, 1:].flatten())


model = GPT()
optimizer = optim.AdamW(model.parameters(), weight_decay=0.1)
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, STEPS, pct_start=0.1)
seen, held_back = [], {}
progress = trange(STEPS, unit="step")
for step in progress:
    loss = loss_on(train)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    seen.append(loss.item())
    if step % 60 == 59:
        with gleed.no_grad():
            held_back[step] = sum(loss_on(test).item() for _ in range(4)) / 4
        progress.set_postfix(loss=f"{seen[-1]:.3f}", held_back=f"{held_back[step]:.3f}")

# Go on from a beginning: draw each letter by its probability, a little sharpened.
written = "Tensors are "
with gleed.no_grad():
    for _ in trange(400, unit="letter"):
        context = gleed.tensor([[numbers[letter] for letter in written[-LENGTH:]]])
        shares = (model(context)[0, -1] / 0.5).softmax(-1)
        written += letters[gleed.multinomial(shares, 1).item()]
print(fill(written, 100))

figure = Figure(figsize=(8, 5), layout="constrained")
axes = figure.subplots()
axes.plot(seen, lw=0.8, label="training")
axes.plot(held_back.keys(), held_back.values(), "o-", label="held back")
axes.set(xlabel="step", ylabel="loss: nats a letter", title="learning to write these docs")
axes.legend()
figure.savefig("char_gpt.png")
print("see char_gpt.png")
