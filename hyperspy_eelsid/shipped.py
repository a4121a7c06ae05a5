"""The data files that come with the package, checked against the checksums that come with them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from hyperspy_eelsid.exceptions import InstallationError

PACKAGE = Path(__file__).parent
CHECKSUMS = PACKAGE / "SHA256SUMS"  # as the program sha256sum reads it


@cache
def shipped(name: str) -> Path:
    """Path of a data file, which is read and checked once in each process.

    Parameters
    ----------
    name
        Name of the file from the folder of the package, such as ``"edges/edges.csv"``.

    Raises
    ------
    InstallationError
        If the file is missing or is not the one that was released.
    """
    path = PACKAGE / name
    try:
        lines = CHECKSUMS.read_text(encoding="utf-8").splitlines()
        released = dict(reversed(line.split()) for line in lines)[name]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError, KeyError) as error:
        raise InstallationError(
            f"{path} cannot be read or has no checksum ({error}). {_ADVICE}"
        ) from error
    if digest != released:
        raise InstallationError(f"{path} is damaged: its sha256 is not the released one. {_ADVICE}")
    return path


_ADVICE = "Install hyperspy_eelsid again: pip install --force-reinstall --no-deps hyperspy-eelsid."
