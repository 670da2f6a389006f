"""Whole programs, word for word the same but for the import, with PyTorch's results."""

import re
import textwrap

import numpy as np
import pytest

PROGRAMS = {}


def program(name, source):
    PROGRAMS[name] = textwrap.dedent(source)


# Every program puts what is to agree into `results`.
program(
    "linear regression",
    """
    import torch

    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 50).unsqueeze(1)
    y = 3 * x - 0.5 + 0.1 * torch.randn(50, 1)
    weight = torch.zeros(1, 1, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    for step in range(60):
        loss = ((x @ weight + bias - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for parameter in (weight, bias):
                parameter -= 0.2 * parameter.grad
                parameter.grad.zero_()
        results.append(loss.item())
    results.append(weight.detach())
    results.append(bias.detach())
    """,
)

for optimizer, schedule in (
    ("SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)", "StepLR(optimizer, 10, 0.5)"),
    ("Adam(model.parameters(), lr=0.02)", "CosineAnnealingLR(optimizer, 40)"),
    ("AdamW(model.parameters(), lr=0.02, weight_decay=0.1)", "OneCycleLR(optimizer, 0.05, 40)"),
):
    program(
        "classes of points with " + optimizer.partition("(")[0],
        f"""
        import torch
        import torch.nn as nn
        import torch.nn.functional as F

        torch.manual_seed(1)
        centres = torch.tensor([[2.0, 0.0], [-2.0, 1.0], [0.0, -2.0]])
        labels = torch.arange(120) % 3
        points = centres[labels] + 0.8 * torch.randn(120, 2)
        model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 3))
        optimizer = torch.optim.{optimizer}
        schedule = torch.optim.lr_scheduler.{schedule}
        for epoch in range(40):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(points), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            results.append(loss.item())
        results.append(schedule.get_last_lr()[0])
        results.append((model(points).argmax(1) == labels).float().mean())
        """,
    )

program(
    "gradients of gradients",
    """
    import torch

    x = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    y = (x.sin() * x.exp()).sum()
    for order in range(4):
        (y,) = torch.autograd.grad(y, x, create_graph=True)
        results.append(y.detach())
        y = y.sum()
    results.append(torch.autograd.functional.hessian(lambda t: (t.prod() + t.pow(3).sum()), x))
    results.append(torch.autograd.functional.jacobian(lambda t: torch.outer(t, t.cos()), x))
    """,
)

program(
    "batches from a loader",
    """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset, random_split

    torch.manual_seed(2)
    features = torch.randn(97, 5)
    targets = features @ torch.randn(5, 2) + 0.05 * torch.randn(97, 2)
    train, test = random_split(TensorDataset(features, targets), [80, 17])
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(5):
        model.train()
        for inputs, wanted in DataLoader(train, batch_size=16, shuffle=True, drop_last=True):
            optimizer.zero_grad()
            loss = criterion(model(inputs), wanted)
            loss.backward()
            optimizer.step()
            results.append(loss.item())
        model.eval()
        with torch.no_grad():
            for inputs, wanted in DataLoader(test, batch_size=8):
                results.append(criterion(model(inputs), wanted))
    """,
)

program(
    "words as embeddings",
    """
    import torch
    import torch.nn as nn

    class Classifier(nn.Module):
        def __init__(self, words, size, classes):
            super().__init__()
            self.embedding = nn.Embedding(words, size, padding_idx=0)
            self.score = nn.Linear(size, classes)

        def forward(self, text):
            mask = (text != 0).float().unsqueeze(-1)
            mean = (self.embedding(text) * mask).sum(1) / mask.sum(1).clamp(min=1)
            return self.score(torch.tanh(mean))

    torch.manual_seed(3)
    text = torch.randint(1, 30, (24, 7))
    text[torch.rand(24, 7) < 0.3] = 0
    label = (text % 2).sum(dim=1).gt(2).long()
    model = Classifier(30, 6, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for epoch in range(25):
        loss = nn.functional.cross_entropy(model(text), label, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        results.append(loss.item())
    results.append(model.embedding.weight.grad[0])
    results.append(torch.topk(model(text).softmax(-1)[:, 1], 3).values)
    """,
)

program(
    "a function with a gradient of its own",
    """
    import torch

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale):
            ctx.save_for_backward(x)
            ctx.scale = scale
            return scale * x**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 3 * ctx.scale * grad * x**2, None

    x = torch.linspace(-1, 1, 7, dtype=torch.float64).requires_grad_()
    y = Cube.apply(x, 0.5)
    (y * y.detach().abs()).sum().backward()
    results.append(y.detach())
    results.append(x.grad)
    results.append(float(torch.autograd.gradcheck(lambda t: Cube.apply(t, 2.0), x)))
    """,
)

program(
    "hooks",
    """
    import torch
    from torch import nn

    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 1))
    seen = []
    model[0].register_forward_hook(lambda module, inputs, output: seen.append(output.mean()))
    handle = model[2].register_forward_pre_hook(lambda module, inputs: (inputs[0] * 2,))
    x = torch.randn(5, 3, requires_grad=True)
    x.register_hook(lambda grad: grad.clamp(-0.05, 0.05))
    model[1].register_full_backward_hook(lambda module, gin, gout: seen.append(gout[0].sum()))
    model(x).sum().backward()
    handle.remove()
    results.append(model(x).detach())
    results.append(x.grad)
    results.extend(value.detach() for value in seen)
    """,
)

program(
    "saved and loaded state",
    """
    import copy
    import io

    import torch
    from torch import nn

    torch.manual_seed(5)
    x, y = torch.randn(20, 4), torch.randn(20, 1)

    def train(model, optimizer, steps):
        for step in range(steps):
            optimizer.zero_grad()
            loss = nn.functional.smooth_l1_loss(model(x), y)
            loss.backward()
            optimizer.step()
            results.append(loss.item())

    model = nn.Sequential(nn.Linear(4, 6), nn.SiLU(), nn.Linear(6, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    train(model, optimizer, 5)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    kept = copy.deepcopy(model)
    train(model, optimizer, 3)
    file.seek(0)
    state = torch.load(file)
    again = nn.Sequential(nn.Linear(4, 6), nn.SiLU(), nn.Linear(6, 1))
    results.append(str(again.load_state_dict(state["model"])))
    optimizer = torch.optim.Adam(again.parameters(), lr=0.5)
    optimizer.load_state_dict(state["optimizer"])
    results.append((again(x) - kept(x)).abs().max().item())
    train(again, optimizer, 3)
    """,
)

program(
    "views and writing in place",
    """
    import torch

    base = torch.arange(12.0).reshape(3, 4)
    row, column = base[1], base[:, 2]
    row.mul_(10)
    column += 1
    base.t()[0] = -1
    base.view(-1)[::5].zero_()
    results.extend([base, row, column, base.diagonal(), base.unfold(1, 2, 2)])
    results.append([base.stride(), base.t().is_contiguous(), column.storage_offset()])

    leaf = torch.ones(3, 3, requires_grad=True)
    x = leaf * 2
    x[0] = 5
    x[:, 1].mul_(3)
    x.masked_fill_(x > 5.5, 0)
    first, second = x[:2], x[2:]
    first.add_(second)
    x.exp().sum().backward()
    results.extend([x.detach(), leaf.grad])
    version = leaf._version
    try:
        leaf.add_(1)
    except RuntimeError:
        results.append("a leaf cannot be written to")
    results.append(leaf._version - version)
    """,
)

program(
    "broadcasting",
    """
    import torch

    a = torch.arange(3).reshape(3, 1)
    b = torch.arange(2).reshape(1, 2)
    results.extend([a + b, (a + b).dtype is torch.int64, a / (b + 1), a == b, a.expand(3, 4)])
    points = torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])
    results.append((points[:, None] - points[None]).pow(2).sum(-1).sqrt())
    mean, std = points.mean(0, keepdim=True), points.std(0, keepdim=True)
    results.append((points - mean) / std)
    results.append(torch.where(points > 3, points, torch.tensor(-1.0)))
    results.append(torch.einsum("ij,kj->ik", points, points))
    results.append(torch.cat([points, points.new_zeros(1, 2)]).cumsum(0)[[-1, 0]])
    results.append(torch.stack([a.float().squeeze(), a.squeeze() ** 2.0], dim=-1).tolist())
    results.append((torch.ones(2, 3) @ torch.ones(4, 3, 2)).shape)
    try:
        torch.ones(3) + torch.ones(4)
    except RuntimeError:
        results.append("these shapes do not broadcast")
    """,
)


def run(source):
    """What a program puts into `results`."""
    results = []
    exec(compile(source, "program", "exec"), {"results": results, "__name__": "program"})
    return results


def with_gleed(source):
    """The program with its imports from gleed."""
    source = re.sub(r"^import torch$", "import gleed as torch", source, flags=re.MULTILINE)
    return re.sub(r"^(import|from) torch\b", r"\1 gleed", source, flags=re.MULTILINE)


def agree(ours, theirs):
    if isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            agree(a, b)
    elif isinstance(theirs, str | bool):
        assert ours == theirs
    elif isinstance(theirs, int | float):
        assert type(ours) is type(theirs)
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)
    else:
        assert str(ours.dtype).partition(".")[2] == str(theirs.dtype).partition(".")[2]
        assert tuple(ours.shape) == tuple(theirs.shape)
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), 1e-4, 1e-5)


def test_there_are_ten_programs():
    assert len(PROGRAMS) >= 10


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name):
    ours, theirs = run(with_gleed(PROGRAMS[name])), run(PROGRAMS[name])
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        agree(a, b)
