import shutil
import time

import pytest

from hyperspy_eelsid import shipped
from hyperspy_eelsid.exceptions import InstallationError
from hyperspy_eelsid.identification.ensemble import WEIGHTS
from hyperspy_eelsid.networks.card import Card
from training import checksums


def test_checksums_are_those_of_the_files():
    expected = checksums.lines()
    assert shipped.CHECKSUMS.read_text() == expected, "run python -m training.checksums"


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package's edge table, which may be damaged."""
    (tmp_path / "edges").mkdir()
    for name in ("SHA256SUMS", "edges/edges.csv"):
        shutil.copy(shipped.PACKAGE / name, tmp_path / name)
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path)
    monkeypatch.setattr(shipped, "CHECKSUMS", tmp_path / "SHA256SUMS")
    shipped.shipped.cache_clear()
    yield tmp_path
    shipped.shipped.cache_clear()


def test_a_damaged_file_says_reinstall(copy):
    path = copy / "edges" / "edges.csv"
    assert shipped.shipped("edges/edges.csv") == path
    shipped.shipped.cache_clear()
    path.write_text(path.read_text().replace(",532", ",582", 1))
    with pytest.raises(InstallationError, match=r"edges\.csv is damaged.*Install .* again"):
        shipped.shipped("edges/edges.csv")
    path.unlink()
    with pytest.raises(InstallationError, match=r"edges\.csv cannot be read.*Install .* again"):
        shipped.shipped("edges/edges.csv")


def test_the_check_takes_less_than_50_ms():
    def check():
        shipped.shipped.cache_clear()
        start = time.process_time()
        for name in checksums.FILES:
            shipped.shipped(name)
        for file in Card.read(WEIGHTS, labels="elements").files:
            file.read(WEIGHTS)
        return time.process_time() - start

    assert min(check() for _ in range(3)) < 0.05
