"""Data sets, and how they are combined and split."""

import pytest

import gleed
from gleed.utils.data import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)


class Letters(Dataset):
    def __getitem__(self, index):
        return "abcdef"[index]

    def __len__(self):
        return 6


class BatchedLetters(Letters):
    def __getitems__(self, indices):
        return ["abcdef"[index].upper() for index in indices]


class Counter(IterableDataset):
    def __init__(self, length):
        self.length = length

    def __iter__(self):
        return iter(range(self.length))

    def __len__(self):
        return self.length


def test_a_sample_of_tensors_is_a_tuple_of_their_rows():
    data = TensorDataset(gleed.arange(6).view(3, 2), gleed.tensor([7, 8, 9]))
    assert len(data) == 3
    assert [part.tolist() for part in data[-1]] == [[4, 5], 9]
    assert [part.tolist() for part in data[1:]] == [[[2, 3], [4, 5]], [8, 9]]


@pytest.mark.parametrize(
    ("shapes", "text"), [([], r"got shapes \[\]"), ([(2,), (3, 1)], r"\(2,\)"), ([()], r"\(\)")]
)
def test_tensors_of_different_lengths_are_refused(shapes, text):
    rule = "TensorDataset: one or more tensors with first dims of one size are needed; got shapes"
    with pytest.raises(ValueError, match=text) as caught:
        TensorDataset(*[gleed.zeros(shape) for shape in shapes])
    assert str(caught.value).startswith(rule)


def test_stacked_data_sets_give_tuples_or_dicts():
    assert StackDataset(Letters(), range(6))[2] == ("c", 2)
    assert StackDataset(letter=Letters(), number=range(6))[2] == {"letter": "c", "number": 2}
    assert len(StackDataset(Letters(), range(6))) == 6


def test_stacked_data_sets_read_batches_by_the_batch():
    data = StackDataset(BatchedLetters(), Letters())
    assert data.__getitems__([3, 0]) == [("D", "d"), ("A", "a")]
    named = StackDataset(upper=BatchedLetters(), lower=Letters())
    assert named.__getitems__([5]) == [{"upper": "F", "lower": "f"}]


def test_stacked_data_sets_are_checked():
    with pytest.raises(ValueError, match=r"StackDataset: data sets of one length.*\[6, 5\]"):
        StackDataset(Letters(), range(5))
    with pytest.raises(ValueError, match="got 0 by position and 0 by name"):
        StackDataset()
    with pytest.raises(ValueError, match="got 1 by position and 1 by name"):
        StackDataset(Letters(), numbers=range(6))


def test_a_batch_of_another_length_is_refused():
    class Short(Letters):
        def __getitems__(self, indices):
            return []

    with pytest.raises(ValueError, match=r"Short\.__getitems__ returns one sample per index; got"):
        StackDataset(Short()).__getitems__([1])


def test_data_sets_add_up():
    data = Letters() + range(10, 12)
    assert isinstance(data, ConcatDataset)
    assert [data[i] for i in range(len(data))] == [*"abcdef", 10, 11]
    assert (data[-1], data[-8]) == (11, "a")


def test_empty_parts_of_a_concatenation_are_passed_over():
    data = ConcatDataset([[], [1], [], [2, 3], []])
    assert [data[i] for i in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("index", [3, -4])
def test_a_concatenation_knows_its_bounds(index):
    text = rf"ConcatDataset: an index lies in \[-3, 3\); got {index}"
    with pytest.raises(IndexError, match=text):
        ConcatDataset([[1], [2, 3]])[index]


def test_a_concatenation_refuses_what_has_no_indices():
    with pytest.raises(TypeError, match="got the IterableDataset Counter; chain those"):
        ConcatDataset([Letters(), Counter(2)])
    with pytest.raises(ValueError, match="ConcatDataset: one data set at least is needed"):
        ConcatDataset([])


def test_iterable_data_sets_are_chained():
    data = Counter(2) + Counter(3)
    assert list(data) == [0, 1, 0, 1, 2]
    assert list(data) == [0, 1, 0, 1, 2]
    assert len(data) == 5


def test_a_chain_refuses_what_is_read_by_index():
    with pytest.raises(TypeError, match="ChainDataset: every part is an IterableDataset; got list"):
        list(ChainDataset([Counter(1), [1]]))


def test_a_subset_reads_through():
    part = Subset(BatchedLetters(), [5, 0, 5])
    assert [part[i] for i in range(3)] == ["f", "a", "f"]
    assert part.__getitems__([2, 1]) == ["F", "A"]
    assert [row.tolist() for row in Subset(TensorDataset(gleed.arange(9)), [4, 2])[[1, 0]]] == [
        [2, 4]
    ]


def test_a_subset_that_reads_samples_its_own_way_reads_batches_so_too():
    class Loud(Subset):
        def __getitem__(self, index):
            return super().__getitem__(index) + "!"

    with pytest.raises(NotImplementedError, match="Loud: a Subset that overrides __getitem__"):
        Loud(Letters(), [1])


@pytest.mark.parametrize("kind", [Dataset, IterableDataset])
def test_a_data_set_must_say_what_its_samples_are(kind):
    with pytest.raises(NotImplementedError, match=f"{kind.__name__} defines __(getitem|iter)__"):
        kind()[0] if kind is Dataset else iter(kind())


def test_the_split_is_pytorchs():
    generator = gleed.Generator().manual_seed(42)
    parts = random_split(range(10), [0.5, 0.3, 0.2], generator)
    assert [list(part) for part in parts] == [[2, 6, 1, 8, 4], [5, 0, 9], [3, 7]]


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [([3, 7], [3, 7]), ([0.25, 0.75], [3, 7]), ([1 / 3] * 3, [4, 3, 3]), ([10, 0], [10, 0])],
)
def test_parts_have_the_sizes_asked_for(lengths, sizes):
    parts = random_split(range(10), lengths)
    assert [len(part) for part in parts] == sizes
    assert sorted(sample for part in parts for sample in part) == list(range(10))


def test_an_empty_part_is_pointed_out():
    with pytest.warns(UserWarning, match="random_split: part 1 is empty"):
        random_split(range(1), [0.9, 0.1])


@pytest.mark.parametrize("lengths", [[3, 6], [0.5, 0.4], [2.5, 7.5], []])
def test_lengths_that_do_not_sum_up_are_refused(lengths):
    with pytest.raises(ValueError, match="random_split: lengths are whole numbers that sum up"):
        random_split(range(10), lengths)


def test_negative_lengths_are_refused():
    with pytest.raises(ValueError, match=r"lengths are not negative; got \[-1, 11\]"):
        random_split(range(10), [-1, 11])
