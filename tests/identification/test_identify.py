import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_eelsid.edges import ELEMENT_INDEX
from hyperspy_eelsid.exceptions import (
    EnergyAxisError,
    InvalidSpectraError,
    SignalTypeError,
    UnknownElementError,
)
from hyperspy_eelsid.identification import ElementIdentification, identify_elements

SHAPES = [(), (6,), (4, 6), (2, 3, 6)]

pytestmark = pytest.mark.usefixtures("step_networks")


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_elements_fractions_and_shapes(make_eels, shape, lazy):
    found = make_eels(shape, lazy=lazy).identify_elements()
    assert found.probability._lazy == lazy
    assert found.elements == ["O", "Ti"]
    assert not found.probability._lazy
    assert found.probability.data.shape == (*shape, 80)
    assert found.fraction["O"] == 1
    assert found.fraction["Ti"] == (0.5 if shape else 1)
    assert found.pixels["Ti"] == found.fraction["Ti"] * np.prod(shape, dtype=int)
    assert found.fraction["Fe"] == 0
    assert found.edges["O"] == {"K": 532}


@pytest.mark.parametrize("shape", [*SHAPES[1:], (12, 15)])  # the last is more than a block
def test_lazy_and_eager_agree_and_pixels_are_independent(make_eels, shape):
    signal = make_eels(shape)
    signal.data += np.random.default_rng(0).normal(0, 20, signal.data.shape)
    eager = signal.identify_elements().probability.data
    chunked = signal.as_lazy()
    chunked.data = chunked.data.rechunk((2,) * len(shape) + (100,))
    lazy = chunked.identify_elements()
    np.testing.assert_allclose(lazy.probability.data, eager, atol=1e-6)
    index = (1,) * len(shape)
    alone = signal.inav[index[::-1]].identify_elements().probability.data
    np.testing.assert_allclose(alone, eager[index], atol=1e-6)


def test_signal_is_not_changed(make_eels):
    signal = make_eels((3, 4))
    data, metadata = signal.data.copy(), signal.metadata.as_dictionary()
    signal.identify_elements()
    np.testing.assert_array_equal(signal.data, data)
    assert signal.metadata.as_dictionary() == metadata


def test_an_element_must_be_in_one_per_cent_of_the_pixels(make_eels):
    signal = make_eels((20, 10))
    plain = signal.inav[-1, 0].data
    signal.data[:] = plain
    ti = make_eels().data
    signal.data[0, 0] = ti
    found = signal.identify_elements()
    assert found.fraction["Ti"] == 1 / 200
    assert found.elements == ["O"]
    signal.data[0, 1] = ti
    assert signal.identify_elements().elements == ["O", "Ti"]
    assert signal.identify_elements(min_fraction=0.02).elements == ["O"]


def test_another_threshold_needs_no_networks(make_eels):
    found = make_eels((4, 6)).identify_elements(threshold=0.5)
    assert found.threshold == 0.5
    assert found.with_threshold(1.0).elements == []
    assert found.with_threshold(0.5, min_fraction=0.8).elements == ["O"]
    again = make_eels((4, 6)).identify_elements(threshold=0.9)
    assert found.with_threshold(0.9).fraction == again.fraction


def test_elements_without_an_edge_in_the_window_are_impossible(make_eels):
    found = make_eels(energy=np.arange(400.0, 500.0)).identify_elements()
    assert found.probability.data[ELEMENT_INDEX["O"]] == 0
    assert found.elements == ["Ti"]


def test_invalid_pixels_are_left_out_and_told(make_eels, caplog):
    signal = make_eels((4, 6))
    signal.data[0, 0] = np.nan
    signal.data[1, 1] = 0
    for variant in (signal, signal.as_lazy()):
        caplog.clear()
        found = variant.identify_elements()
        found.compute()
        assert np.isnan(found.probability.data[[0, 1], [0, 1]]).all()
        assert found.fraction["O"] == 1
        assert found.fraction["Ti"] == 10 / 22
        assert np.isfinite(found.spectrum.data).all()
        assert "2 of 24 spectra" in caplog.text
        assert "22 pixels" in repr(found)


@pytest.mark.parametrize("value", [np.nan, 0, -3])
def test_no_valid_spectrum(make_eels, value):
    signal = make_eels((2, 2))
    signal.data[:] = value
    with pytest.raises(InvalidSpectraError, match="None of the 4 spectra"):
        signal.identify_elements()


def test_masked_pixels_are_left_out(make_eels, caplog):
    """Masks are given as everywhere in HyperSpy: arrays in navigation order, signals like their data."""
    signal = make_eels((4, 6))
    left = np.zeros((4, 6), bool)
    left[:, :3] = True
    for mask in (left.T, hs.signals.BaseSignal(left).T):
        found = signal.identify_elements(navigation_mask=mask)
        assert found.elements == ["O"] and found.masked == 12 and not caplog.text
        assert np.isnan(found.probability.data[left]).all()
        assert np.isfinite(found.probability.data[~left]).all()
    for wrong in (left, left.T.astype(float)):
        with pytest.raises(ValueError, match=r"boolean and have the navigation shape \(6, 4\)"):
            signal.identify_elements(navigation_mask=wrong)
    with pytest.raises(InvalidSpectraError, match="masked"):
        signal.identify_elements(navigation_mask=np.ones((6, 4), bool))


def test_prior_knowledge(make_eels):
    signal = make_eels((4, 6))
    assert signal.identify_elements(elements=["Ti", "Fe"]).elements == ["Ti"]
    found = signal.identify_elements(exclude="O")
    assert found.elements == ["Ti"]
    assert "among 79 elements" in repr(found)
    assert found.with_candidates().elements == ["O", "Ti"]
    assert found.with_candidates(elements=["O"]).elements == ["O"]
    with pytest.raises(UnknownElementError, match="Unknown element 'Uu'"):
        signal.identify_elements(elements=["Ti", "Uu"])
    with pytest.raises(UnknownElementError, match="nothing is left"):
        signal.identify_elements(elements=["Ti"], exclude=["Ti"])


def test_an_identification_is_a_collection_of_elements(make_eels):
    found = make_eels((4, 6)).identify_elements()
    assert list(found) == ["O", "Ti"] and len(found) == 2
    assert "Ti" in found and "Fe" not in found
    np.testing.assert_array_equal(found["Ti"].data, found.probability["Ti"].data)
    assert not found.with_threshold(1.0)
    for ask in (found.__getitem__, found.__contains__):
        with pytest.raises(UnknownElementError, match="Unknown element 'Uu'"):
            ask("Uu")


@pytest.mark.parametrize("lazy", [False, True])
def test_elements_of_a_pixel(make_eels, lazy):
    """Ti is in the left half of the pixels; indices are in the order of ``inav``."""
    signal = make_eels((4, 6))
    signal.data[3, 5] = np.nan
    found = (signal.as_lazy() if lazy else signal).identify_elements()
    assert set(found.elements_at(0, 3)) == {"O", "Ti"}
    assert set(found.elements_at(5, 0)) == set(found.elements_at(-2, -1)) == {"O"}
    assert found.elements_at(0, 0)["Ti"] == pytest.approx(found["Ti"].data[0, 0])
    assert set(found.with_candidates(exclude="O").elements_at(0, 0)) == {"Ti"}
    with pytest.raises(InvalidSpectraError, match=r"\(5, 3\) is masked"):
        found.elements_at(5, 3)
    for wrong in ((0,), (6, 0)):
        with pytest.raises(IndexError):
            found.elements_at(*wrong)
    assert set(make_eels().identify_elements().elements_at()) == {"O", "Ti"}


def test_symbols_in_any_case(make_eels):
    found = make_eels((4, 6)).identify_elements(elements=["ti", "O "], exclude="o")
    assert found.elements == ["Ti"] and "ti" in found
    titanium = found["TI"]
    assert titanium.metadata.General.title == "Ti"
    assert found.with_candidates(elements="o").elements == ["O"]


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
def test_a_round_region_is_nan_outside(make_eels, caplog, lazy, dtype):
    signal = make_eels((12, 12))
    signal.change_dtype(dtype)
    signal = signal.as_lazy() if lazy else signal
    region = hs.roi.CircleROI(cx=6, cy=6, r=2)(signal)
    found = region.identify_elements()
    found.compute()
    inside = ~np.isnan(found.probability.data[..., 0])
    assert 0 < inside.sum() < inside.size
    assert np.isfinite(np.asarray(region.data)[inside]).all()
    assert np.isnan(np.asarray(region.data)[~inside]).all()
    assert "around a region of interest" in caplog.text
    assert found.fraction["O"] == 1
    with pytest.raises(InvalidSpectraError, match="nansum"):
        found = region.sum().identify_elements()
        found.compute()
    assert region.nansum().identify_elements().elements == ["O", "Ti"]


def test_elements_are_declared_when_asked(make_eels):
    signal = make_eels((2, 4))
    signal.identify_elements()
    assert "Sample" not in signal.metadata
    signal.identify_elements(add_elements=True)
    assert set(signal.metadata.Sample.elements) == {"O", "Ti"}


def test_dataframe(make_eels):
    found = make_eels((4, 6)).identify_elements()
    frame = found.to_dataframe()
    assert frame.index.tolist() == ["O", "Ti"]
    assert frame.loc["Ti", "pixels"] == 12 and frame.loc["Ti", "edges"] == {"L": 456}
    assert found.with_threshold(1).to_dataframe().empty
    assert "Ti-L 456" in repr(found)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lazy", [False, True])
def test_saved_and_loaded(make_eels, tmp_path, shape, lazy):
    found = make_eels(shape, lazy=lazy).identify_elements(exclude=["Fe"], min_fraction=0.05)
    found.save(tmp_path / "found.hspy")
    loaded = ElementIdentification.load(tmp_path / "found.hspy")
    assert repr(loaded) == repr(found)
    np.testing.assert_array_equal(loaded.probability.data, found.probability.data)
    assert loaded.probability.metadata.as_dictionary().keys() == (
        found.probability.metadata.as_dictionary().keys()
    )
    assert loaded.intensity.axes_manager.shape == found.intensity.axes_manager.shape
    assert loaded.plot()
    found.spectrum.save(tmp_path / "spectrum.hspy")
    with pytest.raises(ValueError, match="does not hold an identification"):
        ElementIdentification.load(tmp_path / "spectrum.hspy")


def test_own_networks(make_eels, steps_folder):
    for networks in (steps_folder, str(steps_folder)):
        found = make_eels().identify_elements(networks=networks, device="cpu", batch_size=1)
        assert found.networks == str(networks)
        assert found.elements == ["O", "Ti"]
    for options in ({"device": "abacus"}, {"batch_size": 0}, {"batch_size": 2.5}):
        with pytest.raises(ValueError, match=next(iter(options))):
            make_eels().identify_elements(**options)


def test_kev_axis(make_eels):
    signal = make_eels()
    signal.axes_manager[-1].units = "keV"
    signal.axes_manager[-1].scale = 1e-3
    signal.axes_manager[-1].offset = 0.4
    assert signal.identify_elements().elements == ["O", "Ti"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_data_types(make_eels, dtype):
    signal = make_eels((2, 2))
    signal.data = (signal.data / 10).astype(dtype)
    assert set(signal.identify_elements().elements) == {"Ti", "O"}


def test_bad_arguments(make_eels):
    for options in (
        {"threshold": 1.5},
        {"threshold": "0.5"},
        {"threshold": np.nan},
        {"min_fraction": -0.1},
    ):
        with pytest.raises(ValueError, match="must be between 0 and 1"):
            make_eels().identify_elements(**options)
    with pytest.raises(EnergyAxisError):
        make_eels(energy=np.arange(10.0, 60.0)).identify_elements()


def test_tables(make_eels):
    found = make_eels((4, 6)).identify_elements()
    text = repr(found)
    assert text.startswith("ElementIdentification: O, Ti\n")
    assert "O-K 532" in text and "50.0%" in text and "threshold 0.5" in text
    page = found._repr_html_()
    assert page.count("<tr>") == 3 and "<td>Ti-L 456</td>" in page
    assert "no element found" in repr(found.with_threshold(1.0))


def test_maps_have_the_axes_of_the_image(make_eels, tmp_path):
    probability = make_eels((4, 6)).identify_elements().probability
    titanium = probability["Ti"]
    assert titanium.axes_manager.signal_shape == (6, 4)
    assert [axis.name for axis in titanium.axes_manager.signal_axes] == ["x", "y"]
    assert titanium.axes_manager["x"].scale == 0.5 and titanium.axes_manager["x"].units == "nm"
    assert (titanium.data[:, :3] > 0.5).all() and (titanium.data[:, 3:] < 0.5).all()
    with pytest.raises(UnknownElementError, match="Unknown element 'Uu'"):
        probability["Uu"]
    probability.save(tmp_path / "probability.hspy")
    loaded = hs.load(tmp_path / "probability.hspy")
    assert type(loaded) is type(probability)
    np.testing.assert_array_equal(loaded["Ti"].data, titanium.data)


def test_progress_bar(make_eels, capsys):
    make_eels((30, 30)).identify_elements(show_progressbar=True)
    assert "100%" in capsys.readouterr().out
    make_eels((30, 30)).identify_elements()
    assert not capsys.readouterr().out


def test_lone_pixels_with_weak_evidence_do_not_count(make_eels):
    """Noise lifts some pixels over the threshold at the Fe edge, here and there."""
    signal = make_eels((30, 30), energy=np.arange(400.0, 800.0))
    signal.data += np.random.default_rng(0).normal(0, 145, signal.data.shape)
    noisy = signal.identify_elements()
    assert 0.01 < noisy.fraction["Fe"] < 0.2
    assert noisy.elements == ["O", "Ti"]


def test_lazy_data_are_read_once(make_eels):
    eager = make_eels((6, 6))
    reads = []

    def read(block):
        reads.append(block.shape)
        return block

    signal = eager.as_lazy()
    data = signal.data.rechunk((3, 3, -1))
    signal.data = data.map_blocks(read, dtype=data.dtype, meta=data._meta)
    found = signal.identify_elements()
    assert reads == []
    assert found.with_threshold(0.4).elements == found.elements == ["O", "Ti"]
    assert reads == [(3, 3, 300)] * 4
    expected = eager.identify_elements()
    np.testing.assert_allclose(found.spectrum.data, expected.spectrum.data)
    np.testing.assert_allclose(found.intensity.data, eager.data.sum(axis=-1))
    for signal in (found.probability, found.spectrum, found.intensity):
        assert not signal._lazy


def test_missing_units_are_told_once(make_eels, caplog):
    signal = make_eels((2, 2))
    signal.axes_manager[-1].units = ""
    found = signal.identify_elements()
    assert "O" in repr(found) and found.plot()
    assert caplog.text.count("no units") == 1


@pytest.mark.parametrize("signal_type", ["", "EDS_TEM"])
def test_other_signals_are_refused(make_eels, signal_type):
    signal = make_eels((2, 2))
    signal.set_signal_type(signal_type)
    with pytest.raises(SignalTypeError, match=r"set_signal_type\('EELS'\)"):
        identify_elements(signal)
    image = make_eels((2, 2)).as_signal2D((0, 1))
    image.metadata.Signal.signal_type = "EELS"
    with pytest.raises(SignalTypeError):
        identify_elements(image)


@pytest.mark.parametrize("lazy", [False, True])
def test_energies_need_not_be_along_the_last_axis_of_the_data(make_eels, lazy):
    expected = make_eels((4, 6))
    axes = [axis.get_axis_dictionary() for axis in expected.axes_manager._axes]
    data = np.moveaxis(expected.data, -1, 0)
    signal = hs.signals.Signal1D(data, axes=[axes[2], axes[0], axes[1]])
    signal.set_signal_type("EELS")
    assert signal.data.shape == (300, 4, 6)
    signal = signal.as_lazy() if lazy else signal
    found = signal.identify_elements(add_elements=True)
    np.testing.assert_array_equal(
        found.probability["Ti"].data, expected.identify_elements().probability["Ti"].data
    )
    assert set(signal.metadata.Sample.elements) == {"O", "Ti"} and signal.data.shape == (300, 4, 6)


def test_the_summed_spectrum_keeps_axis_sample_and_microscope(make_eels):
    signal = make_eels((4, 6))
    signal.metadata.General.title = "Scan"
    signal.set_microscope_parameters(200.0, 10.0, 30.0)
    signal.add_elements(["C"])
    signal.metadata.set_item("Maps.thickness", signal.sum(-1).T)
    signal.axes_manager[-1].convert_to_non_uniform_axis()
    for variant in (signal, signal.as_lazy()):
        found = variant.identify_elements()
        spectrum = found.spectrum
        found.compute()
        assert type(spectrum) is type(signal)
        assert spectrum.metadata.General.title == "Scan"
        assert spectrum.metadata.Sample.elements == ["C"]
        assert spectrum.metadata.Acquisition_instrument.TEM.beam_energy == 200
        assert "Maps" not in spectrum.metadata
        np.testing.assert_array_equal(spectrum.axes_manager[-1].axis, found.energy)
        np.testing.assert_allclose(spectrum.data, signal.data.sum(axis=(0, 1)))


def test_group_averages_without_counts_are_no_spectra(make_eels):
    """A single positive channel among negative ones leaves nothing to normalise by."""
    signal = make_eels((2,), energy=np.arange(400.0, 700.0, 0.1))
    signal.data[0] = -100
    signal.data[0, 1000] = 1
    found = signal.identify_elements()
    assert np.isnan(found.probability.data[0]).all()
    assert np.isfinite(found.probability.data[1]).all()


def test_files_with_the_old_name_of_the_networks(make_eels, steps_folder, tmp_path):
    found = make_eels().identify_elements(networks=steps_folder)
    found.save(tmp_path / "new.hspy")
    old = hs.load(tmp_path / "new.hspy")
    node = old.metadata.EELSID.identification
    node.model = node.networks
    del node.networks
    old.save(tmp_path / "old.hspy")
    assert ElementIdentification.load(tmp_path / "old.hspy").networks == str(steps_folder)
