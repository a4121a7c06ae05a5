"""
Retraining a tiny network
=========================

The steps from simulated spectra to a network that identifies elements.
"""

# %%
# The shipped networks know any instrument and 80 elements, and two cores needed a night for them. This one is for one
# microscope and a few oxides, and learns within seconds. It needs a clone of the repository and
# ``pip install -e ".[training]"``. :doc:`/retraining` has the commands for real networks.

import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_eelsid.data import superlattice
from hyperspy_eelsid.edges import ELEMENT_INDEX
from training.core_loss.compositions import Compositions
from training.core_loss.recipes import PUB
from training.core_loss.simulation import Simulator
from training.learning.export import export_member, write_card
from training.learning.metrics import balanced_threshold, scores
from training.networks.cnn import cnn
from training.networks.features import VIEWS
from training.physics.cross_section_table import load

# %%
# A recipe says from which ranges the spectra are drawn: angles of this microscope, thin specimens, any window.

recipe = replace(
    PUB,
    name="ours",
    convergence_angle=(15, 25),  # mrad
    collection_angle=(30, 60),
    low_loss=replace(PUB.low_loss, thickness=(0.1, 0.6)),  # in mean free paths
)
compounds = Compositions(["SrTiO3", "BaTiO3", "LaMnO3", "TiO2", "MnO", "Fe2O3"])
simulator = Simulator(recipe, compounds, load())
elements = [ELEMENT_INDEX[symbol] for symbol in ("O", "Ti", "Mn", "Fe", "Ba", "La")]


def simulate(number, seed):
    """Spectra whose windows hold an edge of one of the elements."""
    rng = np.random.default_rng(seed)
    query = rng.choice(elements, number)
    return simulator.simulate(rng, query, compounds.draw(rng, query))


train, test = simulate(2000, seed=0), simulate(300, seed=1)
figure, axes = plt.subplots(layout="constrained")
for number in range(4):
    axes.plot(train.spectra[number] + 1.1 * number, lw=0.7)
axes.set(xlabel="Energy loss (eV)", ylabel="Network input", yticks=[])

# %%
# A small convolutional network. Any Keras model will do that takes 3072 channels and returns 80 probabilities.

keras.utils.set_random_seed(0)
network = cnn(
    views=VIEWS,
    stride=4,
    stages=((16,), (32,), (48,), (64,)),
    kernel=8,
    batch_norm=True,
    activation="silu",
    reduction="flatten",
    reduced=8,
    head=(64,),
    dropout=(0, 0),
)
network.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
history = network.fit(train.spectra, train.labels, batch_size=32, epochs=2, verbose=0)

# %%
# Scores on spectra that it has not seen, at the threshold where precision and recall are equal.

probability = network.predict(test.spectra, verbose=0)
threshold = balanced_threshold(test.labels, probability)
{name: round(value, 2) for name, value in scores(test.labels, probability, threshold).items()}

# %%
# An ONNX file with its card is all that :meth:`identify_elements` needs; the folder can be given to others.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "ours.onnx"
member = export_member(network, path, test.spectra[:16])
write_card(path.parent, "ours", [member], threshold, training={}, scores={})

s = superlattice(shape=(12, 52))
found = s.identify_elements(networks=path.parent)
found.to_dataframe()

# %%

map_axes = found.plot_maps()
folder.cleanup()
