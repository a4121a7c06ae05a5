"""The two recipes of synthetic spectra: the published one, and one closer to measured spectra.

Every distribution is uniform unless its name says otherwise. ``PUB`` is the recipe of A. Annys (master thesis,
University of Antwerp, 2023) and of Annys, Jannis and Verbeeck, Sci. Rep. 13, 13724 (2023). ``ROBUST`` widens it and
adds what measured spectra have and the published recipe leaves out; each addition is an *effect* that can be
switched off, so that its worth can be measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from training.physics.computed_edges import ComputedEdges
from training.physics.detector import BrokenChannels
from training.physics.other_signals import OtherSignals
from training.physics.unlabelled_edges import UnlabelledEdges

EFFECTS = (
    "mixtures",  # two phases, minor amounts, carbon and silicon nitride films
    "windows",  # windows that cut edges off, often starting at the low-energy limit
    "empty",  # spectra without any edge, half of them very noisy
    "counts",  # from very noisy to summed, nearly noise-free
    "backgrounds",  # two power laws, offsets, flat and rising, undulating, subtracted, tails of edges below the window
    "calibration",  # offset and dispersion errors of the energy axis
    "dispersion",  # channels of 0.1 to 4 eV resampled to 1 eV
    "white lines",  # sharp L2,3 and M4,5 lines, N4,5 giant resonances
    "near edge",  # fine structure that dies out, slow onsets
    "detector",  # tails of the point spread function, gain and readout noise, fixed pattern, spikes, gain steps
    "denoised",  # noise correlated between neighbouring channels
    "visibility",  # an edge below the noise is not labelled
    "computed edges",  # near edges from the library, see ComputedEdges
    "unlabelled edges",  # below 75 eV and of elements outside the 80, see UnlabelledEdges
    "broken channels",  # see BrokenChannels
    "other signals",  # see OtherSignals
)

Range = tuple[float, float]


@dataclass(frozen=True)
class Recipe:
    """Ranges of the drawn parameters; energies in eV, angles in mrad.

    ``jump_ratio`` and ``counts`` are drawn log-uniformly where the recipe has the effect ``counts``;
    the published counts are drawn by decades.
    """

    name: str
    effects: frozenset[str] = frozenset()
    convergence_angle: Range = (1, 20)
    collection_angle: Range = (1, 100)
    zero_loss_fwhm: Range = (1, 3)
    plasmons: tuple[int, int] = (2, 5)
    plasmon_energy: Range = (3, 20)
    plasmon_width: Range = (3, 20)
    thickness: Range = (0.1, 1)  # t/lambda
    thickness_power: float = 1  # of the uniform number drawn for it; larger for more thin samples
    jump_ratio: Range = (0.2, 1.5)
    background_exponent: Range = (2, 4)
    counts_decades: tuple[int, int] = (3, 7)
    fine_structure_width: Range = (50, 100)
    fine_structure_peaks: tuple[int, int] = (10, 25)
    fine_structure_ratio: float = 10
    atomic_diameter: Range = (0.025, 0.25)  # nm
    chemical_shift: int = 5
    instrumental_shift: int = 5
    computed_edges: ComputedEdges = ComputedEdges()
    unlabelled_edges: UnlabelledEdges = UnlabelledEdges()
    broken_channels: BrokenChannels = BrokenChannels()
    other_signals: OtherSignals = OtherSignals()

    def without(self, *effects: str) -> Recipe:
        """The same recipe with some effects switched off.

        Raises
        ------
        ValueError
            If an effect is not one of those of the recipe.
        """
        unknown = set(effects) - self.effects
        if unknown:
            raise ValueError(
                f"Unknown effects {sorted(unknown)}, options are {sorted(self.effects)}."
            )
        label = "".join(f"-{effect.replace(' ', '_')}" for effect in effects)
        return replace(self, name=self.name + label, effects=self.effects - set(effects))


PUB = Recipe("pub")
ROBUST = Recipe(
    "robust",
    effects=frozenset(EFFECTS),
    zero_loss_fwhm=(0.3, 3),
    plasmon_energy=(3, 28),
    plasmon_width=(3, 25),
    thickness=(0.05, 2),
    thickness_power=2.5,
    jump_ratio=(0.04, 8),
    background_exponent=(1.5, 5),
    counts_decades=(1, 9),
)
# for training beside ROBUST, with labels of the same meaning and some spectra without any
VISIBLE_PUB = replace(PUB, name="visible_pub", effects=frozenset({"visibility", "empty"}))
# the one of the first release's networks
ROBUST_4 = replace(
    ROBUST.without("computed edges", "unlabelled edges", "broken channels", "other signals"),
    name="robust_4",
)
RECIPES = {recipe.name: recipe for recipe in (PUB, ROBUST, ROBUST_4, VISIBLE_PUB)}
