"""The pool of threads: its size, forks, and kernels called from several Python threads."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from gleed import _C

from .harness import (
    ONE_TENSOR,
    TWO,
    Reduce,
    add,
    array,
    op,
    pointwise,
    split_sum,
    tensor,
)


def test_the_number_of_threads(threads):
    for count in (1, 2, 7):
        threads(count)
        assert _C.get_num_threads() == count
    for bad in (0, -1):
        with pytest.raises(ValueError, match="must be positive"):
            threads(bad)
    with pytest.raises(TypeError):
        threads("two")


@pytest.mark.parametrize("name", ["GLEED_NUM_THREADS", "OMP_NUM_THREADS"])
def test_the_environment_sets_the_number(name):
    program = "from gleed import _C; print(_C.get_num_threads())"
    environment = {n: v for n, v in os.environ.items() if not n.endswith("_NUM_THREADS")}
    output = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {name: "3"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert output == "3\n"


def test_forked_children_start_threads_of_their_own(rng, threads):
    threads(3)
    a = rng.standard_normal(1 << 20).astype("f")
    t = tensor(a)
    expected = array(add(t, t))
    child = os.fork()
    if child == 0:
        good = np.array_equal(array(add(t, t)), expected)
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(array(add(t, t)), expected)


def test_several_python_threads_share_the_core(rng, threads):
    threads(2)
    inputs = [rng.standard_normal(200_000 + i).astype("f") for i in range(6)]
    failures = []

    def work(a):
        for _ in range(30):
            t = tensor(a)
            if not np.array_equal(array(add(t, t)), a + a):
                failures.append(a.shape)

    workers = [threading.Thread(target=work, args=(a,)) for a in inputs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []


def test_inputs_outlive_calls_without_the_gil(rng):
    """Other threads may drop every reference to a tensor while a kernel reads it."""
    holder = [tensor(np.ones(1 << 22, "f"))]
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            holder[0] = tensor(np.ones(1 << 22, "f"))

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(30):
            assert array(add(holder[0], holder[0]))[-1] == 2
    finally:
        stop.set()
        thread.join()


def test_many_small_kernels_and_few_large_ones_agree(rng, threads):
    total = op("sum", (*ONE_TENSOR, ("dim", "static", None, "")), Reduce(split_sum()))
    a = rng.standard_normal(300_000).astype("f")
    results = set()
    for count in (1, 2, 3, 8):
        threads(count)
        results |= {float(array(total(tensor(a.copy()), (0,)))) for _ in range(5)}
    assert len(results) == 1


@pytest.mark.slow
def test_ctrl_c_between_the_kernels_of_a_long_plan():
    """A plan of many heavy kernels ends soon after SIGINT."""
    heavy = pointwise(lambda x, y: x * y + x, ("f32", "f32"))
    count = 400
    whole = (0,)
    steps = []
    for i in range(count):
        steps += [
            ("alloc", 2 + i, ()),
            ("kernel", heavy, whole, 1, ((i + 1, whole), (0, whole), (2 + i, whole)), ()),
        ]
    values = ((_C.float32, whole),) * count
    plan = _C.Plan(
        ((_C.float32, 1),) * 2, (("size", 0, 0),), (), values, tuple(steps), (1 + count,), (), ()
    )
    f = op("f", TWO, lambda *_: plan)
    t = tensor(np.zeros(1 << 24, "f"))
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        f(t, t)
        pytest.fail("the plan ended before the signal")
    assert time.monotonic() - start < 2
