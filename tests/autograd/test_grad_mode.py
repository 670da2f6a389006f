"""no_grad, enable_grad, set_grad_enabled and inference_mode."""

import threading

import pytest

import gleed
from gleed.errors import ArgumentError


def states():
    return gleed.is_grad_enabled(), gleed.is_inference_mode_enabled()


def test_nesting():
    with gleed.no_grad():
        assert states() == (False, False)
        with gleed.enable_grad():
            assert states() == (True, False)
            with gleed.inference_mode():
                assert states() == (False, True)
                with gleed.inference_mode(False):
                    assert states() == (True, False)
            assert states() == (True, False)
        assert states() == (False, False)
    assert states() == (True, False)


def test_the_state_comes_back_after_an_exception():
    with pytest.raises(KeyError), gleed.no_grad():
        raise KeyError
    assert gleed.is_grad_enabled()


def test_set_grad_enabled_acts_at_once_and_as_a_context():
    try:
        gleed.set_grad_enabled(False)
        assert not gleed.is_grad_enabled()
    finally:
        gleed.set_grad_enabled(mode=True)
    with gleed.set_grad_enabled(False):
        assert not gleed.is_grad_enabled()
    assert gleed.is_grad_enabled()


@pytest.mark.parametrize(
    "decorate",
    [gleed.no_grad(), gleed.no_grad, gleed.inference_mode(), gleed.inference_mode],
    ids=["no_grad()", "no_grad", "inference_mode()", "inference_mode"],
)
def test_as_decorators(decorate):
    @decorate
    def function(a, *, b):
        """Text."""
        return a + b, gleed.is_grad_enabled()

    assert function(1, b=2) == (3, False)
    assert gleed.is_grad_enabled()
    assert function.__name__ == "function"
    assert function.__doc__ == "Text."


def test_set_grad_enabled_as_a_decorator():
    @gleed.set_grad_enabled(False)
    def function():
        return gleed.is_grad_enabled()

    assert gleed.is_grad_enabled()
    assert function() is False


def test_decorated_generators_hold_the_mode_only_while_they_run():
    events = []

    @gleed.no_grad()
    def generator():
        try:
            sent = yield gleed.is_grad_enabled()
            assert not gleed.is_grad_enabled()
            try:
                yield sent
            except KeyError:
                yield gleed.is_grad_enabled()
            return 7
        finally:
            events.append(gleed.is_grad_enabled())

    running = generator()
    assert next(running) is False
    assert gleed.is_grad_enabled()
    assert running.send("hello") == "hello"
    assert running.throw(KeyError()) is False
    with pytest.raises(StopIteration) as end:
        next(running)
    assert end.value.value == 7
    other = generator()
    next(other)
    other.close()
    assert events == [False, False]


def test_recursion_through_one_decorated_function():
    @gleed.no_grad()
    def count(n):
        return [] if n == 0 else [gleed.is_grad_enabled(), *count(n - 1)]

    assert count(3) == [False] * 3
    assert gleed.is_grad_enabled()


def test_modes_belong_to_a_thread():
    seen = []
    with gleed.no_grad():
        thread = threading.Thread(target=lambda: seen.append(gleed.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gleed.no_grad(3), "no_grad: takes a function to decorate, or nothing; got a int"),
        (lambda: gleed.set_grad_enabled(), "set_grad_enabled: the argument 'mode' is missing"),
        (lambda: gleed.inference_mode(1, 2), "inference_mode: takes one argument at most, 'mode'"),
        (lambda: gleed.no_grad(x=3), "no_grad: takes one argument at most"),
    ],
)
def test_bad_calls(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()
    assert gleed.is_grad_enabled()


def test_what_is_recorded():
    x = gleed.tensor([1.0], requires_grad=True)
    with gleed.no_grad():
        y = x * 2
    assert not y.requires_grad
    assert y.is_leaf
    with gleed.inference_mode():
        z = x * 2
    assert z.is_inference()
    assert not z.requires_grad
    assert (x * 2).requires_grad
