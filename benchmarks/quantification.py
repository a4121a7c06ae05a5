"""Known compositions: B/N of a measured spectrum, beside pyEELSMODEL, and our cross sections beside exspy's.

Run with ``python benchmarks/quantification.py BN.hspy --pyeelsmodel PYTHON``. The spectrum is region 1 of sample A3 of
the round robin in https://github.com/joverbee/eelsmodel (BN, 300 kV, 100 spectra of one spot; published
B/N 0.98 to 1.01); PYTHON is an interpreter whose environment has pyEELSMODEL. ``--compounds FOLDER`` fits measured
spectra of compounds. All are optional.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

# angles of region 3 of the same sample, the only ones that are noted there
PARAMETERS = {"beam_energy": 300.0, "convergence_angle": 0.2, "collection_angle": 4.12}
EDGES = ("B_K", "C_K", "N_K", "O_K", "Al_K", "Ti_L3", "Fe_L3", "Cu_L3")
# file, two elements, ratio of their numbers of atoms; where the metadata say nothing, the angles are guesses
COMPOUNDS = (
    ("atlas_ZrO2_0_0920eV", "O", "Zr", 2),
    ("atlas_Fe2O3_0_0930eV", "O", "Fe", 1.5),
    ("atlas_Fe2O3_0420_0920eV", "O", "Fe", 1.5),
    ("atlas_TiO2_0430_0630eV", "O", "Ti", 2),
    ("atlas_MoO3_0_0920eV", "O", "Mo", 3),
    ("atlas_CeO2_0350_1360eV", "O", "Ce", 2),
    ("atlas_CoO_0_0920eV", "O", "Co", 1),
    ("atlas_NiO_0_0960eV", "O", "Ni", 1),
    ("atlas_Y2O3_0_0950eV", "O", "Y", 1.5),
    ("atlas_Nb2O5_0_0920eV", "O", "Nb", 2.5),
    ("atlas_CaCO3_0_0920eV", "O", "Ca", 3),
    ("atlas_RbF_0500_2530eV", "F", "Rb", 1),
    ("atlas_BN_0_0910eV", "B", "N", 1),
    ("atlas_Rh2O3_0_0900eV", "O", "Rh", 1.5),
    ("atlas_BP_0_0450eV_with_GC", "B", "P", 1),
    ("eelsmodel_RR_A3_BN_r1", "B", "N", 1),
    ("eelsmodel_RR_B3_TiO2_100kV", "O", "Ti", 2),
    ("eelsmodel_SrTiO3_hl", "O", "Ti", 3),
    ("duscher_STO_2019", "O", "Ti", 3),
    ("scifi_SI_EELS", "O", "Ti", 3),
    ("exspy_MnO_coreloss", "O", "Mn", 1),
    ("exspy_LSMO_linescan", "O", "Mn", 3),
    ("nion_BN_thick", "B", "N", 1),
    ("dbarradas_SiO2", "O", "Si", 2),
    ("rsciio_EELS_SI", "O", "Si", 2),
)
GUESSES = {  # beam energy [keV], convergence and collection semi-angle [mrad]
    "atlas": (200.0, 1.0, 100.0),
    "eelsmodel_RR": (300.0, 1.0, 4.12),
    "": (100.0, 20.0, 20.0),
}


def cross_sections() -> None:
    """Print ratios of the cross sections of 100 eV at the onset, and of 100 eV that a fit uses."""
    from exspy.components import EELSCLEdge

    from hyperspy_eelsid.edges import element_edges
    from hyperspy_eelsid.edges.component import CoreLossEdge
    from hyperspy_eelsid.quantification.near_edge_structure import EXCLUDED_EV

    print("bundled / hydrogenic at 200 keV, parallel beam, collection angle 10 mrad (50 mrad)")
    print("edge   onset [eV]   0-100 eV      30-130 eV after the onset")
    for name in EDGES:
        element, subshell = name.split("_")
        shell = [e for e in element_edges(element) if e.subshell[0] == subshell[0]]
        onset = next(e.onset_energy for e in shell if e.subshell == subshell)
        ratios = []
        for first in (0.0, EXCLUDED_EV):
            energy = onset + first + np.arange(0.25, 100.0, 0.5)
            for angle in (10.0, 50.0):
                # exspy's hydrogenic L edge holds all L subshells
                bundled = [CoreLossEdge(e.name) for e in shell]
                total = []
                for components in (bundled, [EELSCLEdge(name, GOS="hydrogenic")]):
                    for component in components:
                        component.set_microscope_parameters(200.0, 0.0, angle, 0.5)
                    total.append(sum(component.function(energy).sum() for component in components))
                ratios.append(total[0] / total[1])
        print("{:6s} {:8g}     {:.2f} ({:.2f})   {:.2f} ({:.2f})".format(name, onset, *ratios))


def ours(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Print B/N of our fits; return energy axis, spectra and shifts of the onsets."""
    import hyperspy.api as hs

    signal = hs.load(path)
    signal.auto_model(elements=["B", "N"], fit=False, **PARAMETERS)  # warm up

    def ratio(label: str, **arguments: float | bool) -> dict[str, float]:
        start = time.perf_counter()
        model = signal.auto_model(elements=["B", "N"], fit=False, **{**PARAMETERS, **arguments})
        built = time.perf_counter() - start
        start = time.perf_counter()
        model.fit_linear(show_progressbar=False)
        maps = model.elemental_maps()
        seconds = time.perf_counter() - start
        value = maps["B"].data / maps["N"].data
        print(
            f"{label:45s} {value.mean():.3f} ± {value.std():.3f}  {seconds:5.2f} s  {built:5.2f} s"
        )
        edges = {edge.element: edge for edge in model if hasattr(edge, "GOS")}
        return {e: edge.onset_energy.value - edge.GOS.onset_energy for e, edge in edges.items()}

    print(
        f"\n{len(signal.data)} spectra: B/N, mean and scatter; time of the fit and of what precedes it"
    )
    shifts = ratio("auto_model")
    ratio("auto_model, onset_shift=None", onset_shift=None)
    for angle in (2.0, 8.0, 15.0):
        ratio(f"auto_model, collection angle {angle:g} mrad", collection_angle=angle)
    print("shifts [eV]:", shifts)
    return signal.axes_manager[-1].axis, np.asarray(signal.data, float), shifts


def theirs(path: Path) -> None:
    """Print B/N of pyEELSMODEL with its hydrogenic edges; runs in its own environment."""
    from pyEELSMODEL.api import (
        HydrogenicCoreLossEdge,
        LinearFitter,
        Model,
        MultiSpectrum,
        MultiSpectrumshape,
        Spectrumshape,
    )
    from pyEELSMODEL.components.linear_background import LinearBG

    stored = np.load(path)
    energy, data = stored["energy"], stored["data"]
    step = energy[1] - energy[0]
    shape = Spectrumshape(step, energy[0], len(energy))
    spectra = MultiSpectrum(MultiSpectrumshape(step, energy[0], len(energy), len(data), 1))
    spectra.multidata = data[:, None, :]
    angles = PARAMETERS["convergence_angle"] * 1e-3, PARAMETERS["collection_angle"] * 1e-3
    edges = []
    for element in ("B", "N"):
        shift = float(stored[element])
        edge = HydrogenicCoreLossEdge(
            shape, 1, PARAMETERS["beam_energy"] * 1e3, *angles, element, "K", eshift=shift
        )
        spectra.set_exclude_region_energy(
            edge.onset_energy - float(stored["before"]), edge.onset_energy + float(stored["after"])
        )
        edges.append(edge)
    model = Model(shape, [LinearBG(shape, rlist=[1, 2, 3, 4, 5]), *edges])
    start = time.perf_counter()
    for edge in edges:
        edge.calculate()
    built = time.perf_counter() - start
    fitter = LinearFitter(spectra, model, method="nnls", use_weights=True)
    start = time.perf_counter()
    fitter.multi_fit()
    boron, nitrogen = fitter.get_map_results(edges)[0]
    seconds = time.perf_counter() - start
    value = np.asarray(boron) / np.asarray(nitrogen)
    print(
        f"{'pyEELSMODEL':45s} {value.mean():.3f} ± {value.std():.3f}  {seconds:5.2f} s  {built:5.2f} s"
    )


def compounds(folder: Path) -> None:
    """Print the fitted ratio of two elements over that of the compound."""
    import hyperspy.api as hs

    print("\nfitted over true ratio")
    deviations: dict[str, list[float]] = {}
    for name, first, second, truth in COMPOUNDS:
        signal = hs.load(folder / f"{name}.hspy")
        signal.axes_manager[-1].units = "eV"
        if signal.axes_manager.navigation_dimension:
            signal = signal.sum(axis=signal.axes_manager.navigation_axes)
        guess = next(values for start, values in GUESSES.items() if name.startswith(start))
        known = (
            signal.metadata.get_item(f"Acquisition_instrument.TEM.{path}")
            for path in ("beam_energy", "convergence_angle", "Detector.EELS.collection_angle")
        )
        values = [float(k or g) for k, g in zip(known, guess, strict=True)]
        arguments = dict(zip(PARAMETERS, values, strict=True))
        model = signal.auto_model(elements=[first, second], **arguments)
        maps = model.elemental_maps()
        ratio = float(maps[first].data.sum() / maps[second].data.sum()) / truth
        shells = [
            next(c.subshell[0] for c in model if getattr(c, "element", "") == element)
            for element in (first, second)
        ]
        kind = "/".join(sorted(shells))
        deviations.setdefault(kind, []).append(abs(np.log(ratio)))
        print(f"{name:30s} {first + '/' + second:6s} {kind} {ratio:.2f}")
    deviations["all"] = [value for values in deviations.values() for value in values]
    for kind, values in deviations.items():
        median, largest = np.exp(np.median(values)), np.exp(max(values))
        print(
            f"{kind:5s} {len(values):2d} spectra, off by a factor of {median:.2f} in the median, {largest:.2f} at most"
        )


def main() -> None:
    """Print the table of cross sections, and B/N if there is a spectrum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spectrum", nargs="?", type=Path)
    parser.add_argument("--pyeelsmodel", metavar="PYTHON")
    parser.add_argument("--compounds", metavar="FOLDER", type=Path)
    parser.add_argument("--theirs", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.theirs:
        theirs(arguments.theirs)
        return
    cross_sections()
    if arguments.compounds:
        compounds(arguments.compounds)
    if arguments.spectrum:
        from hyperspy_eelsid.quantification.near_edge_structure import BEFORE_ONSET_EV, EXCLUDED_EV

        left_out = {"before": BEFORE_ONSET_EV, "after": EXCLUDED_EV}
        energy, data, shifts = ours(arguments.spectrum)
        if arguments.pyeelsmodel:
            with tempfile.TemporaryDirectory() as folder:
                stored = Path(folder) / "spectra.npz"
                np.savez(stored, energy=energy, data=data, **left_out, **shifts)
                command = [arguments.pyeelsmodel, __file__, "--theirs", str(stored)]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
