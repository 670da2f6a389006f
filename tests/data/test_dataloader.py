"""The loader in one thread. The orders expected are those of PyTorch 2.13 for the same seeds."""

import pytest

import gleed
from gleed.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    Subset,
    TensorDataset,
    default_collate,
)

ROWS = gleed.arange(22).view(11, 2)
LABELS = gleed.arange(11) * 10


class Counter(IterableDataset):
    def __init__(self, length):
        self.length = length

    def __iter__(self):
        return iter(range(self.length))

    def __len__(self):
        return self.length


class OneByOne(TensorDataset):
    """The same samples, in a class that the loader does not know."""


def lists(loader):
    return [[part.tolist() for part in batch] for batch in loader]


def batches(loader):
    return [batch.tolist() for batch in loader]


def test_the_order_is_pytorchs_epoch_after_epoch():
    gleed.manual_seed(0)
    loader = DataLoader(range(10), batch_size=4, shuffle=True)
    assert batches(loader) == [[6, 7, 1, 4], [2, 0, 9, 8], [3, 5]]
    assert batches(loader) == [[2, 4, 7, 0], [8, 9, 5, 3], [6, 1]]
    # As many random numbers were drawn as PyTorch draws.
    assert gleed.rand(1).item() == pytest.approx(0.455627977848053, abs=1e-8)


def test_the_order_of_a_generator_is_pytorchs():
    generator = gleed.Generator().manual_seed(7)
    loader = DataLoader(range(6), batch_size=3, shuffle=True, generator=generator)
    assert batches(loader) == [[1, 2, 5], [3, 0, 4]]


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 4, 11, 20])
@pytest.mark.parametrize("indices", [None, [3, -1, 0, 3, 5, 7], range(2, 9), [], [[1], [2]]])
@pytest.mark.parametrize("shuffle", [False, True])
def test_whole_batches_are_the_same_as_single_samples(
    shuffle, indices, batch_size, drop_last, num_workers
):
    results = []
    for kind in (TensorDataset, OneByOne):
        data = kind(ROWS, LABELS)
        if indices is not None:
            data = Subset(data, indices)
        if shuffle and not len(data):
            return
        gleed.manual_seed(5)
        loader = DataLoader(data, batch_size, shuffle, drop_last=drop_last, num_workers=num_workers)
        results.append((lists(loader), len(loader), gleed.rand(1).item()))
        assert len(results[-1][0]) == len(loader)
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "order",
    [
        lambda data: RandomSampler(data, replacement=True, num_samples=77),
        lambda data: RandomSampler(data, num_samples=30),
        lambda data: range(5, -5, -2),
    ],
    ids=["replacement", "repeated", "own"],
)
def test_samplers_give_whole_batches_the_same_order(order):
    results = []
    for kind in (TensorDataset, OneByOne):
        gleed.manual_seed(5)
        data = kind(ROWS, LABELS)
        results.append(lists(DataLoader(data, batch_size=9, sampler=order(data))))
    assert results[0] == results[1]


def test_a_subset_of_a_subset_is_gathered():
    data = Subset(Subset(TensorDataset(LABELS), [9, 8, 7, 6]), gleed.tensor([-1, 0]))
    assert lists(DataLoader(data, batch_size=2)) == [[[60, 90]]]


def test_a_batch_has_memory_of_its_own():
    rows = gleed.zeros(6, 2)
    for (batch,) in DataLoader(TensorDataset(rows), batch_size=3):
        batch += 1
    assert rows.sum().item() == 0


def test_gradients_flow_into_the_rows():
    rows = gleed.ones(4, 2, requires_grad=True)
    for (batch,) in DataLoader(TensorDataset(rows), batch_size=2):
        (batch * 3).sum().backward()
    assert rows.grad.tolist() == [[3.0, 3.0]] * 4


def test_indices_beyond_the_end_are_refused():
    loader = DataLoader(TensorDataset(LABELS), sampler=[0, 11])
    with pytest.raises(IndexError):
        list(loader)


def test_a_batch_sampler_decides_on_batches():
    loader = DataLoader(range(9), batch_sampler=[[1, 2], [8], [0, 0, 0]])
    assert batches(loader) == [[1, 2], [8], [0, 0, 0]]
    assert (len(loader), loader.batch_size) == (3, None)
    loader = DataLoader(range(4), batch_sampler=BatchSampler(range(4), 3, drop_last=True))
    assert batches(loader) == [[0, 1, 2]]


def test_without_batches_samples_come_alone():
    loader = DataLoader([1, "a", (2, 3)], batch_size=None)
    assert list(loader) == [1, "a", [2, 3]]
    assert len(loader) == 3
    # The index goes to the data set as it is, which may itself read many rows.
    loader = DataLoader(TensorDataset(LABELS), batch_size=None, sampler=[slice(0, 3), [5, 6]])
    assert lists(loader) == [[[0, 10, 20]], [[50, 60]]]


def test_a_collate_fn_makes_the_batch():
    loader = DataLoader(TensorDataset(LABELS), batch_size=6, collate_fn=len)
    assert list(loader) == [6, 5]
    loader = DataLoader("abc", batch_size=2, collate_fn="".join)
    assert list(loader) == ["ab", "c"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"batch_size": 3}, [[0, 1, 2], [3, 4, 5], [6]]),
        ({"batch_size": 3, "drop_last": True}, [[0, 1, 2], [3, 4, 5]]),
        ({"batch_size": 9, "drop_last": True}, []),
    ],
)
def test_iterable_data_sets_are_batched(options, expected):
    loader = DataLoader(Counter(7), **options)
    assert batches(loader) == expected
    assert len(loader) == len(expected)


def test_iterable_data_sets_may_come_alone():
    loader = DataLoader(Counter(3), batch_size=None)
    assert list(loader) == [0, 1, 2]
    assert len(loader) == 3


def test_an_iterator_knows_how_many_batches_there_are():
    iterator = iter(DataLoader(range(5), batch_size=2))
    assert len(iterator) == 3
    assert iter(iterator) is iterator


def test_two_iterators_do_not_disturb_each_other():
    loader = DataLoader(range(4), batch_size=2)
    assert [(a.tolist(), b.tolist()) for a, b in zip(loader, loader, strict=True)] == [
        ([0, 1], [0, 1]),
        ([2, 3], [2, 3]),
    ]


def test_what_pytorch_programs_pass_is_taken():
    loader = DataLoader(
        range(2), pin_memory=True, pin_memory_device="cuda", multiprocessing_context="fork"
    )
    assert batches(loader) == [[0], [1]]


def test_default_collate_may_be_named():
    assert lists(DataLoader(TensorDataset(LABELS), 11, collate_fn=default_collate)) == [
        [LABELS.tolist()]
    ]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"batch_size": 0}, "BatchSampler: batch_size is an integer of 1 or more; got 0"),
        ({"num_workers": -1}, "DataLoader: num_workers is an integer of 0 or more; got -1"),
        ({"num_workers": 1, "prefetch_factor": 0}, "prefetch_factor is an integer of 1 or more"),
        ({"num_workers": 1, "timeout": -1}, "DataLoader: timeout is 0 or more seconds; got -1"),
        ({"timeout": 3}, "timeout is for workers; got timeout=3 with num_workers=0; set num_"),
        ({"prefetch_factor": 3}, "prefetch_factor is for workers; got prefetch_factor=3"),
        ({"persistent_workers": True}, "persistent_workers is for workers; got persistent"),
        ({"sampler": [1], "shuffle": True}, "a sampler decides the order; got shuffle too"),
        ({"batch_sampler": [[1]], "shuffle": True}, "a batch_sampler decides order and size"),
        ({"batch_sampler": [[1]], "sampler": []}, "a batch_sampler decides order and size"),
        ({"batch_sampler": [[1]], "batch_size": 2}, "a batch_sampler decides order and size"),
        ({"batch_size": None, "drop_last": True}, "got it with batch_size=None; leave it out"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        DataLoader(range(3), **options)


@pytest.mark.parametrize("name", ["shuffle", "sampler", "batch_sampler"])
def test_an_iterable_data_set_has_the_order_of_its_own(name):
    text = f"an IterableDataset has the order of its own; got {name}; leave it out"
    with pytest.raises(ValueError, match=text):
        DataLoader(Counter(3), **{name: [[0]]})


def test_flags_are_true_or_false():
    with pytest.raises(TypeError, match="DataLoader: drop_last is True or False; got 1"):
        DataLoader(range(3), drop_last=1)


@pytest.mark.parametrize("name", ["dataset", "batch_size", "sampler", "drop_last"])
def test_what_a_loader_is_made_of_is_fixed(name):
    loader = DataLoader(range(3))
    with pytest.raises(ValueError, match=f"DataLoader: {name} is fixed once the loader is made"):
        setattr(loader, name, None)
