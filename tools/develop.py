"""Make the environments that the Makefile's targets run in, and build the native core.

    python tools/develop.py setup      .venv, with gleed installed editable and its core up to date
    python tools/develop.py build      only compile what changed in native/
    python tools/develop.py sanitize   .venv-sanitize, as .venv with a core that watches its memory
    python tools/develop.py reference  .venv-conformance, with PyTorch and gleed's own wheel

Every command does nothing where nothing changed. Commands in several shells wait for one another.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
DEVELOPMENT = ROOT / ".venv"
SANITIZED = ROOT / ".venv-sanitize"
REFERENCE = ROOT / ".venv-conformance"
CORE_BUILD = BUILD / f"develop-{sys.implementation.cache_tag}"
SANITIZED_BUILD = BUILD / f"sanitize-{sys.implementation.cache_tag}"
WHEEL_BUILD = BUILD / f"wheel-{sys.implementation.cache_tag}"
WERROR = "ON" if os.environ.get("CI") else "OFF"
CORE_OPTIONS = ("--no-build-isolation", f"-Ccmake.define.GLEED_WERROR={WERROR}")


def run(*command: str | Path) -> None:
    """Run a command in the repository's root; its failure ends this program."""
    result = subprocess.run([str(part) for part in command], cwd=ROOT)
    if result.returncode:
        sys.exit(result.returncode)


def pip(environment: Path, *arguments: str | Path) -> None:
    """Run pip of an environment, printing only what went wrong."""
    run(environment / "bin/python", "-m", "pip", "-qq", *arguments)


def fingerprint() -> str:
    """A digest of everything that decides what an environment holds."""
    digest = hashlib.sha256(sys.version.encode() + WERROR.encode())
    for name in ("pyproject.toml", "CMakeLists.txt", "tools/develop.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def make_environment(environment: Path, fill: Callable[[Path], None]) -> None:
    """Create or refresh a virtual environment, unless its stamp says that it is up to date."""
    stamp = environment / "gleed.stamp"
    if stamp.exists() and stamp.read_text() == fingerprint():
        return
    print(f"setting up {environment.relative_to(ROOT)} …", flush=True)
    venv.create(environment, with_pip=True, symlinks=True)
    pip(environment, "install", "pip>=25.1")  # the first to know dependency groups
    fill(environment)
    stamp.write_text(fingerprint())


def install_editable(environment: Path, build: Path, *choices: str) -> None:
    pip(environment, "install", "--group", "dev")
    # Link-time optimisation would make every small change link for many seconds.
    options = (*CORE_OPTIONS, f"-Cbuild-dir={build}", "-Ccmake.define.GLEED_LTO=OFF", *choices)
    pip(environment, "install", *options, "--editable", ".[demo]")


def build_core(environment: Path, build: Path) -> None:
    """Compile what changed and put it in place whole, so that a running import never sees half."""
    run(environment / "bin/cmake", "--build", build, "--", "--quiet")
    (built,) = build.glob("_C*.so")
    base = str(environment)
    site = Path(sysconfig.get_path("platlib", "venv", {"base": base, "platbase": base}))
    installed = site / "gleed" / built.name
    if installed.exists() and installed.stat().st_mtime_ns == built.stat().st_mtime_ns:
        return
    arriving = installed.with_suffix(".arriving")
    shutil.copy2(built, arriving)
    arriving.replace(installed)


def build() -> None:
    build_core(DEVELOPMENT, CORE_BUILD)


def setup() -> None:
    make_environment(DEVELOPMENT, lambda new: install_editable(new, CORE_BUILD))
    build()


def sanitize() -> None:
    """The development environment with the core under AddressSanitizer and UBSan."""
    choice = "-Ccmake.define.GLEED_SANITIZE=ON"
    make_environment(SANITIZED, lambda new: install_editable(new, SANITIZED_BUILD, choice))
    build_core(SANITIZED, SANITIZED_BUILD)


def reference() -> None:
    """The environment of conformance tests and benchmarks: PyTorch, and gleed as users get it."""
    setup()
    make_environment(REFERENCE, lambda new: pip(new, "install", "--group", "conformance"))
    wheels = BUILD / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    options = (*CORE_OPTIONS, f"-Cbuild-dir={WHEEL_BUILD}")
    pip(DEVELOPMENT, "wheel", *options, "--no-deps", "--wheel-dir", wheels, ".")
    (wheel,) = wheels.glob("*.whl")
    pip(REFERENCE, "uninstall", "--yes", "gleed")  # pip keeps what has the same version
    pip(REFERENCE, "install", wheel)


def main() -> None:
    commands = {"setup": setup, "build": build, "sanitize": sanitize, "reference": reference}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before gleed's metadata is read
        sys.exit(f"gleed: Python 3.11 or newer is needed; this is {sys.version.split()[0]}")
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / "develop.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        commands[sys.argv[1]]()


if __name__ == "__main__":
    main()
