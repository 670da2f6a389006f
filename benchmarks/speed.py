"""Time gleed against PyTorch, case by case in turns, on this machine.

    python benchmarks/speed.py                    all groups, printed
    python benchmarks/speed.py --group training   one group, or several: overhead,training
    python benchmarks/speed.py --only softmax     cases whose name contains a regular expression
    python benchmarks/speed.py --write            also into results.json and results.md

Each library runs in a process of its own that stays alive; the two take turns, and a turn in
which a process had to wait for a processor is repeated, as long as `--patience` seconds last.
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
Turns = dict[str, list[dict[str, float]]]  # by library: what was measured, and the share of waiting
PAUSE = 0.2  # seconds before a turn is repeated
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
    disturbed: bool = False  # one of them was kept waiting in every turn
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
        """Let the process time a case, again if it was kept waiting and the deadline allows.

        Besides what the worker answers: "waited", its share of waiting.
        """
        values: dict[str, Any] = {}
        while True:
            watch = quiet.Watch(self.process.pid)
            answer = {**values, **self.answer(case)}
            answer["waited"] = watch.share()
            if "error" in answer or answer["waited"] <= quiet.LIMIT or time.monotonic() > deadline:
                return answer
            values = {"values": answer["values"]} if "values" in answer else {}
            time.sleep(PAUSE)

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


def run_case(case: Case, sides: dict[str, Side], rounds: int, patience: float) -> Row:
    """Compare results, then time both in turns."""
    row = Row(case.group, case.name)
    deadline = time.monotonic() + patience
    turns: Turns = {PEER: [], OURS: []}
    for number in range(rounds):
        answers = {name: side.ask(case, deadline) for name, side in sides.items()}
        row.error = next((a["error"] for a in answers.values() if "error" in a), "")
        if not row.error and number == 0:
            row.error = difference(answers[PEER]["values"], answers[OURS]["values"])
        if row.error:
            return row
        for name, answer in answers.items():
            turns[name].append({"value": answer["seconds"], "waited": answer["waited"]})
    return finished(row, turns)


def run_startup(
    measure: startup.Measure, sides: dict[str, Side], rounds: int, patience: float
) -> Row:
    """The figures of new processes, in turns; the first of them warms the disk's cache."""
    deadline = time.monotonic() + patience
    turns: Turns = {PEER: [], OURS: []}
    for _ in range(rounds + 1 if measure.figure == "seconds" else 1):
        for name, side in sides.items():
            turns[name].append(startup.measure(measure, side.python, name, deadline))
    return finished(Row("start-up", measure.name, unit=measure.figure), turns)


def finished(row: Row, turns: Turns) -> Row:
    """The row with the best of the calm turns: whatever else runs only ever adds time."""
    calm = {name: [t for t in found if t["waited"] <= quiet.LIMIT] for name, found in turns.items()}
    row.disturbed = not all(calm.values())
    row.peer, row.ours = (
        min(turn["value"] for turn in calm[name] or turns[name]) for name in (PEER, OURS)
    )
    return row


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
    ratios = [row.ratio for row in rows if row.group == group and not row.error]
    if not ratios:
        return f"{group}: nothing measured"
    return (
        f"{group}: {statistics.geometric_mean(ratios):.2f}× in the geometric mean of "
        f"{len(ratios)} cases, from {min(ratios):.2f}× to {max(ratios):.2f}×"
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


def stored() -> list[Row]:
    """The rows of results.json."""
    path = HERE / "results.json"
    return [Row(**row) for row in json.loads(path.read_text())["rows"]] if path.exists() else []


def merged(rows: list[Row]) -> list[Row]:
    """The rows of results.json with those measured now in their place, unless these were
    disturbed and the old ones were not."""
    found = {(row.group, row.name): row for row in stored()}
    for row in rows:
        old = found.get((row.group, row.name))
        if old is None or old.error or old.disturbed or not row.disturbed:
            found[row.group, row.name] = row
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
        "Written by `make bench BENCH_FLAGS=--write`; [README.md](README.md) says how "
        "to read it.\nThe ratio is PyTorch's figure over gleed's: above 1 gleed is faster or "
        "smaller. A star marks cases\nin which a thread had to wait for a processor.",
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
    parser.add_argument(
        "--patience", type=float, default=20, help="seconds to repeat a case in (20)"
    )
    parser.add_argument(
        "--again", action="store_true", help="cases that results.json calls disturbed"
    )
    parser.add_argument("--write", action="store_true", help="into results.json and results.md")
    return parser.parse_args()


def main() -> int:
    chosen = options()
    groups = chosen.group.split(",")
    if chosen.rounds < 1 or not set(groups) <= set(GROUPS):
        sys.exit(f"speed: groups are {', '.join(GROUPS)}, rounds 1 or more; got {chosen.group}")
    sides = {
        PEER: Side(PEER, chosen.torch_python, chosen.threads),
        OURS: Side(OURS, chosen.gleed_python, chosen.threads),
    }
    rows: list[Row] = []
    for group in groups:
        for row in measured(group, chosen, sides):
            rows.append(row)
            print(line(row), flush=True)
        if any(row.group == group for row in rows):
            print(f"== {summary(group, rows)}\n", flush=True)
            if chosen.write:
                write(rows, machine(*sides.values()))
    return 1 if any(row.error for row in rows) else 0


def measured(group: str, chosen: argparse.Namespace, sides: dict[str, Side]) -> Iterator[Row]:
    """The rows of a group, as they come."""
    disturbed = {(row.group, row.name) for row in stored() if row.disturbed}
    programs = [case for case in CASES if case.group == group]
    for program in startup.MEASURES if group == "start-up" else programs:
        again = not chosen.again or (group, program.name) in disturbed
        if again and re.search(chosen.only, program.name):
            run = run_startup if isinstance(program, startup.Measure) else run_case
            yield run(program, sides, chosen.rounds, chosen.patience)


if __name__ == "__main__":
    sys.exit(main())
