"""Time gleed against PyTorch, case by case in turns, on this machine.

    python benchmarks/speed.py                    all groups, printed
    python benchmarks/speed.py --group training   one group, or several: overhead,training
    python benchmarks/speed.py --only softmax     cases whose name contains a regular expression
    python benchmarks/speed.py --write            also into results.json and results.md

Each library runs in a process of its own that stays alive; the two take turns, and a turn in
which a process had to wait for a processor is repeated, as long as `--patience` seconds last.
Before a case is timed, both must have computed the same. With `--jax-python` JAX takes turns too.
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
import jax_cases
import processes
import quiet
import work
from cases import CASES, Case

HERE = Path(__file__).parent
GROUPS = tuple(dict.fromkeys(case.group for case in (*CASES, *processes.MEASURES)))
PEER, OURS, JAX = "torch", "gleed", "jax"
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
    *("residual network 32×32, batch 32, SGD with momentum", "LSTM language model, 16×32, Adam"),
    "GPT of 4 layers of 128, 8×64, AdamW",
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
    jax: float = 0.0  # 0: not measured
    limit: float = 0.0  # what the hardware needs at least; 0: not known

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
    """Compare results, then time all in turns."""
    row = Row(case.group, case.name)
    deadline = time.monotonic() + patience
    programs = dict.fromkeys(sides, case)
    if JAX in sides and case.name in jax_cases.PROGRAMS:
        setup = jax_cases.PROGRAMS[case.name]
        programs[JAX] = Case(case.group, case.name, setup, "jax.block_until_ready(f(*x))")
    else:
        programs.pop(JAX, None)
    turns: Turns = {name: [] for name in programs}
    for number in range(rounds):
        answers = {name: sides[name].ask(own, deadline) for name, own in programs.items()}
        row.error = next((a["error"] for a in answers.values() if "error" in a), "")
        if not row.error and number == 0:
            row.error = difference(answers[PEER]["values"], answers[OURS]["values"])
        if row.error:
            return row
        for name, answer in answers.items():
            turns[name].append({"value": answer["seconds"], "waited": answer["waited"]})
    return finished(row, turns)


def run_measure(
    measure: processes.Measure, sides: dict[str, Side], rounds: int, patience: float
) -> Row:
    """The figures of new processes, in turns; the first of them warms the disk's cache."""
    deadline = time.monotonic() + patience
    turns: Turns = {PEER: [], OURS: []}
    for _ in range(rounds + 1 if measure.figure == "seconds" else 2):
        for name, found in turns.items():
            found.append(processes.measure(measure, sides[name].python, name, deadline))
    return finished(Row(measure.group, measure.name, unit=measure.figure), turns)


def finished(row: Row, turns: Turns) -> Row:
    """The row with the best of the calm turns: whatever else runs only ever adds time."""
    calm = {name: [t for t in found if t["waited"] <= quiet.LIMIT] for name, found in turns.items()}
    row.disturbed = not all(calm.values())
    best = {name: min(turn["value"] for turn in calm[name] or turns[name]) for name in turns}
    row.peer, row.ours, row.jax = best[PEER], best[OURS], best.get(JAX, 0.0)
    return row


@dataclass
class Limits:
    """What the hardware could do at best, as limits.py measures it."""

    flops: dict[str, float]  # a second, by dtype
    copies: dict[str, float]  # seconds, by bytes

    @classmethod
    def measured(cls, python: str, threads: int) -> Limits:
        command = [python, HERE / "limits.py", threads, *sorted(set(work.BYTES.values()))]
        run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
        return cls(**json.loads(run.stdout))

    def seconds(self, name: str) -> float:
        """What a case takes at least: that of its arithmetic, or of a copy of as many bytes."""
        if name in work.BYTES:
            return self.copies[str(work.BYTES[name])]
        return work.FLOPS.get(name, 0.0) / self.flops.get(work.DTYPES.get(name, "float32"), 1e9)

    def __str__(self) -> str:
        best = (f"{rate / 1e9:.0f} {dtype}" for dtype, rate in self.flops.items())
        most = max(self.copies, key=int)
        return (
            f"{', '.join(best)} GF/s in registers; a copy of {int(most) / 2**21:.0f} MiB reads and "
            f"writes {int(most) / self.copies[most] / 1e9:.1f} GB/s"
        )


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
    marks = [f"JAX {readable(row.jax, row.unit)}, {row.jax / row.ours:.2f}×"] if row.jax else []
    marks += [f"{row.limit / row.ours:.0%} of the limit"] if row.limit else []
    marks += ["disturbed"] if row.disturbed else []
    figures = f"{row.group:9} {row.name:48} {peer:>9} {ours:>9} {row.ratio:7.2f}×"
    return "   ".join((figures, *marks))


def summary(group: str, rows: list[Row]) -> str:
    ratios = [row.ratio for row in rows if row.group == group and not row.error]
    if not ratios:
        return f"{group}: nothing measured"
    text = (
        f"{group}: {statistics.geometric_mean(ratios):.2f}× in the geometric mean of "
        f"{len(ratios)} cases, from {min(ratios):.2f}× to {max(ratios):.2f}×"
    )
    against = [row.jax / row.ours for row in rows if row.group == group and row.jax]
    if against:
        text += f"; against JAX {statistics.geometric_mean(against):.2f}× in {len(against)}"
    return text


def machine(sides: dict[str, Side], limits: Limits) -> dict[str, str]:
    """What the figures depend on."""
    try:
        names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        names = []
    return {
        "processor": names[0] if names else platform.processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        "limits": str(limits),
        "threads": str(sides[OURS].threads),
        **{name: side.version for name, side in sides.items()},
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
        row.jax = row.jax or (old.jax if old else 0.0)
        if old is None or old.error or old.disturbed or not row.disturbed:
            found[row.group, row.name] = row
    known = [(case.group, case.name) for case in (*CASES, *processes.MEASURES)]
    return [found[key] for key in known if key in found]


def table(group: str, rows: list[Row]) -> str:
    """All figures of a group; columns that it has none for are left out."""
    heads = ["PyTorch", "gleed", "ratio"]
    jax, limit = any(row.jax for row in rows), any(row.limit for row in rows)
    heads += ["JAX", "ratio"] * jax + ["of the limit"] * limit
    lines = [f"## {group}", summary(group, rows), "", f"| case | {' | '.join(heads)} |"]
    lines.append("| --- |" + " ---: |" * len(heads))
    for row in rows:
        name = row.name.replace("|", "\\|")
        peer, ours = readable(row.peer, row.unit), readable(row.ours, row.unit)
        cells = [peer, ours, f"{row.ratio:.2f}{' *' * row.disturbed}"] if not row.error else []
        if jax and cells:
            against = [readable(row.jax, row.unit), f"{row.jax / row.ours:.2f}"]
            cells += against if row.jax else ["", ""]
        if limit and cells:
            cells += [f"{row.limit / row.ours:.0%}" if row.limit else ""]
        cells = cells or [""] * (len(heads) - 1) + [row.error]
        lines.append(f"| {name} | {' | '.join(cells)} |")
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
    lines = ["| group | cases | geometric mean | from | to |"]
    lines += ["| --- | ---: | ---: | ---: | ---: |"]
    for group in GROUPS:
        ratios = [row.ratio for row in rows if row.group == group and not row.error]
        if ratios:
            mean, ends = statistics.geometric_mean(ratios), (min(ratios), max(ratios))
            figures = " | ".join(f"{ratio:.2f}" for ratio in (mean, *ends))
            lines.append(f"| {group} | {len(ratios)} | {figures} |")
    lines += ["", "| group | case | PyTorch | gleed | ratio |"]
    lines += ["| --- | --- | ---: | ---: | ---: |"]
    for row in rows:
        if row.name in SHOWN and not row.error:
            peer, ours = readable(row.peer, row.unit), readable(row.ours, row.unit)
            lines.append(f"| {row.group} | {row.name} | {peer} | {ours} | {row.ratio:.2f} |")
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
    parser.add_argument("--jax-python", help="an interpreter with jax, for a third side")
    parser.add_argument("--group", default=",".join(GROUPS), help="names with commas between")
    parser.add_argument("--only", default="", help="a regular expression for names of cases")
    parser.add_argument("--rounds", type=int, default=4, help="turns of each library (4)")
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
    pythons = {PEER: chosen.torch_python, OURS: chosen.gleed_python, JAX: chosen.jax_python}
    sides = {name: Side(name, own, chosen.threads) for name, own in pythons.items() if own}
    limits = Limits.measured(chosen.gleed_python, chosen.threads)
    rows: list[Row] = []
    for group in groups:
        for row in measured(group, chosen, sides):
            row.limit = limits.seconds(row.name) if row.unit == "seconds" else 0.0
            rows.append(row)
            print(line(row), flush=True)
        if any(row.group == group for row in rows):
            print(f"== {summary(group, rows)}\n", flush=True)
            if chosen.write:
                write(rows, machine(sides, limits))
    return 1 if any(row.error for row in rows) else 0


def measured(group: str, chosen: argparse.Namespace, sides: dict[str, Side]) -> Iterator[Row]:
    """The rows of a group, as they come."""
    disturbed = {(row.group, row.name) for row in stored() if row.disturbed}
    for program in (*CASES, *processes.MEASURES):
        again = not chosen.again or (group, program.name) in disturbed
        if program.group == group and again and re.search(chosen.only, program.name):
            run = run_measure if isinstance(program, processes.Measure) else run_case
            yield run(program, sides, chosen.rounds, chosen.patience)


if __name__ == "__main__":
    sys.exit(main())
