import csv

import matplotlib.pyplot as plt
import pytest

from hyperspy_eelsid.data import core_shell_particle
from hyperspy_eelsid.exceptions import EelsidError, EnergyAxisError, UnknownElementError
from hyperspy_eelsid.report import write_report
from hyperspy_eelsid.report.folder import write_folder
from hyperspy_eelsid.report.page import page
from hyperspy_eelsid.report.result import Result, as_json
from hyperspy_eelsid.report.white_lines import white_lines_table


@pytest.fixture(scope="module")
def result(superlattice):
    image = superlattice.inav[:40, :6]
    found = image.identify_elements()
    model = image.auto_model(identification=found)
    return Result("superlattice", found, model, file="scan <1>.hspy", warnings=("Beware.",))


def test_a_page_tells_all(result, tmp_path):
    text = page(result)
    for said in (
        "Elements and why they are found",
        "scan &lt;1&gt;.hspy",
        "200 keV",
        "not stated in the file",  # the instrument
        "Beware.",
        "standard errors",
        "at.%",
        "eelsid repeat method.json",
        "How to read this page",
    ):
        assert said in text, said
    for digest in result.found.to_method().weights.values():
        assert digest in text
    total = result.model.total_composition()
    assert f"{100 * total['O'].value:.1f}" in text and "± " in text
    assert len(text) < 3_000_000
    assert not plt.get_fignums()
    assert "http" not in text


def test_a_page_is_written_once(make_eels, tmp_path, step_networks):
    path, found = tmp_path / "page.html", make_eels().identify_elements()
    write_report(path, found)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(FileExistsError):
        write_report(path, found)
    write_report(path, found, overwrite=True)
    assert "Composition</h2>" not in path.read_text(encoding="utf-8")


def test_a_page_of_nothing(make_eels, step_networks):
    """A single spectrum in which no element is found, and which has no fit."""
    text = page(Result("nothing", make_eels().identify_elements(threshold=1.0)))
    assert "No element found" in text and text.count("<img") == 1


def test_the_table_has_all_columns(result, tmp_path):
    write_folder(tmp_path / "out", result)
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {"elements.csv", "elements.png", "fit.png", "maps.png", "method.json"}
    with (tmp_path / "out" / "elements.csv").open(encoding="utf-8") as file:
        rows = {row["element"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(result.found)
    table = result.found.to_dataframe(result.model)
    assert list(rows["Ti"])[1:] == list(table.columns)
    assert float(rows["Ti"]["atomic percent"]) == table.loc["Ti", "atomic percent"]
    assert rows["Ti"]["edges"] == "Ti-L 456 eV"
    assert plt.imread(tmp_path / "out" / "fit.png")[..., :3].std() > 0.05


def test_missing_fits_are_told(result):
    missing = Result("a", result.found, no_fit="the angle is missing")
    assert "the angle is missing" in page(missing)
    assert as_json(missing)["no_fit"] == "the angle is missing"


@pytest.fixture(scope="module")
def particle():
    return core_shell_particle((10, 10)).identify_elements()


def test_white_lines_of_what_was_found(particle):
    lines = particle.oxidation("Mn")
    assert lines.edge == "Mn_L3"
    assert 2 < lines.ratio.data[0] < 3.5  # between those of Mn3+ and Mn2+
    table = white_lines_table(particle)
    assert "Mn-L3" in table and "3+" in table
    assert "Mn-L3</td>" in page(Result("particle", particle))


def test_the_axis_is_that_of_the_edges():
    """Lines that are 12 eV off are found, because the identification tells the offset."""
    signal = core_shell_particle((10, 10), counts=3000)
    signal.axes_manager.signal_axes[0].offset += 10
    found = signal.identify_elements(elements=["Mn"])
    assert found.energy_offset == pytest.approx(11, abs=3)
    assert 650 < found.oxidation("Mn").position.data[0] < 654


def test_white_lines_that_cannot_be_told(particle, superlattice):
    with pytest.raises(UnknownElementError, match="not found in these"):
        particle.oxidation("Fe")
    with pytest.raises(EelsidError, match="Unknown"):
        particle.oxidation("Xx")
    found = superlattice.identify_elements()
    with pytest.raises(UnknownElementError, match="no white lines"):
        found.oxidation("O")
    assert "O-K" not in white_lines_table(found)
    cut = core_shell_particle((10, 10)).isig[:652.0].identify_elements(elements=["Mn"])
    with pytest.raises(EnergyAxisError, match="cuts Mn L2"):
        cut.oxidation("Mn")
    assert white_lines_table(cut) == ""
