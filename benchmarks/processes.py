"""What is measured in new processes: having and starting a library, and the memory of training."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass

import quiet
from cases import TRAINING, Case

WAITED = """
tasks = pathlib.Path("/proc/self/task").glob("*/schedstat")
waited = sum(int(path.read_text().split()[1]) for path in tasks) / 1e9
"""

IMPORT = """
import json, pathlib, sys, time
start = time.perf_counter()
import {library}
seconds = time.perf_counter() - start
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
{waited}
print(json.dumps({{"seconds": seconds, "bytes": peak, "waited": waited / seconds}}))
"""

# The network and the batches of `gleed demo`, on random pixels; one epoch.
EPOCH = """
import json, pathlib, time
import {library} as lib
from {library} import nn, optim
from {library}.utils.data import DataLoader, TensorDataset
start = time.perf_counter()
lib.manual_seed(0)
dataset = TensorDataset(lib.rand(1437, 64), lib.randint(0, 10, (1437,)))
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2),
                      nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
for x, y in DataLoader(dataset, batch_size=32, shuffle=True):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
model.eval()
with lib.no_grad():
    x, y = dataset.tensors
    accuracy = (model(x).argmax(1) == y).float().mean().item()
seconds = time.perf_counter() - start
{waited}
print(json.dumps({{"seconds": seconds, "waited": waited / seconds}}))
"""

# Two steps: the first is captured by gleed, the second runs what was captured.
COMPILE = """
import json, pathlib, time
import {library} as lib
from {library} import nn
model = nn.Sequential(
    nn.Linear(64, 128), nn.LayerNorm(128), nn.ReLU(),
    nn.Linear(128, 128), nn.LayerNorm(128), nn.ReLU(), nn.Linear(128, 10))
x = lib.randn(32, 64)
start = time.perf_counter()
compiled = lib.compile(model)
for _ in range(2):
    compiled(x).square().mean().backward()
seconds = time.perf_counter() - start
{waited}
print(json.dumps({{"seconds": seconds, "waited": waited / seconds}}))
"""

# What a process grows by when it sets a case up and runs it three times, at its greatest.
PEAK = """
import importlib, json, pathlib, sys
names = {{name: importlib.import_module("{library}" + rest) for name, rest in
         (("lib", ""), ("nn", ".nn"), ("F", ".nn.functional"), ("optim", ".optim"))}}
def kilobytes(name):
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition(name + ":")[2].split()[0])
case = json.loads(sys.argv[1])
pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = kilobytes("VmRSS")
exec(case["setup"], names)
for _ in range(3):
    eval(case["run"], names)
print(json.dumps({{"bytes": (kilobytes("VmHWM") - before) * 1024}}))
"""

# All that pip would bring along, except NumPy: most who install either have that already.
SIZE = """
import importlib.util, json, re
from importlib import metadata
from pathlib import Path

def needed(name, found):
    name = re.sub("[-_.]+", "-", name).lower()
    if name in found or name == "numpy":
        return found
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return found
    paths = {{Path(str(file.locate())).resolve() for file in distribution.files or ()}}
    found[name] = sum(path.stat().st_size for path in paths if path.is_file())
    for line in distribution.requires or ():
        if "extra ==" not in line:
            needed(re.match("[A-Za-z0-9._-]+", line).group(), found)
    return found

sizes = needed("{library}", {{}})
package = Path(importlib.util.find_spec("{library}").origin).parent
files = (path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc")
sizes["{library}"] = max(sizes["{library}"], sum(path.stat().st_size for path in files))
print(json.dumps({{"bytes": sum(sizes.values())}}))
"""


# The cache of this benchmark alone, so that what else the user compiled does not count.
KEPT = tempfile.TemporaryDirectory(prefix="gleed-benchmark-")


@dataclass(frozen=True)
class Measure:
    """One figure of a library: which program prints it, and under which name."""

    group: str
    name: str
    program: str
    figure: str
    cache: str = "kept"  # "empty": kernels compiled before are not there
    case: Case | None = None  # what the program is told


MEASURES = (
    *(
        Measure("peak memory", case.name, PEAK, "bytes", case=case)
        for case in TRAINING
        if not case.name.startswith(("linear regression", "MLP 64"))
    ),
    Measure(
        "captured", "compiling an MLP with LayerNorm, empty cache", COMPILE, "seconds", "empty"
    ),
    Measure(
        "captured", "compiling an MLP with LayerNorm, kernels in the cache", COMPILE, "seconds"
    ),
    Measure("start-up", "import", IMPORT, "seconds"),
    Measure("start-up", "memory after import", IMPORT, "bytes"),
    Measure("start-up", "first epoch of the demo, kernels in the cache", EPOCH, "seconds"),
    Measure("start-up", "first epoch of the demo, empty cache", EPOCH, "seconds", "empty"),
    Measure("start-up", "on disk, without NumPy", SIZE, "bytes"),
)


def measure(measure: Measure, python: str, library: str, deadline: float) -> dict[str, float]:
    """One figure, and its share of waiting; again if it had to wait and the deadline allows."""
    while True:
        with tempfile.TemporaryDirectory() as empty:
            cache = empty if measure.cache == "empty" else KEPT.name
            program = measure.program.format(library=library, waited=WAITED)
            told = [json.dumps(asdict(measure.case))] if measure.case else []
            run = subprocess.run(
                [python, "-c", program, *told],
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "2",
                    "GLEED_CACHE_DIR": cache,
                    "TORCHINDUCTOR_CACHE_DIR": cache,
                },
                capture_output=True,
                text=True,
                check=True,
            )
        figures = json.loads(run.stdout)
        waited = figures["waited"] if measure.figure == "seconds" else 0.0
        if waited <= quiet.LIMIT or time.monotonic() > deadline:
            return {"value": figures[measure.figure], "waited": waited}
