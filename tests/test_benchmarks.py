"""The benchmark itself: its cases run, it notices wrong results, its tables are current."""

import json
import sys
from pathlib import Path

import pytest

import gleed

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(FOLDER))
import speed  # noqa: E402
from cases import CASES  # noqa: E402
from worker import Worker, values  # noqa: E402

QUICK = [case for case in CASES if case.group in ("overhead", "training")]


@pytest.fixture(scope="module")
def worker():
    threads = gleed.get_num_threads()
    yield Worker("gleed", 1)
    gleed.set_num_threads(threads)


def test_every_case_has_a_name_of_its_own():
    assert len({(case.group, case.name) for case in CASES}) == len(CASES)
    assert sum(case.group == "overhead" for case in CASES) == 32


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_cases_run_and_compute_something(case, worker):
    found = worker.prepare({"name": case.name, **vars(case)})
    assert found and all(entry["elements"] for entry in found)


def test_results_that_differ_are_noticed():
    exact = list(values(gleed.tensor([1.0, 2.0])))
    assert speed.difference(exact, exact) == ""
    for wrong in ([1.0, 2.1], [[1.0, 2.0]], [1, 2]):
        assert speed.difference(exact, list(values(gleed.tensor(wrong))))
    assert speed.difference(exact, [])


def test_written_tables_show_the_measured_figures():
    written = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))
    rows = [speed.Row(**entry) for entry in written["rows"]]
    text = (FOLDER / "results.md").read_text(encoding="utf-8")
    assert text == speed.report(rows, written["machine"])
    assert speed.digest(rows) in (FOLDER.parent / "README.md").read_text(encoding="utf-8")
