"""Train a small network to read handwritten digits, and save it.

Needs scikit-learn: pip install "gleed[demo]"
"""

from sklearn.datasets import load_digits

import gleed
from gleed import nn, optim
from gleed.utils.data import DataLoader, TensorDataset, random_split

gleed.manual_seed(0)
digits = load_digits()
images = gleed.tensor(digits.data, dtype=gleed.float32) / 16
labels = gleed.tensor(digits.target, dtype=gleed.int64)
train, test = random_split(TensorDataset(images, labels), [0.8, 0.2])

model = nn.Sequential(
    nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2),
    nn.Linear(128, 64), nn.ReLU(),
    nn.Linear(64, 10),
)  # fmt: skip
optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)

for epoch in range(30):
    model.train()
    for x, y in DataLoader(train, batch_size=32, shuffle=True):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()

    model.eval()
    with gleed.no_grad():
        x, y = next(iter(DataLoader(test, batch_size=len(test))))
        accuracy = (model(x).argmax(1) == y).float().mean().item()
    print(f"epoch {epoch + 1:2}   loss {loss.item():.4f}   held back: {accuracy:.2%}")

gleed.save(model.state_dict(), "digits.safetensors")
