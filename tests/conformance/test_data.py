"""Loaders give the batches that PyTorch's give, for the same seeds."""

import pytest
import torch
import torch.utils.data

import gleed
import gleed.utils.data

LENGTH = 101
WEIGHTS = [(7 * i % 11) / 10 for i in range(LENGTH)]
SHARE = [0.7, 0.3]


def plain(value):
    if isinstance(value, (torch.Tensor, gleed.Tensor)):
        return str(value.dtype).split(".")[1], value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


DATA = {
    "tensors": lambda lib, tools: tools.TensorDataset(
        lib.arange(3 * LENGTH).view(LENGTH, 3) / 2, lib.arange(LENGTH)
    ),
    "subset": lambda lib, tools: tools.Subset(
        tools.TensorDataset(lib.arange(LENGTH)), [5, -1, 7, 7, 100, 0] * 5
    ),
    "split": lambda lib, tools: tools.random_split(tools.TensorDataset(lib.arange(LENGTH)), SHARE)[
        0
    ],
    "objects": lambda lib, tools: [
        {"float": i / 2, "pair": (i, str(i)), "list": [i > 9]} for i in range(40)
    ],
}
SAMPLERS = {
    "replacement": lambda tools, data: tools.RandomSampler(data, replacement=True),
    "few": lambda tools, data: tools.RandomSampler(data, replacement=True, num_samples=33),
    "many": lambda tools, data: tools.RandomSampler(data, num_samples=3 * len(data) + 2),
    "subset": lambda tools, data: tools.SubsetRandomSampler(range(3, 20)),
    "weighted": lambda tools, data: tools.WeightedRandomSampler(WEIGHTS[: len(data)], 50),
    "weighted once": lambda tools, data: tools.WeightedRandomSampler(
        WEIGHTS[: len(data)], 20, replacement=False
    ),
    "own": lambda tools, data: range(9, -9, -1),
}


def loaded(lib, data, sampler=None, seeded=False, **options):
    """Two epochs of batches, the length of the loader, and the next random number."""
    tools = lib.utils.data
    lib.manual_seed(3)
    dataset = DATA[data](lib, tools)
    if sampler:
        options["sampler"] = SAMPLERS[sampler](tools, dataset)
    if seeded:
        options["generator"] = lib.Generator().manual_seed(4)
    loader = tools.DataLoader(dataset, **options)
    return plain([*loader, *loader]), len(loader), lib.rand(1).item()


def ours(num_workers, *arguments, **options):
    return loaded(gleed, *arguments, num_workers=num_workers, **options)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 64, 200])
@pytest.mark.parametrize("data", DATA)
def test_epochs_are_the_same(data, batch_size, shuffle, drop_last, seeded, num_workers):
    options = {
        **{"data": data, "batch_size": batch_size, "shuffle": shuffle},
        **{"drop_last": drop_last, "seeded": seeded},
    }
    assert ours(num_workers, **options) == loaded(torch, **options)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("batch_size", [None, 5, 32, 40])
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("data", DATA)
def test_samplers_give_the_same_order(data, sampler, batch_size, num_workers):
    options = {"data": data, "sampler": sampler, "batch_size": batch_size}
    assert ours(num_workers, **options) == loaded(torch, **options)


@pytest.mark.parametrize("lengths", [[50, 51], [0.5, 0.5], [1 / 3] * 3, [0.9, 0.1]])
def test_splits_are_the_same(lengths):
    parts = []
    for lib in (torch, gleed):
        generator = lib.Generator().manual_seed(42)
        split = lib.utils.data.random_split(range(LENGTH), lengths, generator)
        parts.append([list(part) for part in split])
    assert parts[0] == parts[1]
