"""Run all benchmarks and write what they print into the documentation: ``python -m benchmarks``.

Those that look for faults end with another exit code than 0 when they find one; what they print is written all the
same, and this command then ends with 1 and names them.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
SCRIPTS = {
    "inference.py": "Identification",
    "memory.py": "Memory of lazy images",
    "auto_model.py": "Model fit",
    "cluster.py": "Threads and a cluster of two processes",
    "simulation.py": "Simulation",
    "zero_loss.py": "Zero-loss peaks and band gaps",
    "learning.py": "Training of networks",
    "interrupt.py": "Stopping by Ctrl+C",
    "kills.py": "Writing of data sets that is killed",
    "fuzz.py": "Generated signals",
}


def main() -> int:
    """Write ``docs/benchmarks.md``; 1 if a benchmark found a fault or failed, else 0."""
    text = (
        "# Benchmarks\n\nEvery ratio is measured against a named baseline in the same run, by `python -m benchmarks` "
        f"on {date.today():%d %B %Y}: {os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python "
        f"{platform.python_version()}. Times on other machines differ, ratios less so.\n"
    )
    faulty = []
    for script, title in SCRIPTS.items():
        command = [sys.executable, "-W", "ignore", str(HERE / script)]
        run = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE.parent,
            env=os.environ | {"PYTHONPATH": str(HERE.parent)},
        )
        output = run.stdout
        if run.returncode:
            faulty.append(script)
            output += f"ended with {run.returncode}\n"
        print(f"{title}\n{output}")
        text += f"\n## {title}\n\n`python benchmarks/{script}`\n\n```text\n{output.rstrip()}\n```\n"
        PAGE.write_text(text, encoding="utf-8")
    if faulty:
        print(f"{', '.join(faulty)} found a fault or failed", file=sys.stderr)
    return int(bool(faulty))


if __name__ == "__main__":
    sys.exit(main())
