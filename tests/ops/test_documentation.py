"""Every public op has samples, a docstring with an example that runs, and tests made from both."""

from __future__ import annotations

import doctest

import pytest

import gleed
from gleed.ops.record import OPS

from . import test_forms, test_gradients, test_values
from .generate import is_public, is_random, overload_of, samples_of
from .references import FORMULAS, WITHOUT_REFERENCE, reference_name

PUBLIC = [name for name, record in OPS.items() if is_public(record)]
DOCUMENTED = [name for name, record in OPS.items() if ">>>" in (record.__doc__ or "")]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples(name: str) -> None:
    example = doctest.DocTestParser().get_doctest(
        OPS[name].__doc__, {"gleed": gleed}, name, None, None
    )
    output: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    gleed.manual_seed(0)
    runner.run(example, out=output.append)
    assert runner.failures == 0, "".join(output)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_ops_are_documented(name: str) -> None:
    doc = OPS[name].__doc__ or ""
    form_of_another = name.removesuffix("_copy").removesuffix("_")
    assert ">>>" in doc or (form_of_another != name and form_of_another in OPS)
    assert doc.splitlines()[0].endswith((".", ":")) or "\n" in doc


@pytest.mark.parametrize(
    "name", [n for n in PUBLIC if OPS[n].overloads and not is_random(OPS[n]) and n[:-1] not in OPS]
)
def test_public_ops_have_samples(name: str) -> None:
    """Every overload is taken by a sample, every sample by an overload."""
    record = OPS[name]
    calls = [s.call("float32" if s.free else "int64") for s in samples_of(name)]
    taken = {overload_of(record, call) for call in calls}
    assert taken == set(record.overloads)


def test_every_op_has_a_reference() -> None:
    """By the record, by a formula, or with a reason why not."""
    sampled = {s.op.name: s for n in PUBLIC if not is_random(OPS[n]) for s in samples_of(n)}
    missing = [
        name
        for name, sample in sampled.items()
        if not reference_name(sample)
        and not {name, name.removesuffix("_copy")} & FORMULAS.keys()
        and name not in WITHOUT_REFERENCE
    ]
    assert missing == []
    assert set(WITHOUT_REFERENCE) <= set(sampled)


def test_how_many_tests_are_generated() -> None:
    """A silent loss of tests would be noticed here."""
    assert len(test_values.cases()) > 12_000
    assert len(test_gradients.cases(test_gradients.differentiable())) > 1_200
    assert len(test_forms.METHODS) > 600
    assert len(test_forms.IN_PLACE) > 350
    assert len(test_forms.OUT) > 500
    assert len(PUBLIC) > 330 and len(DOCUMENTED) > 240
