"""What an installed gleed consists of, and what it costs to have and to import."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import gleed

ROOT = Path(__file__).parent.parent
MIB = 2**20

MEASURE_IMPORT = """
import json, resource, sys, time
start = time.perf_counter()
import gleed
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.platform == "linux":  # there it begins with the peak of the parent process
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
print(json.dumps({"seconds": seconds, "peak": peak, "modules": sorted(sys.modules)}))
"""


def measure_import(bytecode: Path) -> dict:
    """Import gleed in a fresh process: its seconds, its peak memory, the modules it loaded.

    `bytecode` keeps compiled modules between calls, as an installed package does.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", MEASURE_IMPORT]
    result = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)
    return json.loads(result.stdout)


def runtime_dependencies() -> set[str]:
    requirements = metadata.requires("gleed") or []
    always = [line for line in requirements if "extra ==" not in line]
    return {line.split(">")[0].split("<")[0].split("=")[0].strip() for line in always}


def installed_bytes(distribution: str) -> int:
    files = metadata.files(distribution) or []
    paths = [Path(file.locate()) for file in files]
    return sum(path.stat().st_size for path in paths if path.is_file())


def test_the_core_and_the_package_have_one_version():
    assert metadata.version("gleed") == gleed._C.__version__


def test_the_command_is_installed():
    (script,) = metadata.entry_points(group="console_scripts", name="gleed")
    assert script.value == "gleed.cli:main"


def test_the_package_tells_type_checkers_that_it_is_typed():
    assert (Path(gleed.__file__).parent / "py.typed").exists()


def test_little_else_is_needed_to_run():
    assert runtime_dependencies() == {
        "llvmlite",
        "numpy",
        "safetensors",
        "scipy-openblas32",
        "tqdm",
    }


def test_dependencies_stay_small_on_disk():
    sizes = {name: installed_bytes(name) for name in runtime_dependencies() - {"numpy"}}
    assert all(sizes.values()), sizes
    assert sum(sizes.values()) <= 250 * MIB, sizes


def test_importing_loads_no_heavy_package(tmp_path):
    heavy = {"numpy", "llvmlite", "safetensors", "scipy_openblas32", "tqdm", "matplotlib"}
    assert not heavy & set(measure_import(tmp_path)["modules"])


def test_importing_is_quick_and_light(tmp_path):
    # The best of several: a busy machine only ever adds time.
    runs = [measure_import(tmp_path) for _ in range(7)]
    assert min(run["seconds"] for run in runs) <= 0.15
    assert min(run["peak"] for run in runs) <= 60 * MIB
