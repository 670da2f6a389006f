"""Time gleed against PyTorch, case by case in turns, on this machine.

    python benchmarks/speed.py                    all groups, printed
    python benchmarks/speed.py --group training   one group, or several: overhead,training
    python benchmarks/speed.py --only softmax     cases whose name contains a regular expression
    python benchmarks/speed.py --write            also into results.json and results.md

Each library runs in a process of its own that stays alive; the two take turns, and a turn during
which other programs kept the processors busy is repeated, as long as `--patience` seconds last.
Before a case is timed, both must have computed the same.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import quiet
import startup
from cases import CASES, Case

HERE = Path(__file__).parent
GROUPS = (*dict.fromkeys(case.group for case in CASES), "start-up")
PEER, OURS = "torch", "gleed"
# Greatest difference, relative to the greatest element of a result.
TOLERANCE = {"float64": 1e-9, "float32": 2e-4, "bfloat16": 2e-2}
# Where the main README has its short table, and the cases that it shows.
BEGIN, END = "<!-- figures: written by benchmarks/speed.py --write -->", "<!-- end of figures -->"
SHOWN = (
    *("a + b", "nn.Linear", "(w * w).sum().backward()", "x + y, 2^20", "x.exp(), 2^20"),
    *("softmax 4096×1024", "matmul 1024", "linear regression, 100 points"),
    *("MLP 64-128-10, batch 32, Adam", "MLP 784-512-512-10, batch 128, Adam"),
    *("an epoch of 60,000×784, batch 64, shuffled", "import", "on disk, without NumPy"),
)


@dataclass
class Row:
    """One case's figures: the best round of each library, seconds or bytes."""

    group: str
    name: str
    peer: float = 0.0
    ours: float = 0.0
    unit: str = "seconds"
    disturbed: bool = False  # other programs were busy in every turn of one of them
    error: str = ""

    @property
    def ratio(self) -> float:
        return self.peer / self.ours


@dataclass
class Side:
    """The process of one library."""

    library: str
    python: str
    threads: int
    version: str = ""
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        command = [self.python, str(HERE / "worker.py"), self.library, str(self.threads)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.version = self.read().get("version", "")

    def read(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        status = self.process.wait()
        if not self.version:
            sys.exit(f"speed: {self.python} cannot run {self.library}")
        self.start()
        return {"error": f"{self.library}: the process ended with status {status}"}

    def ask(self, case: Case, deadline: float) -> dict[str, Any]:
        """Let the process time a case, in a calm moment if there is one before the deadline.

        Besides what the worker answers: "others", the processors that other programs used.
        """
        values: dict[str, Any] = {}
        while True:
            quiet.wait(deadline)
            watch = quiet.Watch(self.process.pid)
            answer = {**values, **self.answer(case)}
            answer["others"] = watch.others()
            if "error" in answer or answer["others"] <= quiet.LIMIT or time.monotonic() > deadline:
                return answer
            values = {"values": answer["values"]} if "values" in answer else {}

    def answer(self, case: Case) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(asdict(case)) + "\n")
        self.process.stdin.flush()
        answer = self.read()
        if "error" in answer and not answer["error"].startswith(self.library):
            answer["error"] = f"{self.library}: {answer['error']}"
        return answer


def difference(peer: list[dict[str, Any]], ours: list[dict[str, Any]]) -> str:
    """What differs between two results, or "" if they agree."""
    if len(peer) != len(ours):
        return f"results: {len(peer)} and {len(ours)} tensors"
    for a, b in zip(peer, ours, strict=True):
        if a["dtype"] != b["dtype"] or a["shape"] != b["shape"]:
            return f"results: {a['dtype']} {a['shape']} and {b['dtype']} {b['shape']}"
        scale = max((abs(x) for x in a["elements"]), default=0.0)
        pairs = zip(a["elements"], b["elements"], strict=True)
        worst = max((abs(x - y) for x, y in pairs), default=0.0)
        if worst > TOLERANCE.get(a["dtype"], 0) * scale:
            return f"results differ by {worst:.3g}, the greatest element being {scale:.3g}"
    return ""


def run_case(case: Case, peer: Side, ours: Side, rounds: int, patience: float) -> Row:
    """Compare results, then time both in turns."""
    row = Row(case.group, case.name)
    deadline = time.monotonic() + patience
    turns: dict[str, list[dict[str, Any]]] = {PEER: [], OURS: []}
    for number in range(rounds):
        answers = {side.library: side.ask(case, deadline) for side in (peer, ours)}
        row.error = next((a["error"] for a in answers.values() if "error" in a), "")
        if not row.error and number == 0:
            row.error = difference(answers[PEER]["values"], answers[OURS]["values"])
        if row.error:
            return row
        for library, answer in answers.items():
            turns[library].append(answer)
    calm = {name: [a for a in found if a["others"] <= quiet.LIMIT] for name, found in turns.items()}
    row.disturbed = not all(calm.values())
    row.peer, row.ours = (
        min(a["seconds"] for a in calm[name] or turns[name]) for name in (PEER, OURS)
    )
    return row


def run_startup(pythons: dict[str, str], rounds: int, only: str) -> Iterator[Row]:
    """Rows of the group start-up."""
    for measure in startup.MEASURES:
        if re.search(only, measure.name):
            figures = startup.measure(measure, pythons, rounds)
            best = min(figures[PEER]), min(figures[OURS])
            yield Row("start-up", measure.name, *best, unit=measure.figure)


def readable(value: float, unit: str) -> str:
    """Three digits and a unit."""
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    for factor, name in ((1.0, "s"), (1e-3, "ms")):
        if value >= factor:
            return f"{value / factor:.3g} {name}"
    return f"{value * 1e6:.3g} µs"


def line(row: Row) -> str:
    if row.error:
        return f"{row.group:9} {row.name:48} {row.error}"
    peer, ours = readable(row.peer, row.unit), readable(row.ours, row.unit)
    mark = "   disturbed" if row.disturbed else ""
    return f"{row.group:9} {row.name:48} {peer:>9} {ours:>9} {row.ratio:7.2f}×{mark}"


def summary(group: str, rows: list[Row]) -> str:
    good = [row for row in rows if row.group == group and not row.error]
    if not good:
        return f"{group}: nothing measured"
    return (
        f"{group}: {statistics.geometric_mean(row.ratio for row in good):.2f}× in the geometric mean of {len(good)} cases, "
        f"from {min(row.ratio for row in good):.2f}× to {max(row.ratio for row in good):.2f}×"
    )


def machine(peer: Side, ours: Side) -> dict[str, str]:
    """What the figures depend on."""
    try:
        names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        names = []
    return {
        "processor": names[0] if names else platform.processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        "threads": str(peer.threads),
        PEER: peer.version,
        OURS: ours.version,
        "date": time.strftime("%Y-%m-%d"),
    }


def merged(rows: list[Row]) -> list[Row]:
    """The rows of results.json, those measured now in their place."""
    path = HERE / "results.json"
    old = json.loads(path.read_text())["rows"] if path.exists() else []
    found = {(row.group, row.name): row for row in [*(Row(**entry) for entry in old), *rows]}
    known = [(case.group, case.name) for case in CASES]
    known += [("start-up", measure.name) for measure in startup.MEASURES]
    return [found[key] for key in known if key in found]


def table(group: str, rows: list[Row]) -> str:
    lines = [f"## {group}", summary(group, rows), "", "| case | PyTorch | gleed | ratio |"]
    lines.append("| --- | ---: | ---: | ---: |")
    for row in rows:
        name = row.name.replace("|", "\\|")
        if row.error:
            lines.append(f"| {name} | | | {row.error} |")
        else:
            peer, ours = readable(row.peer, row.unit), readable(row.ours, row.unit)
            mark = " *" if row.disturbed else ""
            lines.append(f"| {name} | {peer} | {ours} | {row.ratio:.2f}{mark} |")
    return "\n".join(lines)


def report(rows: list[Row], facts: dict[str, str]) -> str:
    """results.md: a summary, then a table for each group."""
    groups = [group for group in GROUPS if any(row.group == group for row in rows)]
    slower = sorted((row for row in rows if not row.error and row.ratio < 1), key=lambda r: r.ratio)
    behind = [f"- {row.group}, {row.name}: {row.ratio:.2f}" for row in slower] or ["- nowhere"]
    parts = [
        "# gleed against PyTorch: the figures",
        "Written by `make bench` (`benchmarks/speed.py --write`); [README.md](README.md) says how "
        "to read it.\nThe ratio is PyTorch's figure over gleed's: above 1 gleed is faster or "
        "smaller. A star marks cases\nduring which other programs kept the processors busy.",
        "\n".join(f"- {name}: {value}" for name, value in facts.items()),
        "\n".join(f"- {summary(group, rows)}" for group in groups),
        "Where PyTorch is ahead:\n\n" + "\n".join(behind),
        *(table(group, [row for row in rows if row.group == group]) for group in groups),
    ]
    return "\n\n".join(parts) + "\n"


def digest(rows: list[Row]) -> str:
    """The short table of the main README."""
    lines = ["| | cases | geometric mean | from | to |", "| --- | ---: | ---: | ---: | ---: |"]
    for group in GROUPS:
        ratios = [row.ratio for row in rows if row.group == group and not row.error]
        if ratios:
            mean, ends = statistics.geometric_mean(ratios), (min(ratios), max(ratios))
            figures = " | ".join(f"{ratio:.2f}" for ratio in (mean, *ends))
            lines.append(f"| {group} | {len(ratios)} | {figures} |")
    lines += ["", "| case | PyTorch | gleed | ratio |", "| --- | ---: | ---: | ---: |"]
    for row in rows:
        if row.name in SHOWN and not row.error:
            peer, ours = readable(row.peer, row.unit), readable(row.ours, row.unit)
            lines.append(f"| {row.name} | {peer} | {ours} | {row.ratio:.2f} |")
    return "\n".join(lines)


def write(rows: list[Row], facts: dict[str, str]) -> None:
    rows = merged(rows)
    entries = {"machine": facts, "rows": [asdict(row) for row in rows]}
    text = json.dumps(entries, indent=1, ensure_ascii=False) + "\n"
    (HERE / "results.json").write_text(text, encoding="utf-8")
    (HERE / "results.md").write_text(report(rows, facts), encoding="utf-8")
    readme = HERE.parent / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n{digest(rows)}\n{END}{after}", encoding="utf-8")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time gleed against PyTorch.")
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter with torch")
    parser.add_argument("--gleed-python", default=sys.executable, help="an interpreter with gleed")
    parser.add_argument("--group", default=",".join(GROUPS), help="names with commas between")
    parser.add_argument("--only", default="", help="a regular expression for names of cases")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each library (5)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each library (2)")
    parser.add_argument("--patience", type=float, default=20, help="seconds to wait for calm (20)")
    parser.add_argument("--write", action="store_true", help="into results.json and results.md")
    return parser.parse_args()


def main() -> int:
    chosen = options()
    groups = chosen.group.split(",")
    unknown = [group for group in groups if group not in GROUPS]
    if unknown or chosen.rounds < 1:
        sys.exit(f"speed: groups are {', '.join(GROUPS)}, rounds 1 or more; got {chosen.group}")
    peer = Side(PEER, chosen.torch_python, chosen.threads)
    ours = Side(OURS, chosen.gleed_python, chosen.threads)
    pythons = {PEER: chosen.torch_python, OURS: chosen.gleed_python}
    rows: list[Row] = []
    for group in groups:
        for row in _measured(group, chosen, peer, ours, pythons):
            rows.append(row)
            print(line(row), flush=True)
        if any(row.group == group for row in rows):
            print(f"== {summary(group, rows)}\n", flush=True)
    if chosen.write:
        write(rows, machine(peer, ours))
    return 1 if any(row.error for row in rows) else 0


def _measured(
    group: str, chosen: argparse.Namespace, peer: Side, ours: Side, pythons: dict[str, str]
) -> Iterator[Row]:
    if group == "start-up":
        yield from run_startup(pythons, chosen.rounds, chosen.only)
    for case in CASES:
        if case.group == group and re.search(chosen.only, case.name):
            yield run_case(case, peer, ours, chosen.rounds, chosen.patience)


if __name__ == "__main__":
    sys.exit(main())
