"""The `gleed` command."""

import json
import sys

import pytest

import gleed
from gleed.cli import main
from gleed.compiler.objects import cache_directory


def test_without_a_command_help_is_shown(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: gleed")
    assert "demo" in text
    assert "info" in text


def test_the_version_is_shown(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["--version"])
    assert exit_info.value.code == 0
    assert capsys.readouterr().out == f"gleed {gleed.__version__}\n"


def test_info_names_what_gleed_runs_on(capsys):
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    facts = {line[:17].strip(): line[17:] for line in lines}
    assert facts["gleed"] == gleed.__version__
    assert facts["threads"] == str(gleed.get_num_threads())
    assert facts["cache"] == str(cache_directory())
    assert facts["devices"].startswith("cpu")


def test_info_is_there_for_programs(capsys):
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["vector_bits"] in (128, 256, 512)
    assert isinstance(facts["features"], list)
    assert facts["cache_bytes"] >= 0


def test_info_does_without_a_cache(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("GLEED_CACHE_DIR", str(tmp_path / "none"))
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cache_bytes"] == 0


def needs_the_packages_of_the_demo():
    for name in ("sklearn", "matplotlib"):
        pytest.importorskip(name, reason="the demo's packages are an optional extra")


def test_the_demo_learns_and_writes_its_files(capsys, tmp_path):
    needs_the_packages_of_the_demo()
    assert main(["demo", "--epochs", "12", "--seed", "1", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert float(text.split("held back: ")[-1].split("%")[0]) >= 95
    for name in ("digits.safetensors", "loss.png", "digits.png", "graph.svg"):
        assert str(tmp_path / name) in text
        assert (tmp_path / name).stat().st_size > 1000
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert gleed.load(tmp_path / "digits.safetensors")["epochs"] == 12


@pytest.mark.parametrize("package", ["sklearn", "matplotlib"])
def test_a_missing_package_is_named_with_what_to_do(capsys, monkeypatch, package):
    for name in list(sys.modules):
        if name.split(".")[0] == package or name.startswith("gleed.demo"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["demo"]) == 1
    text = (
        f'gleed: the demo needs {package}, which is not installed; run: pip install "gleed[demo]"'
    )
    assert capsys.readouterr().err.strip() == text


@pytest.mark.parametrize("number", ["0", "-3", "many", "1.5"])
def test_epochs_are_counted_from_one(capsys, number):
    with pytest.raises(SystemExit) as exit_info:
        main(["demo", "--epochs", number])
    assert exit_info.value.code == 2
    assert f"a whole number of 1 or more is needed; got '{number}'" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_an_error_in_one_line(capsys, tmp_path):
    needs_the_packages_of_the_demo()
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file")]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("gleed: [Errno 17] File exists")


def test_an_interruption_ends_quietly(capsys, monkeypatch):
    needs_the_packages_of_the_demo()
    from gleed import demo  # not at the top: its packages may be missing

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", interrupted)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "\ngleed: stopped\n"
