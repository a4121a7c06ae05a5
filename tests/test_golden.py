"""Results that must not change when the code is rearranged: ``golden.npz`` holds those of the first release.

Run as a script it writes the file anew, which only a change of networks, cross sections or physics justifies:
``python tests/test_golden.py``.
"""

from pathlib import Path

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_eelsid.data import superlattice, titanium_oxynitride

GOLDEN = Path(__file__).parent / "golden.npz"
LAYERS = ["O", "Ti", "Mn", "La", "Ba"]
# networks run in single precision, whose rounding depends on the processor; on one processor they agree to 1e-6
SAME_PROBABILITY = 1e-5
SAME_AMOUNT = 1e-6


def simulated(spectra):
    """A signal of spectra on the networks' axis of 0 to 3071 eV."""
    signal = hs.signals.Signal1D(spectra)
    signal.set_signal_type("EELS")
    signal.axes_manager[-1].units = "eV"
    return signal


def identified(signal):
    """Probabilities of the elements in every pixel."""
    return signal.identify_elements().probability.data


def fitted(signal, **settings):
    """Amounts, their errors, atomic fractions and significance of a model, an array each."""
    model = signal.auto_model(elements=LAYERS, **settings)
    maps = model.elemental_maps().values()
    sure = model.significance().values()
    return {
        "amounts": np.stack([amount.data for amount in maps]),
        "errors": np.sqrt(
            np.stack([m.metadata.Signal.Noise_properties.variance.data for m in maps])
        ),
        "fractions": np.stack([fraction.data for fraction in model.composition().values()]),
        "significance": np.array([(s.total, s.pixels) for s in sure]),
        "residual": model.residual().data.sum(axis=-1),
    }


def layers():
    return superlattice(shape=(4, 26), seed=3)


def low_loss():
    """Zero-loss peak and one plasmon of half its height."""
    energy = np.arange(-20.0, 120.0, 0.5)
    counts = 1e6 * np.exp(-(energy**2) / 2) + 5e5 / (1 + ((energy - 20) / 3) ** 2)
    axis = {"size": len(energy), "offset": energy[0], "scale": 0.5, "units": "eV"}
    signal = hs.signals.Signal1D(counts, axes=[axis])
    signal.set_signal_type("EELS")
    return signal


FITS = {
    "image": lambda: fitted(layers()),
    "pixel": lambda: fitted(layers(), onset_shift="pixel"),
    "low_loss": lambda: fitted(layers(), low_loss=low_loss()),
}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return dict(file)


def test_probabilities_of_the_superlattice(golden):
    np.testing.assert_allclose(
        identified(layers()), golden["superlattice"], rtol=0, atol=SAME_PROBABILITY
    )


def test_probabilities_at_a_dispersion_of_a_tenth_of_an_ev(golden):
    found = identified(titanium_oxynitride(shape=(2, 8), seed=3))
    np.testing.assert_allclose(found, golden["oxynitride"], rtol=0, atol=SAME_PROBABILITY)


def test_probabilities_of_simulated_spectra(golden):
    found = identified(simulated(golden["robust_spectra"]))
    np.testing.assert_allclose(found, golden["robust"], rtol=0, atol=SAME_PROBABILITY)


@pytest.mark.parametrize("name", FITS)
@pytest.mark.filterwarnings("ignore")
def test_fit(golden, name):
    for quantity, values in FITS[name]().items():
        expected = golden[f"{name}_{quantity}"]
        scale = np.nanmax(np.abs(expected))
        np.testing.assert_allclose(
            values, expected, rtol=SAME_AMOUNT, atol=SAME_AMOUNT * scale, err_msg=quantity
        )


def write(robust_spectra):
    """Write the file from the present code."""
    results = {
        "robust_spectra": robust_spectra,
        "robust": identified(simulated(robust_spectra)),
        "superlattice": identified(layers()),
        "oxynitride": identified(titanium_oxynitride(shape=(2, 8), seed=3)),
    }
    for name, fit in FITS.items():
        results |= {f"{name}_{quantity}": values for quantity, values in fit().items()}
    np.savez_compressed(GOLDEN, **results)


if __name__ == "__main__":
    with np.load(GOLDEN) as old:
        write(old["robust_spectra"])
