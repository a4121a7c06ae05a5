"""The command ``eelsid demo``."""

from __future__ import annotations

import argparse
from functools import partial

from hyperspy_eelsid.cli.fit import fit
from hyperspy_eelsid.cli.say import DONE, SOME_UNUSABLE, printable
from hyperspy_eelsid.cli.write import written


def demo(arguments: argparse.Namespace) -> int:
    """Simulate a spectrum image, identify, fit, and write what was found beside the truth."""
    import numpy as np

    from hyperspy_eelsid.data import superlattice
    from hyperspy_eelsid.report.folder import write_folder
    from hyperspy_eelsid.report.result import Result

    signal = superlattice(tuple(arguments.shape), arguments.seed)
    found = signal.identify_elements()
    print(found)
    model, reason = fit("demo", signal, found)
    truth = {e: density.data for e, density in signal.metadata.Simulation.areal_density}
    result = Result("demo", found, model, truth, reason)
    print("\ncorrelation of the fitted and the true maps over the pixels:")
    for element, amount in result.fitted.items():
        if element in truth:
            print(f"{element:>4} {np.corrcoef(amount.ravel(), truth[element].ravel())[0, 1]:.3f}")
    if not written(
        partial(write_folder, arguments.out, result, arguments.overwrite), arguments.out
    ):
        return SOME_UNUSABLE
    print(printable(f"\nPictures and table are in {arguments.out}"))
    return DONE
