"""ModuleBase: how a call reaches `forward`."""

import gc
import weakref

import pytest

from gleed._C import ModuleBase
from gleed.errors import ShapeError


class Adder(ModuleBase):
    def __init__(self, bias=0):
        self.bias = bias

    def forward(self, a, b=1, *rest, scale=1, **more):
        return (self, (a + b + self.bias) * scale, rest, more)


def test_arguments_arrive_as_given():
    m = Adder(10)
    assert m(1) == (m, 12, (), {})
    assert m(1, 2, 3, 4) == (m, 13, (3, 4), {})
    assert m(1, scale=3, other=5) == (m, 36, (), {"other": 5})
    assert m(*[1, 2], **{"scale": 2}) == (m, 26, (), {})
    assert m.__call__(1) == (m, 12, (), {})
    assert ModuleBase.__call__(m, 1) == (m, 12, (), {})
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        m()


def test_an_instance_may_have_a_forward_of_its_own():
    m = Adder()
    m.forward = lambda a: ("mine", a)
    assert m(3) == ("mine", 3)


def test_hooked_calls_go_elsewhere():
    class Hooked(Adder):
        def _call_hooked(self, *args, **kwargs):
            return "hooked", args, kwargs

    m = Hooked()
    assert m._hooked is False
    m._hooked = True
    assert m(1, x=2) == ("hooked", (1,), {"x": 2})
    m._hooked = False
    assert m(1)[1] == 2
    with pytest.raises(TypeError):
        m._hooked = "yes"


def test_a_call_of_the_subclass_wins():
    class Own(Adder):
        def __call__(self, *args):
            return "own", args

    assert Own()(1, 2) == ("own", (1, 2))

    class Later(Adder):
        pass

    m = Later()
    assert m(1)[1] == 2
    Later.__call__ = lambda self, *args, **kwargs: ("later", args, kwargs)
    assert m(1, k=2) == ("later", (1,), {"k": 2})
    assert Later()(1) == ("later", (1,), {})
    del Later.__call__
    assert m(1)[1] == 2


@pytest.mark.parametrize(
    ("error", "annotated"),
    [(ShapeError, True), (ValueError, True), (RuntimeError, True), (KeyError, False)],
)
def test_errors_are_annotated(error, annotated):
    class Fails(ModuleBase):
        def forward(self):
            raise error("text")

        def _annotate_error(self, exception):
            exception.add_note("here")

    with pytest.raises(error) as caught:
        Fails()()
    assert getattr(caught.value, "__notes__", []) == (["here"] if annotated else [])
    assert caught.traceback[-1].name == "forward"


def test_a_failing_annotation_hides_nothing():
    class Fails(ModuleBase):
        def forward(self):
            raise ValueError("the error")

        def _annotate_error(self, exception):
            raise KeyError("another")

    with pytest.raises(ValueError, match="the error"):
        Fails()()


def test_modules_are_ordinary_objects():
    m = Adder()
    m.itself = m
    gone = weakref.ref(m)
    del m
    gc.collect()
    assert gone() is None
    with pytest.raises(AttributeError, match="forward"):
        ModuleBase()()
