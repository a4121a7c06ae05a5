"""Run all benchmarks and write what they print into the documentation: ``python -m benchmarks``."""

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
    "kills.py": "Writing of data sets that is killed",
    "fuzz.py": "Generated signals",
}


def main() -> None:
    """Write ``docs/benchmarks.md``."""
    text = (
        "# Benchmarks\n\nEvery ratio is measured against a named baseline in the same run, by `python -m benchmarks` "
        f"on {date.today():%d %B %Y}: {os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python "
        f"{platform.python_version()}. Times on other machines differ, ratios less so.\n"
    )
    for script, title in SCRIPTS.items():
        command = [sys.executable, "-W", "ignore", str(HERE / script)]
        output = subprocess.run(
            command,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE.parent,
            env=os.environ | {"PYTHONPATH": str(HERE.parent)},
        ).stdout
        print(f"{title}\n{output}")
        text += f"\n## {title}\n\n`python benchmarks/{script}`\n\n```text\n{output.rstrip()}\n```\n"
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
