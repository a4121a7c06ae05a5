import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from hyperspy_eelsid import cli
from hyperspy_eelsid.cli import identify
from hyperspy_eelsid.method import Method
from hyperspy_eelsid.report import folder as folder_module
from hyperspy_eelsid.report import pictures


@pytest.fixture
def image_file(superlattice, tmp_path):
    path = tmp_path / "image.hspy"
    superlattice.save(path)
    return path


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip() == version("hyperspy-eelsid")


def test_help_is_instant():
    """Asking for help imports neither HyperSpy nor ONNX Runtime."""
    code = (
        "import sys; from hyperspy_eelsid import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'hyperspy.api', 'exspy', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("suffix", [".hspy", ".dm4", ".msa", ".unknown"])
def test_broken_file_ends_in_one_line(suffix, tmp_path, capfd):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"no spectrum here " * 50)
    assert cli.main(["identify", str(path)]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"eelsid: {path}: ")


def test_missing_file_is_told(tmp_path, capfd):
    assert cli.main(["identify", str(tmp_path / "absent.dm4")]) == 1
    assert capfd.readouterr().err.endswith("absent.dm4: no such file.\n")


def test_image_is_not_eels(tmp_path, capfd):
    path = tmp_path / "picture.hspy"
    hs.signals.Signal2D(np.ones((4, 4))).save(path)
    assert cli.main(["identify", str(path)]) == 1
    error = capfd.readouterr().err
    assert "holds no EELS signal but <Signal2D" in error
    assert "set_signal_type" not in error


def test_untyped_spectrum_says_how_to_become_eels(tmp_path, capfd):
    path = tmp_path / "untyped.hspy"
    signal = hs.signals.Signal1D(np.ones(100), axes=[{"size": 100, "units": "eV", "offset": 400}])
    signal.save(path)
    assert cli.main(["identify", str(path)]) == 1
    assert "set_signal_type('EELS')" in capfd.readouterr().err


def test_square_brackets_in_a_file_name(superlattice, tmp_path):
    path = tmp_path / "scan[1].hspy"
    superlattice.save(path)
    (loaded,) = identify.load_eels(path)
    np.testing.assert_array_equal(loaded.data, superlattice.data)


def test_msa_file_is_opened(superlattice, tmp_path):
    path = tmp_path / "spectrum.msa"
    summed = superlattice.sum()
    summed.save(path, encoding="utf8")
    (loaded,) = identify.load_eels(path)
    np.testing.assert_allclose(loaded.data, summed.data)


@pytest.mark.slow
def test_one_page_and_json(superlattice, tmp_path, capfd):
    path, page = tmp_path / "a <b>.hspy", tmp_path / "report.html"
    superlattice.inav[:20, :4].save(path)
    code = cli.main(["identify", str(path), "--json", "--report", str(page), "--exclude", "Ba"])
    assert code == 0
    (entry,) = json.loads(capfd.readouterr().out)
    elements = {row["element"]: row for row in entry["elements"]}
    assert "Ti" in elements and "Ba" not in elements
    assert elements["Ti"]["edges"] == {"L": 456} and elements["Ti"]["mean fitted amount"] > 0
    text = page.read_text(encoding="utf-8")
    assert "a &lt;b&gt;" in text and "Ti-L 456 eV" in text
    assert text.count('src="data:image/png;base64,') == 4
    assert "http" not in text and len(text) < 3_000_000


def test_parameters_that_the_file_lacks(superlattice, tmp_path, capfd):
    signal = superlattice.sum()
    del signal.metadata.Acquisition_instrument
    signal.save(tmp_path / "bare.hspy")
    command = ["identify", str(tmp_path / "bare.hspy"), "--json", "--out", str(tmp_path)]

    def amounts(output):
        (entry,) = json.loads(output)
        return [row.get("mean fitted amount") for row in entry["elements"]]

    assert cli.main(command) == 3
    output = capfd.readouterr()
    assert "bare.hspy: no fit" in output.err and "--collection-angle" in output.err
    assert "There is no fit" in output.out
    assert not any(amounts(output.out))
    microscope = tmp_path / "titan.toml"
    microscope.write_text(
        'name = "Titan"\nbeam_energy = 200\nconvergence_angle = 20\ncollection_angle = 30.5\n'
    )
    given = ["--microscope", str(microscope), "--collection-angle", "40"]
    page = tmp_path / "page.html"
    assert cli.main([*command, *given, "--overwrite", "--report", str(page)]) == 0
    assert all(amounts(capfd.readouterr().out))
    method = Method.load(tmp_path / "bare" / "method.json")
    assert method.fit["beam_energy"] == 200 and method.fit["collection_angle"] == 40
    assert "Titan" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("beam_energy = 200\nbeam = 3\n", "entry 'beam', options are beam_energy"),
        ("beam_energy = -200\n", "beam_energy must be between"),
        ("beam_energy: 200\n", "is no TOML file"),
        (None, "cannot be read"),
    ],
)
def test_files_of_no_microscope(text, problem, tmp_path, capfd):
    path = tmp_path / "titan.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["identify", "x.hspy", "--microscope", str(path)])
    assert stopped.value.code == 2
    assert problem in capfd.readouterr().err


def test_a_run_is_repeated_by_its_method(make_eels, tmp_path, capfd, step_networks):
    make_eels((2, 4)).save(tmp_path / "a.hspy")
    make_eels((3, 4)).save(tmp_path / "b.hspy")
    first = ["identify", str(tmp_path / "a.hspy"), "--exclude", "O", "--min-fraction", "0.4"]
    assert cli.main([*first, "--out", str(tmp_path / "out")]) == 3
    method = tmp_path / "out" / "a" / "method.json"
    capfd.readouterr()
    assert cli.main(["repeat", str(method), str(tmp_path / "b.hspy"), "--json"]) == 0
    (entry,) = json.loads(capfd.readouterr().out)
    assert [row["element"] for row in entry["elements"]] == ["Ti"]
    assert entry["min_fraction"] == 0.4
    # an option stands before the method
    with_options = ["identify", str(tmp_path / "b.hspy"), "--method", str(method), "--json"]
    assert cli.main([*with_options, "--min-fraction", "0.9"]) == 0
    (entry,) = json.loads(capfd.readouterr().out)
    assert not entry["elements"] and entry["min_fraction"] == 0.9
    held = json.loads(method.read_text())
    held["weights"] = {name: "0" * 64 for name in held["weights"]}
    method.write_text(json.dumps(held))
    with pytest.raises(SystemExit) as stopped:
        cli.main(["repeat", str(method), str(tmp_path / "b.hspy")])
    assert stopped.value.code == 2
    assert "checksums differ" in capfd.readouterr().err


def test_other_versions_are_told(make_eels, tmp_path, capfd, step_networks):
    make_eels().save(tmp_path / "a.hspy")
    method = replace(make_eels().identify_elements().to_method(), versions={"numpy": "1.0"})
    method.save(tmp_path / "m.json")
    assert cli.main(["repeat", str(tmp_path / "m.json"), str(tmp_path / "a.hspy")]) == 0
    assert "m.json: was written with numpy 1.0 (now " in capfd.readouterr().err


def test_many_files_have_a_page_each_and_one_that_lists_them(
    make_eels, tmp_path, capfd, quick_outputs
):
    for name in "abc":
        make_eels((2,)).save(tmp_path / f"{name}.hspy")
    page = tmp_path / "all.html"
    assert cli.main(["identify", str(tmp_path), "--report", str(page)]) == 0
    assert sorted(file.name for file in (tmp_path / "all").iterdir()) == [
        "a.html",
        "b.html",
        "c.html",
    ]
    text = page.read_text(encoding="utf-8")
    assert all(f'href="all/{name}.html"' in text for name in "abc")
    assert "Elements and why they are found" in (tmp_path / "all" / "a.html").read_text()


def test_files_are_identified_as_they_arrive(
    make_eels, tmp_path, capfd, monkeypatch, quick_outputs
):
    folder = tmp_path / "live"
    folder.mkdir()
    turns = iter(range(4))

    def sleep(seconds):
        turn = next(turns, None)
        if turn is None:
            raise KeyboardInterrupt
        if turn < 2:
            make_eels((2,)).save(folder / f"{turn}.hspy")

    monkeypatch.setattr(identify.time, "sleep", sleep)
    page = tmp_path / "live.html"
    assert cli.main(["watch", str(folder), "--report", str(page)]) == 0
    assert capfd.readouterr().out.count("Identification: ") == 2
    assert 'href="live/1.html"' in page.read_text()
    with pytest.raises(SystemExit):
        cli.main(["watch", str(tmp_path / "none")])


def test_no_progress_bars_among_what_is_piped(make_eels, tmp_path, capfd, step_networks):
    make_eels((30, 30)).save(tmp_path / "a.hspy")
    hs.preferences.General.show_progressbar = True
    try:
        assert cli.main(["identify", str(tmp_path / "a.hspy")]) == 0
    finally:
        hs.preferences.General.show_progressbar = False
    output = capfd.readouterr()
    assert "%|" not in output.out + output.err and "Completed" not in output.out


def test_the_shell_completes(monkeypatch, capfd):
    pytest.importorskip("argcomplete", reason="needs the extra completion")
    line = "eelsid identify --micro"
    for name, value in {
        "_ARGCOMPLETE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE_STDOUT_FILENAME": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "_exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))
    with pytest.raises(SystemExit) as stopped:
        cli.main([])
    assert stopped.value.code == 0


def test_a_broken_file_does_not_stop_the_others(superlattice, tmp_path, capfd):
    superlattice.sum().save(tmp_path / "good.hspy")
    names = [str(tmp_path / name) for name in ("absent.dm4", "good.hspy")]
    assert cli.main(["identify", *names, "--json"]) == 1
    output = capfd.readouterr()
    assert [entry["name"] for entry in json.loads(output.out)] == ["good"]
    assert "no such file" in output.err


def test_results_of_the_same_name_and_low_losses(make_eels, tmp_path, capfd, step_networks):
    """Two files of one name, of which one holds a dual acquisition, whose low loss comes first."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        make_eels((4,)).save(tmp_path / folder / "scan.hspy")
    dual = [make_eels(energy=np.arange(-9.5, 60.0)), make_eels()]
    names = [str(tmp_path / folder / "scan.hspy") for folder in ("a", "b")]
    with pytest.MonkeyPatch.context() as patch:
        load = identify.load_eels
        patch.setattr(
            identify, "load_eels", lambda path: dual if path.parent.name == "b" else load(path)
        )
        patch.setattr(identify, "fit", lambda *_: (None, ""))
        assert cli.main(["identify", *names, "--out", str(tmp_path / "out")]) == 0
    output = capfd.readouterr()
    assert output.err.count("Core-loss edges are identified") == 1
    assert "Completed" not in output.out
    written = {str(p.relative_to(tmp_path / "out")) for p in tmp_path.glob("out/*/*")}
    assert written == {
        f"{name}/{file}"
        for name, files in {
            "scan": ("elements.csv", "elements.png", "maps.png", "method.json"),
            "scan_1": ("elements.csv", "elements.png", "method.json"),
        }.items()
        for file in files
    }
    assert not plt.get_fignums()


def test_an_interrupt_ends_the_command(make_eels, tmp_path, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(identify, "load_eels", interrupt)
    assert cli.main(["identify", str(tmp_path / "a.hspy")]) == 130


def test_unknown_element_is_told(superlattice, tmp_path, capfd):
    superlattice.sum().save(tmp_path / "good.hspy")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["identify", str(tmp_path / "good.hspy"), "--elements", "Ti", "Xx"])
    assert stopped.value.code == 2
    assert "Unknown element 'Xx'" in capfd.readouterr().err


def test_models_and_doctor(capfd):
    assert cli.main(["models"]) == 0
    assert "threshold" in capfd.readouterr().out
    assert cli.main(["doctor"]) == 0
    text = capfd.readouterr().out
    assert "self-test passed" in text and "ExecutionProvider" in text and version("exspy") in text


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["x.hspy", "--beam-energy", "-5"],
        ["x.hspy", "--beam-energy", "nan"],
        ["x.hspy", "--collection-angle", "inf"],
        ["x.hspy", "--convergence-angle", "0"],
        ["x.hspy", "--threshold", "2"],
        ["x.hspy", "--min-fraction", "nan"],
        ["x.hspy", "--exclude", "Xx"],
        ["x.hspy", "--networks", "none of these"],
        ["x.hspy", "--report", "."],
        ["x.hspy", "--report", __file__],
        ["x.hspy", "--out", __file__],
        ["x.hspy", "--nonsense"],
    ],
)
def test_commands_that_make_no_sense(arguments, capfd, step_networks):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["identify", *arguments])
    assert stopped.value.code == 2
    assert "Traceback" not in capfd.readouterr().err


NAMES = [
    "plain.hspy",
    b"not \xff utf8.hspy",
    "line\nbreak.hspy",
    "red \x1b[31m.hspy",
    "[1] *?.hspy",
    "<script>.hspy",
    "...hspy",
    "--out.hspy",
]


@pytest.fixture
def quick_outputs(monkeypatch, step_networks):
    """No fit, and a small picture in the place of the others."""
    monkeypatch.setattr(identify, "fit", lambda *_: (None, ""))
    for module in (folder_module, pictures):
        monkeypatch.setattr(module, "elements_figure", lambda found: Figure(figsize=(1, 1)))
        monkeypatch.setattr(module, "profiles_figure", lambda result: None)
        monkeypatch.setattr(module, "map_figures", lambda result, per_picture=1: iter(()))


def test_odd_names_of_files(make_eels, tmp_path, capfd, quick_outputs):
    """All of them in one run, with a report and a folder, and one of them broken."""
    make_eels((2,)).save(tmp_path / "first.hspy")
    paths = [tmp_path / os.fsdecode(name) for name in NAMES]
    for path in paths:
        shutil.copy(tmp_path / "first.hspy", path)
    paths[0].write_bytes(b"broken")
    page, out = tmp_path / "a.html", tmp_path / "out"
    names = [str(path) for path in paths]
    assert cli.main(["identify", *names, "--report", str(page), "--out", str(out)]) == 1
    output = capfd.readouterr()
    (unusable,) = output.err.splitlines()
    assert "plain.hspy: cannot be opened" in unusable
    assert output.out.count("Identification: ") == len(NAMES) - 1
    assert "\x1b" not in output.out + output.err and "not \\udcff utf8" in output.out
    assert len(list(out.iterdir())) == len(NAMES) - 1
    assert all(len(list(folder.iterdir())) == 3 for folder in out.iterdir())
    text = page.read_text(encoding="utf-8")
    assert text.count("<a href=") == len(NAMES) - 1 and "<script>" not in text
    pages = list((tmp_path / "a").iterdir())
    assert len(pages) == len(NAMES) - 1
    assert not any("<script>" in file.read_text(encoding="utf-8") for file in pages)


def test_outputs_are_not_overwritten(make_eels, tmp_path, capfd, quick_outputs):
    make_eels((2,)).save(tmp_path / "a.hspy")
    command = ["identify", str(tmp_path / "a.hspy"), "--out", str(tmp_path / "out")]
    assert cli.main(command) == 0
    table = tmp_path / "out" / "a" / "elements.csv"
    table.write_text("precious")
    assert cli.main(command) == 1
    output = capfd.readouterr()
    assert "--overwrite" in output.err and output.out.count("Identification") == 2
    assert table.read_text() == "precious"
    assert cli.main([*command, "--overwrite"]) == 0
    assert "precious" not in table.read_text()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_a_full_disk_leaves_the_old_page(make_eels, tmp_path, capfd, monkeypatch, quick_outputs):
    make_eels((2,)).save(tmp_path / "a.hspy")
    page = tmp_path / "page.html"
    page.write_text("old")
    write = Path.write_text

    def full(self, *args, **options):
        write(self, "half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    command = ["identify", str(tmp_path / "a.hspy"), "--report", str(page), "--overwrite", "--json"]
    assert cli.main(command) == 1
    output = capfd.readouterr()
    assert "page.html: was not written (No space left on device)" in output.err
    assert json.loads(output.out)[0]["name"] == "a"
    assert page.read_text() == "old" and len(list(tmp_path.iterdir())) == 2


def test_an_unexpected_error_does_not_end_the_run(make_eels, tmp_path, capfd, monkeypatch):
    from exspy.signals import EELSSpectrum

    for name in "ab":
        make_eels().save(tmp_path / f"{name}.hspy")

    def fail(self, **options):
        raise RuntimeError("nobody\nthought of it")

    monkeypatch.setattr(EELSSpectrum, "identify_elements", fail)
    assert cli.main(["identify", str(tmp_path / "a.hspy"), str(tmp_path / "b.hspy")]) == 1
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2 and all("nobody thought of it" in line for line in lines)


def test_folders_and_files_behind_elements(make_eels, tmp_path, capfd, step_networks):
    make_eels().save(tmp_path / "a.hspy")
    make_eels().save(tmp_path / "b.hspy")
    hs.signals.Signal2D(np.ones((4, 4))).save(tmp_path / "survey.hspy")
    (tmp_path / "notes.txt").write_text("no spectrum")
    assert cli.main(["identify", str(tmp_path), "--json"]) == 0
    output = capfd.readouterr()
    assert [entry["name"] for entry in json.loads(output.out)] == ["a", "b"]
    assert "survey.hspy: holds no EELS signal" in output.err and "notes" not in output.err
    assert cli.main(["identify", "--json", "--elements", "O,N", str(tmp_path / "a.hspy")]) == 0
    (entry,) = json.loads(capfd.readouterr().out)
    assert [row["element"] for row in entry["elements"]] == ["O"]
    (tmp_path / "empty").mkdir()
    assert cli.main(["identify", str(tmp_path / "empty")]) == 1
    assert "holds no file that HyperSpy reads" in capfd.readouterr().err


def test_channels_are_not_energies(tmp_path, capfd, step_networks):
    energy = np.arange(1000.0)
    counts = 1e5 / (energy + 100) + 100 * (energy > 532)
    signal = hs.signals.Signal1D(counts)
    signal.save(tmp_path / "bare.hspy")
    path = str(tmp_path / "bare.hspy")
    assert cli.main(["identify", path]) == 1
    assert cli.main(["identify", path, "--eels"]) == 1
    assert "--assume-eV" in capfd.readouterr().err
    assert cli.main(["identify", path, "--eels", "--assume-eV"]) == 0
    assert "O-K 532" in capfd.readouterr().out
