"""The documents are true: their code runs, their links lead somewhere, nothing in them is stale."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def run(*command: str | Path, folder: Path) -> str:
    """The output of a Python program, which must succeed."""
    result = subprocess.run(
        [sys.executable, *map(str, command)], cwd=folder, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_the_code_in_documents_runs(document, tmp_path):
    run(ROOT / "tests/documents.py", document, folder=tmp_path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document):
    for target in LINK.findall(CODE.sub("", document.read_text(encoding="utf-8"))):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_wrong_code_in_a_document_is_noticed(tmp_path):
    document = tmp_path / "wrong.md"
    document.write_text(
        "```python\n>>> 1 + 1\n3\n```\n```python\nprint(2)\n```\n```text\n3\n```\n"
        "```python\nraise ValueError\n```\n"
    )
    result = subprocess.run(
        [sys.executable, ROOT / "tests/documents.py", document], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stdout.count("wrong.md:") == 3


def test_the_readme_begins_with_what_to_type():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines[2].startswith("make demo") and lines[3].startswith("make test")


def test_the_page_of_operations_is_up_to_date(tmp_path):
    made = run(ROOT / "tools/generate_api_docs.py", tmp_path / "api.md", folder=ROOT)
    assert not made
    fresh = (tmp_path / "api.md").read_text(encoding="utf-8")
    assert fresh == (ROOT / "docs/api.md").read_text(encoding="utf-8"), "run make format"


def test_the_architecture_names_files_that_exist():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:native|src|tests|tools|docs)/[\w/.]+)`", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("example", sorted(ROOT.glob("examples/*.py")), ids=name)
def test_examples_run(example, tmp_path):
    assert run(example, folder=tmp_path)


def test_the_residual_network_reads_cifar_10(tmp_path):
    record = np.random.default_rng(0).integers(0, 3, (64, 3073), dtype=np.uint8)
    for name in ("data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"):
        (tmp_path / name).write_bytes(record.tobytes())
    (tmp_path / "batches.meta.txt").write_text("cat\ndog\nship\n\n")
    printed = run(ROOT / "examples/residual_network.py", tmp_path, folder=tmp_path)
    assert "of 64 pictures" in printed and (tmp_path / "residual_network.png").exists()


def test_the_architecture_names_every_file():
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    files = [*ROOT.glob("native/*.cpp"), *ROOT.glob("src/gleed/*.py")]
    files += ROOT.glob("src/gleed/compiler/*.py")
    missing = [name(p) for p in files if not re.search(rf"`{p.stem}`", text)]
    assert missing == []
