"""Samplers. The numbers expected are those of PyTorch 2.13 for the same seeds."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gleed
from gleed.utils.data import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from gleed.utils.data.sampler import batches_of_blocks

TEN = range(10)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: SequentialSampler("abc"), [0, 1, 2]),
        (
            lambda: RandomSampler(TEN, num_samples=23),
            [6, 9, 0, 7, 3, 5, 4, 2, 1, 8, 1, 8, 5, 4, 9, 2, 0, 7, 3, 6, 0, 7, 9],
        ),
        (lambda: RandomSampler(TEN, replacement=True, num_samples=7), [6, 0, 4, 3, 9, 5, 7]),
        (lambda: SubsetRandomSampler([5, 6, 7, 8]), [5, 6, 8, 7]),
        (lambda: WeightedRandomSampler([1.0, 2.0, 3.0, 4.0], 8), [3, 3, 2, 3, 3, 3, 1, 2]),
    ],
    ids=["sequential", "random", "replacement", "subset", "weighted"],
)
def test_the_order_is_pytorchs(make, expected):
    gleed.manual_seed(0)
    sampler = make()
    assert list(sampler) == expected
    assert len(sampler) == len(expected)


def test_weights_without_replacement_draw_each_index_once():
    drawn = list(WeightedRandomSampler([1.0, 2.0, 0.0, 4.0], 3, replacement=False))
    assert sorted(drawn) == [0, 1, 3]


def test_a_generator_of_ones_own_decides():
    orders = [
        list(RandomSampler(TEN, generator=gleed.Generator().manual_seed(seed)))
        for seed in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_each_pass_has_another_order():
    sampler = RandomSampler(range(100))
    assert list(sampler) != list(sampler)


@pytest.mark.parametrize(
    ("drop_last", "expected"),
    [(False, [[0, 1, 2], [3, 4, 5], [6]]), (True, [[0, 1, 2], [3, 4, 5]])],
)
def test_indices_come_in_batches(drop_last, expected):
    sampler = BatchSampler(range(7), 3, drop_last)
    assert list(sampler) == expected
    assert len(sampler) == len(expected)


@given(
    sizes=st.lists(st.integers(0, 9), max_size=8),
    batch_size=st.integers(1, 12),
    drop_last=st.booleans(),
)
def test_blocks_are_cut_as_single_indices_are(sizes, batch_size, drop_last):
    numbers = iter(range(100))
    lists = [[next(numbers) for _ in range(size)] for size in sizes]
    blocks = [gleed.tensor(block, dtype=gleed.int64) for block in lists]
    batches = [batch.tolist() for batch in batches_of_blocks(blocks, batch_size, drop_last)]
    assert batches == list(BatchSampler(chain(*lists), batch_size, drop_last))


def test_a_range_is_cut_into_ranges():
    assert list(batches_of_blocks([range(5)], 2, False)) == [range(2), range(2, 4), range(4, 5)]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: RandomSampler(TEN, num_samples=0),
            "num_samples is an integer of 1 or more; got 0",
        ),
        (lambda: RandomSampler(TEN, num_samples=2.0), "num_samples is an integer of 1 or more"),
        (lambda: RandomSampler([]), "RandomSampler: an empty data set has no sample to draw"),
        (lambda: WeightedRandomSampler([1.0], True), "num_samples is an integer of 1 or more"),
        (
            lambda: WeightedRandomSampler([1.0, -1.0], 1),
            "finite, not negative, and not all zero; got",
        ),
        (
            lambda: WeightedRandomSampler([1.0, float("nan")], 1),
            "finite, not negative, and not all",
        ),
        (lambda: WeightedRandomSampler([0.0, 0.0], 1), "finite, not negative, and not all zero"),
        (lambda: WeightedRandomSampler([], 1), "finite, not negative, and not all zero"),
        (lambda: WeightedRandomSampler([1.0], 2, False), "got num_samples=2 for 1 weights"),
        (lambda: WeightedRandomSampler([[1.0]], 1), r"one per sample; got shape \(1, 1\)"),
        (
            lambda: BatchSampler(TEN, 0, False),
            "BatchSampler: batch_size is an integer of 1 or more",
        ),
    ],
)
def test_numbers_that_make_no_sense_are_refused(make, text):
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: RandomSampler(TEN, replacement=1), "RandomSampler: replacement is True or False"),
        (lambda: BatchSampler(TEN, 2, "no"), "drop_last is True or False; got 'no'"),
    ],
)
def test_flags_are_true_or_false(make, text):
    with pytest.raises(TypeError, match=text):
        make()


def test_a_sampler_must_say_what_its_order_is():
    with pytest.raises(NotImplementedError, match="Sampler: a Sampler defines __iter__"):
        iter(Sampler())
