import numpy as np
import pytest

from hyperspy_eelsid.exceptions import UnknownElementError
from hyperspy_eelsid.oxidation import references


def test_computed_ions_are_marked_and_of_unit_area():
    ions = references("Mn", dispersion=0.1, resolution=0.8)
    assert [ion.metadata.Signal.reference.charge for ion in ions] == [2, 3, 4]
    for ion in ions:
        assert ion.metadata.Signal.reference.computed is True
        assert "computed" in ion.metadata.General.title
        assert ion.data.sum() * 0.1 == pytest.approx(1)
        assert ion.metadata.Signal.signal_type == "EELS"


def test_higher_charges_lie_higher():
    places = [ion.white_lines("Mn").position.data[0] for ion in references("Mn", 0.1, 0.8)]
    assert np.diff(places) == pytest.approx(1.5, abs=0.2)


def test_resolution_broadens():
    sharp, blurred = (references("Mn", 0.1, width)[0].data for width in (0.5, 1.5))
    assert sharp.max() > 1.5 * blurred.max()


def test_plural_scattering_raises_the_ratio():
    thin, thick = (
        references("Mn", 0.1, 0.8, thickness=t)[0].white_lines("Mn").ratio.data for t in (0, 0.5)
    )
    assert thick > thin


def test_crystal_fields():
    weak, strong = (references("Ti", 0.1, 0.4, ten_dq=t)[1].data for t in (1.0, 2.2))
    assert not np.allclose(weak, strong, rtol=0.1)
    with pytest.raises(UnknownElementError, match="options are -0.6, 0.5"):
        references("Ti", 0.1, 0.4, ten_dq=3.0)


def test_what_is_not_in_the_library():
    with pytest.raises(UnknownElementError, match="M4 of La to Yb"):
        references("Zr", 0.1, 0.8)
    with pytest.raises(ValueError, match="above zero"):
        references("Mn", 0.0, 0.8)
