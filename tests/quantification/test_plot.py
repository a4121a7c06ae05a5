import matplotlib.pyplot as plt
import numpy as np
import pytest
from known_images import AMOUNTS, make_image, with_parameters

from hyperspy_eelsid.exceptions import ArgumentError


@pytest.fixture(scope="module")
def model():
    signal, _ = make_image(AMOUNTS, (4, 5), counts=1e4)
    return with_parameters(signal).auto_model(elements=list(AMOUNTS))


def lines(axes):
    return {line.get_label(): line.get_ydata() for line in axes.lines}


def test_the_fit_over_the_mean_spectrum(model, tmp_path):
    whole, without = model.plot_sum()
    mean = model.signal.data.mean(axis=(0, 1))
    drawn = lines(whole)
    np.testing.assert_allclose(drawn["mean of the spectra"], mean)
    np.testing.assert_allclose(drawn["background + edges"], mean, rtol=0.02)
    assert (drawn["background"] <= 1.01 * drawn["background + edges"]).all()
    names = {text.get_text() for text in without.get_legend().get_texts()}
    assert names == {
        "mean of the spectra",
        "edges of atoms",
        "edges with fine structure",
        *AMOUNTS,
    }
    # the sum stands for what the model says pixel by pixel
    rest = model.residual().data.mean(axis=(0, 1))
    np.testing.assert_allclose(mean - drawn["background + edges"], rest, atol=1e-6 * mean.max())
    plt.savefig(tmp_path / "fit.png")
    assert plt.imread(tmp_path / "fit.png")[..., :3].std() > 0.05


def test_channels_that_are_not_fitted_are_shaded():
    signal, _ = make_image(AMOUNTS, (2, 2), counts=1e4)
    model = with_parameters(signal).auto_model(elements=list(AMOUNTS), fine_structure="excluded")
    whole, without = model.plot_sum()
    assert "not fitted" in {text.get_text() for text in whole.get_legend().get_texts()}
    assert "edges" in lines(without)


@pytest.mark.parametrize("quantity", ["amount", "fraction"])
def test_maps_of_the_fit(model, quantity):
    maps = model.elemental_maps() if quantity == "amount" else model.composition()
    drawn = model.plot_maps(quantity)
    assert [axes.get_title() for axes in drawn] == list(maps)
    for axes, values in zip(drawn, maps.values(), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), values.data)
    assert drawn[0].artists[0].txt_label.get_text() == "0.2 nm"
    assert drawn[0].figure is plt.gcf()
    common = {axes.images[0].get_clim() for axes in model.plot_maps(quantity, common_scale=True)}
    assert common == {(0, max(values.data.max() for values in maps.values()))}


def test_maps_that_cannot_be_drawn(model):
    with pytest.raises(ArgumentError, match="quantity is one of"):
        model.plot_maps("error")
    signal, _ = make_image(AMOUNTS, (3,), counts=1e4)
    with pytest.raises(ArgumentError, match="line scan"):
        with_parameters(signal).auto_model(elements=["O"]).plot_maps()
