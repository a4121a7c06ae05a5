"""The recipes of synthetic spectra: the published one, and one closer to measured spectra.

Every distribution is uniform unless its name says otherwise. ``PUB`` is the recipe of A. Annys (master thesis,
University of Antwerp, 2023) and of Annys, Jannis and Verbeeck, Sci. Rep. 13, 13724 (2023). ``ROBUST`` widens it and
adds what measured spectra have and the published recipe leaves out; each addition is an *effect*, a small dataclass
with its ranges and its draw beside the physics that it belongs to. An effect that is None is off, so that its worth
can be measured.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from training.core_loss.labels import Visibility
from training.core_loss.mixtures import Mixtures
from training.core_loss.windows import CutWindows, Window
from training.physics.background import Backgrounds, PowerLaw
from training.physics.calibration import Calibration, Dispersion
from training.physics.computed_edges import ComputedEdges
from training.physics.detector import BrokenChannels, Denoising, Detector
from training.physics.draws import Range
from training.physics.exposure import Empty, Exposure, WideExposure
from training.physics.fine_structure import FineStructure, NearEdge
from training.physics.ionisation import EdgeRecipe
from training.physics.low_loss import LowLoss
from training.physics.other_signals import OtherSignals
from training.physics.unlabelled_edges import UnlabelledEdges
from training.physics.white_lines import WhiteLines


@dataclass(frozen=True)
class Recipe:
    """What is drawn for a spectrum.

    Attributes
    ----------
    name
        Of the recipe.
    convergence_angle, collection_angle
        Semi-angles [mrad].
    chemical_shift
        Largest shift of an edge by its compound [eV], a whole number.
    instrumental_shift
        Largest shift of the energy axis [eV], a whole number.
    window, low_loss, background, exposure, fine_structure
        What every spectrum has.
    mixtures
        Effect: two phases, minor amounts, films.
    cut_windows
        Effect: windows that cut edges off, often starting at the low-energy limit.
    empty
        Effect: spectra without any edge, half of them very noisy.
    wide_exposure
        Effect: from very noisy to summed, nearly noise-free; from weak edges to strong ones.
    backgrounds
        Effect: two power laws, flat and rising, undulating, subtracted, tails of edges below the window.
    calibration, dispersion
        Effects: errors of the energy axis; channels of 0.1 to 4 eV resampled to 1 eV.
    white_lines
        Effect: random L2,3 and M4,5 lines, N4,5 giant resonances, peaks of K edges.
    near_edge
        Effect: fine structure that dies out, slow onsets.
    computed_edges
        Effect: near edges from the library of computed ones.
    unlabelled_edges
        Effect: edges below 75 eV and of elements outside the 80.
    detector, denoising
        Effects: tails of the point spread function, gain and readout noise, fixed pattern, artefacts; correlated noise.
    broken_channels
        Effect: garbage, dead channels, seams, spikes, clipped tops.
    other_signals
        Effect: signals that are no core loss.
    visibility
        Effect: an edge below the noise is not labelled.
    """

    name: str
    convergence_angle: Range = (1, 20)
    collection_angle: Range = (1, 100)
    chemical_shift: int = 5
    instrumental_shift: int = 5
    window: Window = Window()
    low_loss: LowLoss = LowLoss()
    background: PowerLaw = PowerLaw()
    exposure: Exposure = Exposure()
    fine_structure: FineStructure = FineStructure()
    mixtures: Mixtures | None = None
    cut_windows: CutWindows | None = None
    empty: Empty | None = None
    wide_exposure: WideExposure | None = None
    backgrounds: Backgrounds | None = None
    calibration: Calibration | None = None
    dispersion: Dispersion | None = None
    white_lines: WhiteLines | None = None
    near_edge: NearEdge | None = None
    computed_edges: ComputedEdges | None = None
    unlabelled_edges: UnlabelledEdges | None = None
    detector: Detector | None = None
    denoising: Denoising | None = None
    broken_channels: BrokenChannels | None = None
    other_signals: OtherSignals | None = None
    visibility: Visibility | None = None

    @property
    def edges(self) -> EdgeRecipe:
        """What is drawn for the edges."""
        return EdgeRecipe(**{field.name: getattr(self, field.name) for field in fields(EdgeRecipe)})

    @property
    def effects(self) -> tuple[str, ...]:
        """Names of the effects that are on."""
        return tuple(name for name in EFFECTS if getattr(self, name) is not None)

    def without(self, *effects: str) -> Recipe:
        """The same recipe with some effects switched off.

        Raises
        ------
        ValueError
            If an effect is not one of those of the recipe.
        """
        if unknown := set(effects) - set(self.effects):
            raise ValueError(
                f"Unknown effects {sorted(unknown)}, options are {sorted(self.effects)}."
            )
        label = "".join(f"-{effect}" for effect in effects)
        return replace(self, name=self.name + label, **dict.fromkeys(effects))


EFFECTS = tuple(field.name for field in fields(Recipe) if field.default is None)

PUB = Recipe("pub")
# of the networks of the first release
ROBUST_4 = Recipe(
    "robust_4",
    low_loss=LowLoss(
        zero_loss_fwhm=(0.3, 3),
        plasmon_energy=(3, 28),
        plasmon_width=(3, 25),
        thickness=(0.05, 2),
        thickness_power=2.5,
    ),
    background=PowerLaw(exponent=(1.5, 5)),
    mixtures=Mixtures(),
    cut_windows=CutWindows(),
    empty=Empty(),
    wide_exposure=WideExposure(),
    backgrounds=Backgrounds(),
    calibration=Calibration(),
    dispersion=Dispersion(),
    white_lines=WhiteLines(),
    near_edge=NearEdge(),
    detector=Detector(),
    denoising=Denoising(),
    visibility=Visibility(),
)
ROBUST = replace(
    ROBUST_4,
    name="robust",
    computed_edges=ComputedEdges(),
    unlabelled_edges=UnlabelledEdges(),
    broken_channels=BrokenChannels(),
    other_signals=OtherSignals(),
)
# for training beside ROBUST, with labels of the same meaning and some spectra without any
VISIBLE_PUB = replace(PUB, name="visible_pub", visibility=Visibility(), empty=Empty())
RECIPES = {recipe.name: recipe for recipe in (PUB, ROBUST, ROBUST_4, VISIBLE_PUB)}
