"""The graph as a data structure: depth, threads, memory."""

import gc
import threading
import weakref

import pytest

import gleed
from gleed import _C, autograd


def alive():
    gc.collect()
    return _C.autograd_stats()


def test_deep_graphs_neither_overflow_nor_leak():
    before = alive()
    x = gleed.tensor([1.0], requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert x.grad.tolist() == [1.0]
    del y
    y = x
    for _ in range(100_000):
        y = y * 1
    del y, x
    assert alive() == before


def test_deep_chains_of_functions_are_freed_without_recursion():
    class Same(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.x = x
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g

    before = alive()
    y = x = gleed.tensor([1.0], requires_grad=True)
    for _ in range(20_000):
        y = Same.apply(y)
    del y, x
    assert alive() == before


@pytest.mark.parametrize("run_backward", [False, True])
def test_nothing_is_left_behind(run_backward):
    before, memory = alive(), _C.memory_stats()["allocated"]
    x = gleed.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = (x @ x).exp().sum()
    base = x * 1
    base[0].mul_(2)
    out = y + base.sum()
    if run_backward:
        out.backward()
        (g,) = autograd.grad((x * x).sum(), x, create_graph=True)
        autograd.grad(g.sum(), x)
        del g
    del x, y, base, out
    assert alive() == before
    assert _C.memory_stats()["allocated"] == memory


def test_memory_of_saved_tensors_goes_with_its_node():
    x = gleed.zeros(1000, requires_grad=True)
    y = x
    for _ in range(10):
        y = y.exp()
    total = y.sum()
    del y
    held = []
    x.register_hook(lambda g: held.append(_C.memory_stats()["allocated"]))
    before = _C.memory_stats()["allocated"]
    total.backward()
    assert held[0] < before - 8 * 4000


def test_cycles_through_attributes_are_collected():
    class Note:
        pass

    x = gleed.tensor([1.0], requires_grad=True)
    y = x * 2
    y.note = Note()
    gone = weakref.ref(y.note)
    y.note.tensor = y
    y.register_hook(lambda g, y=y: None)
    del y
    gc.collect()
    assert gone() is None


def test_gradients_that_refer_to_their_graph_are_collected():
    before = alive()
    x = gleed.tensor([1.0, 2.0], requires_grad=True)
    (x * x * x).sum().backward(create_graph=True)
    x.grad = None
    del x
    assert alive() == before


def test_threads_build_and_run_graphs_of_their_own():
    failures = []

    def work(seed):
        try:
            for k in range(50):
                x = gleed.tensor([float(seed), 2.0], requires_grad=True)
                y = x
                for _ in range(20):
                    y = y * 1.0 + x
                y.sum().backward()
                assert x.grad.tolist() == [21.0, 21.0]
                with gleed.no_grad():
                    assert not (x * k).requires_grad
        except BaseException as error:  # handed to the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_threads_share_leaves():
    x = gleed.zeros(3, requires_grad=True)

    def work():
        for _ in range(100):
            (x * 2).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad.tolist() == [800.0] * 3


def test_diamonds_run_each_node_once():
    x = gleed.tensor([1.0], requires_grad=True)
    calls = []
    y = x
    for _ in range(30):
        y = y + y
        y.register_hook(lambda g: calls.append(1))
    y.backward()
    assert len(calls) == 30
    assert x.grad.tolist() == [2.0**30]
