"""Every argument of every public function is given what it cannot be: an error of ours that names it.

What is public is asked of the package, so that a new function or argument without a row here fails.
"""

import importlib
import inspect
import pkgutil

import numpy as np
import pytest
from exspy.models import EELSModel
from exspy.signals import EELSSpectrum
from known_edges import as_eels, mixed
from step_ensemble import write_ensemble

import hyperspy_eelsid
from hyperspy_eelsid import data, oxidation, signals
from hyperspy_eelsid._attach import METHODS
from hyperspy_eelsid.exceptions import EelsidError
from hyperspy_eelsid.identification import ensemble
from hyperspy_eelsid.live import LiveIdentification

ENERGY = np.arange(400.0, 700.0)
TRIED = {
    "text": "x",
    "empty text": "",
    "bytes": b"x",
    "number": 5,
    "negative": -1,
    "zero": 0,
    "nan": float("nan"),
    "infinity": float("inf"),
    "complex": 1j,
    "true": True,
    "none": None,
    "empty list": [],
    "empty dict": {},
    "object": object(),
}

# What of this an argument can be, by the name of the function.
NONE, FLAG, FLAG_OR_NONE = "none", "true", "true, none"
PATH, PATH_OR_NONE = "text", "text, none"
NUMBER, POSITIVE, NOT_NEGATIVE = "number, negative, zero", "number", "number, zero"
SHARE, SHARE_OR_NONE = "zero", "zero, none"
NO_ELEMENTS = "none, empty list, empty dict"  # to be excluded
SEED = "number, zero"
IMAGE = {"shape": "", "seed": SEED, "show_progressbar": FLAG_OR_NONE}
WHITE_LINES = {"signal": "", "background": NONE, "energy_offset": NUMBER, "low_loss": NONE}
ZERO_LOSS = {
    "signal": "",
    "vacuum": NONE,
    "method": "",
    "zlp_range": NONE,
    "random_state": SEED,
    "show_progressbar": FLAG_OR_NONE,
}
SAMPLES = {"samples": POSITIVE, "show_progressbar": FLAG_OR_NONE}
ALLOWED = {
    "identify_elements": {
        "signal": "",
        "threshold": SHARE_OR_NONE,
        "min_fraction": SHARE,
        "elements": NONE,
        "exclude": NO_ELEMENTS,
        "networks": NONE,
        "device": "",
        "batch_size": "number, none",
        "navigation_mask": NONE,
        "add_elements": FLAG,
        "show_progressbar": FLAG_OR_NONE,
    },
    "identify_elements_gui": {"signal": "", "display": FLAG, "toolkit": NONE},
    "ElementIdentification.compute": {"show_progressbar": FLAG_OR_NONE},
    "ElementIdentification.__contains__": {"element": ""},
    "ElementIdentification.__getitem__": {"element": ""},
    "ElementIdentification.elements_at": {"pixel": "negative, zero"},
    "ElementIdentification.unusual_at": {"pixel": "negative, zero"},
    "ElementIdentification.oxidation": {"element": ""},
    "ElementIdentification.with_threshold": {"threshold": SHARE, "min_fraction": SHARE_OR_NONE},
    "ElementIdentification.with_candidates": {"elements": NONE, "exclude": NO_ELEMENTS},
    "ElementIdentification.explain": {"element": "", "networks": NONE},
    "ElementIdentification.to_dataframe": {"model": NONE},
    "ElementIdentification.save": {"filename": PATH},
    "ElementIdentification.load": {"filename": ""},
    "ElementIdentification.plot": {"fig": NONE},
    "ElementProbability.__getitem__": {"element": ""},
    "LiveIdentification": {
        "energy": "",
        "threshold": SHARE_OR_NONE,
        "elements": NONE,
        "exclude": NO_ELEMENTS,
        "networks": NONE,
        "device": "",
        "accumulate": FLAG,
    },
    "LiveIdentification.push": {"counts": ""},
    "auto_model": {
        "signal": "",
        "identification": NONE,
        "elements": NONE,
        "low_loss": NONE,
        "low_loss_exposure_ratio": "number, none",
        "GOS": "",
        "beam_energy": NONE,
        "convergence_angle": "number, zero, none",
        "collection_angle": "number, none",
        "background": "empty list, empty dict",
        "fine_structure": "number, none",
        "onset_shift": NONE,
        "fit": FLAG,
        "show_progressbar": FLAG_OR_NONE,
    },
    "fit_linear": {"model": "", "show_progressbar": FLAG_OR_NONE},
    "estimate_onset_shifts": {"model": "", "show_progressbar": FLAG_OR_NONE},
    "elemental_maps": {"model": "", "electrons": "number, none"},
    "composition": {"model": "", "weight": FLAG},
    "volume_densities": {"model": "", "thickness": POSITIVE, "electrons": "number, none"},
    "fine_structure": {"model": "", "edge": ""},
    "residual": {"model": ""},
    "total_composition": {"model": ""},
    "plot_maps": {"model": "", "quantity": "", "common_scale": FLAG, "fig": NONE},
    "plot_sum": {"model": "", "fig": NONE},
    "write_report": {"filename": PATH, "found": "", "model": NONE, "overwrite": FLAG},
    "Method.save": {"filename": PATH, "overwrite": FLAG},
    "Method.load": {"filename": ""},
    "Method.check_weights": {"files": "empty dict"},
    "significance": {"model": ""},
    "thickness": {
        "signal": "",
        "low_loss": NONE,
        "density": "number, none",
        "mean_free_path": "number, none",
    },
    "model_zero_loss_peak": ZERO_LOSS,
    "remove_zero_loss_peak": ZERO_LOSS,
    "NetworkMethod": {
        "replicas": POSITIVE,
        "clusters": POSITIVE,
        "axis": "",
        "pseudo_data": "number, none",
    },
    "ZeroLossPeak.band_gap": {
        "kind": "number, none",
        "energy_range": NONE,
        "show_progressbar": FLAG_OR_NONE,
    },
    "ZeroLossPeak.thickness": SAMPLES
    | {"density": "number, none", "mean_free_path": "number, none", "method": ""},
    "ZeroLossPeak.fourier_log_deconvolution": SAMPLES,
    "ZeroLossPeak.kramers_kronig_analysis": SAMPLES
    | {"n": "number", "t": "number", "iterations": POSITIVE, "delta": POSITIVE},
    "ZeroLossPeak.fit_loss_peak": {"energy_range": "", "show_progressbar": FLAG_OR_NONE},
    "ZeroLossPeak.plot": {"figure": NONE},
    "BandGap.__getitem__": {"kind": ""},
    "BandGap.plot": {"figure": NONE},
    "white_lines": WHITE_LINES | {"element": ""},
    "WhiteLines.oxidation_state": {"thickness": NOT_NEGATIVE},
    "oxidation_fractions": WHITE_LINES
    | {
        "references": "",
        "align": NONE,
        "broaden": FLAG,
        "normalise": FLAG_OR_NONE,
        "edge": NONE,
    },
    "OxidationFractions.__getitem__": {"label": ""},
    "oxidation_states": WHITE_LINES | {"classifier": ""},
    "OxidationStates.__getitem__": {"label": ""},
    "references": {
        "element": "",
        "dispersion": POSITIVE,
        "resolution": POSITIVE,
        "ten_dq": NONE,
        "thickness": NOT_NEGATIVE,
    },
    "OxidationStateClassifier": {"folder": ""},
    "OxidationStateClassifier.fit": {
        "signals": "",
        "labels": "",
        "edge": "",
        "groups": NONE,
        "kernel": "",
        "align": FLAG,
        "background": NONE,
        "seed": SEED,
    },
    "OxidationStateClassifier.save": {"folder": PATH, "overwrite": FLAG},
    "OxidationStateClassifier.load": {"folder": ""},
    "OxidationStateClassifier.predict": {"vectors": ""},
    "CoreLossEdge": {"element_subshell": ""},
    "FineStructure": {"element_subshell": "", "offsets": ""},
    "computed_near_edges": {"element": "", "edge": "text, empty text"},  # of which there are none
    "edge_groups": {"element": ""},
    "edges_in_window": {"element": "", "start": NUMBER, "end": NUMBER},
    "element_edges": {"element": ""},
    "element_index": {"element": ""},
    "symbols": {"elements": "empty list, empty dict", "name": ", ".join(TRIED)},  # for messages
    "visible_groups": {"element": "", "start": NUMBER, "end": NUMBER},
    "core_shell_particle": {"shape": "", "seed": SEED, "counts": POSITIVE, "resolution": POSITIVE},
    "nanostructure": {"shape": "", "seed": SEED, "electrons": POSITIVE, "exponent": POSITIVE},
    "superlattice": IMAGE,
    "titanium_oxynitride": IMAGE,
}
# What messages call an argument.
ALSO = {
    "networks": "ensemble",
    "counts": "frame",
    "filename": "file",
    "element": "edge",
    "edge": "element",
    "signal": "EELS",
    "low_loss": "EELS",
    "element_subshell": "subshell",
    "pixel": "indices",
    "kind": "onset",
    "folder": "card.json",
}
# Made by the package and not by its users, or called by HyperSpy.
RESULTS = {
    *("ElementIdentification", "BandGap", "Estimate", "KramersKronig", "LossPeak", "ZeroLossPeak"),
    *("OxidationFractions", "OxidationStates", "WhiteLines", "Significance", "Edge", "NearEdge"),
    *("AtomicFraction", "Method"),
}
OF_COMPONENTS = {"function", "function_nd", "shapes", "cross_section"}


def public():
    """Every public function, method and class that users call, by its name."""
    found = {}
    for module in pkgutil.iter_modules(hyperspy_eelsid.__path__, "hyperspy_eelsid."):
        face = importlib.import_module(module.name)
        for name in getattr(face, "__all__", ()):
            value = getattr(face, name)
            if not callable(value):
                continue
            if not inspect.isclass(value) or name not in RESULTS:
                found[name] = value
            if inspect.isclass(value):
                for method in vars(value):
                    visible = not method.startswith("_") or method in (
                        "__getitem__",
                        "__contains__",
                    )
                    if visible and method not in OF_COMPONENTS:
                        found[f"{name}.{method}"] = getattr(value, method)
    found["ElementProbability.__getitem__"] = signals.ElementProbability.__getitem__
    for owner, methods in (("EELSSpectrum", EELSSpectrum), ("EELSModel", EELSModel)):
        found |= {name: getattr(methods, name) for name in METHODS[owner]}
    return {name: function for name, function in found.items() if callable(function)}


def arguments_of(function):
    """Names of the arguments, but of those that are passed to other packages."""
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    return [name for name in names if name != "self"]


def test_every_argument_is_tried():
    expected = {name: sorted(arguments_of(f)) for name, f in public().items()}
    assert {name: sorted(tried) for name, tried in ALLOWED.items()} == {
        name: names for name, names in expected.items() if names
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """What functions are called with when nothing is wrong, by their names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ensemble, "WEIGHTS", write_ensemble(tmp_path_factory.mktemp("steps_of_module"))
        )
        steps = 1 + 0.4 * (ENERGY >= 532) + 0.4 * (ENERGY >= 456)
        signal = as_eels(1000 * np.tile(steps * (ENERGY / 400) ** -3, (2, 3, 1)), ENERGY)
        signal.set_microscope_parameters(beam_energy=200, convergence_angle=10, collection_angle=30)
        flake = data.nanostructure(shape=(3, 20), seed=1)
        ions = oxidation.references("Mn", 0.2, 0.8)
        yield {
            "signal": signal,
            "found": signal.identify_elements(),
            "model": signal.auto_model(elements=["O", "Ti"]),
            "flake": flake,
            "peak": flake.model_zero_loss_peak(vacuum="auto"),
            "white lines": mixed(np.eye(3)),
            "ions": ions,
            "folder": tmp_path_factory.mktemp("outputs"),
        }


@pytest.fixture(scope="module")
def classifier(small):
    pytest.importorskip("skl2onnx", reason="needs the extra oxidation")
    from hyperspy_eelsid.oxidation import learning

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "LEAST_VECTORS", 60)
        return oxidation.OxidationStateClassifier.fit(
            small["ions"], ["Mn2+", "Mn3+", "Mn4+"], "Mn_L3"
        )


@pytest.fixture
def call(request, small, tmp_path):
    """Call a function by its name, with right arguments but those that are given."""
    folder = str(tmp_path / "folder")

    def defaults(name):
        owner, _, method = name.partition(".")
        if name in METHODS["EELSModel"]:
            given = {
                "fine_structure": {"edge": "Ti_L"},
                "volume_densities": {"thickness": 20.0, "electrons": 1e8},
            }
            return getattr(EELSModel, name), {"model": small["model"]} | given.get(name, {})
        if name in ("model_zero_loss_peak", "remove_zero_loss_peak"):
            return getattr(EELSSpectrum, name), {"signal": small["flake"], "vacuum": "auto"}
        if name in ("white_lines", "oxidation_fractions", "oxidation_states"):
            given = {"signal": small["white lines"]}
            if name == "white_lines":
                given["element"] = "Mn"
            elif name == "oxidation_fractions":
                given["references"] = small["ions"]
            else:
                given["classifier"] = request.getfixturevalue("classifier")
            return getattr(EELSSpectrum, name), given
        if name in METHODS["EELSSpectrum"]:
            given = {"signal": small["signal"]}
            given |= {"elements": ["O"]} if name == "auto_model" else {}
            return getattr(EELSSpectrum, name), given
        if owner == "ElementIdentification":
            given = {"explain": {"element": "O"}, "with_threshold": {"threshold": 0.5}}
            return getattr(small["found"], method), given.get(method, {})
        if name == "write_report":
            return public()[name], {"filename": folder, "found": small["found"]}
        if owner == "Method":
            method_file = small["found"].to_method()
            given = {"filename": folder} if method == "save" else {}
            return getattr(method_file, method), given
        if owner == "ElementProbability":
            return getattr(small["found"].probability, method), {}
        if name == "LiveIdentification":
            return LiveIdentification, {"energy": ENERGY}
        if owner == "LiveIdentification":
            return LiveIdentification(ENERGY).push, {}
        if owner == "ZeroLossPeak":
            given = {
                "kramers_kronig_analysis": {"n": 1.5},
                "fit_loss_peak": {"energy_range": (2, 8)},
            }
            return getattr(small["peak"], method), given.get(method, {})
        if owner == "BandGap":
            return getattr(small["peak"].band_gap(kind="direct"), method), {}
        if owner == "WhiteLines":
            return small["white lines"].white_lines("Mn").oxidation_state, {}
        if owner == "OxidationFractions":
            return small["white lines"].oxidation_fractions(small["ions"]).__getitem__, {}
        if owner in ("OxidationStates", "OxidationStateClassifier"):
            classifier = request.getfixturevalue("classifier")
            if owner == "OxidationStates":
                return small["white lines"].oxidation_states(classifier).__getitem__, {}
            if method == "fit":
                given = {"signals": small["ions"], "labels": ["a", "b", "c"], "edge": "Mn_L3"}
                return classifier.fit, given
            given = {"folder": folder} if method == "save" else {}
            return (getattr(classifier, method) if method else type(classifier)), given
        given = {
            "references": {"element": "Mn", "dispersion": 0.2, "resolution": 0.8},
            "FineStructure": {"element_subshell": "Ti_L3", "offsets": (-4.0, 0.0, 4.0)},
            "computed_near_edges": {"element": "Ni", "edge": "L"},
            "edges_in_window": {"element": "O", "start": 400.0, "end": 600.0},
            "visible_groups": {"element": "O", "start": 400.0, "end": 600.0},
            "symbols": {"elements": "O"},
        }
        return public()[name], given.get(name, {})

    def call(name, wrong):
        function, given = defaults(name)
        if name.endswith("kramers_kronig_analysis") and "t" in wrong:
            given = {}
        if "pixel" in wrong:
            return function(wrong["pixel"], wrong["pixel"])
        if name.endswith(("__getitem__", "__contains__")):
            return function(*wrong.values())
        return function(**(given | wrong))

    return call


CASES = [(name, argument) for name, allowed in ALLOWED.items() for argument in allowed]


@pytest.mark.parametrize(("name", "argument"), CASES)
def test_wrong_arguments(call, name, argument):
    allowed = ALLOWED[name][argument].split(", ")
    problems = []
    for kind, value in TRIED.items():
        if kind in allowed:
            continue
        try:
            call(name, {argument: value})
        except EelsidError as error:
            text = str(error)
            words = (argument, ALSO.get(argument, argument), argument.rstrip("s"))
            if not any(word.lower() in text.lower() for word in words) or len(text) < 15:
                problems.append(f"{kind}: {text[:150]}")
        except Exception as error:  # which is what is looked for
            problems.append(f"{kind}: {type(error).__name__}: {error!s:.150}")
        else:
            problems.append(f"{kind}: accepted")
    assert not problems, "\n".join(problems)
