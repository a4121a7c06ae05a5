"""Checksums of the data files that are shipped: ``python -m training.checksums`` writes them after a change."""

from __future__ import annotations

import hashlib

from hyperspy_eelsid.shipped import CHECKSUMS, PACKAGE

FILES = (
    "edges/dhfs.gosh",
    "edges/edges.csv",
    "edges/near_edges.h5",
    "identification/weights/card.json",  # which holds those of the networks
)


def write() -> None:
    """Write ``SHA256SUMS``, which ``sha256sum --check SHA256SUMS`` reads too."""
    CHECKSUMS.write_text(lines(), encoding="utf-8")


def lines() -> str:
    """What ``SHA256SUMS`` has to hold."""
    digests = {name: hashlib.sha256((PACKAGE / name).read_bytes()).hexdigest() for name in FILES}
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


if __name__ == "__main__":
    write()
