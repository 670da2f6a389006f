"""The benchmark itself: its cases run, it notices wrong results, its tables are current."""

import json
import sys
from pathlib import Path

import pytest

import gleed

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(FOLDER))
import jax_cases  # noqa: E402
import limits  # noqa: E402
import processes  # noqa: E402
import speed  # noqa: E402
import work  # noqa: E402
from cases import CASES  # noqa: E402
from worker import Worker, values  # noqa: E402

QUICK = [case for case in CASES if case.group in ("overhead", "training", "captured")]


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


def test_what_is_known_of_cases_is_of_cases_that_exist():
    names = {case.name for case in CASES}
    assert {*jax_cases.PROGRAMS, *work.FLOPS, *work.BYTES} <= names
    assert set(work.DTYPES) <= set(work.FLOPS)
    for program in jax_cases.PROGRAMS.values():
        compile(program, "program", "exec")


def test_what_the_hardware_can_do_is_measured(monkeypatch):
    monkeypatch.setattr(limits, "SECONDS", 0.001)
    found = speed.Limits(limits.flops(1), {"4096": limits.copy_seconds(4096, 1)})
    assert min(found.flops["float32"], found.flops["float64"]) > 1e9  # others may run beside
    assert 0 < found.copies["4096"] < 1e-3
    expected = 2 * 256**3 / found.flops["float32"]
    assert found.seconds("matmul 256") == expected and "float32" in str(found)


def test_columns_are_there_where_there_are_figures():
    row = speed.Row("compute", "matmul 256", peer=2e-3, ours=1e-3)
    assert "JAX" not in speed.table("compute", [row]) + speed.line(row)
    row.jax, row.limit = 3e-3, 5e-4
    other = speed.Row("compute", "matmul 64", peer=1.0, ours=1.0)
    text = speed.table("compute", [row, other])
    assert "| matmul 256 | 2 ms | 1 ms | 2.00 | 3 ms | 3.00 | 50% |" in text
    assert "| matmul 64 | 1 s | 1 s | 1.00 |  |  |  |" in text
    assert "against JAX 3.00× in 1" in text and "50% of the limit" in speed.line(row)


def test_the_peak_of_training_is_measured():
    measure = next(m for m in processes.MEASURES if m.group == "peak memory")
    found = processes.measure(measure, sys.executable, "gleed", deadline=0)
    assert 1 << 20 < found["value"] < 1 << 30


def test_written_tables_show_the_measured_figures():
    written = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))
    rows = [speed.Row(**entry) for entry in written["rows"]]
    text = (FOLDER / "results.md").read_text(encoding="utf-8")
    assert text == speed.report(rows, written["machine"])
    assert speed.digest(rows) in (FOLDER.parent / "README.md").read_text(encoding="utf-8")
