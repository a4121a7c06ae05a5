"""``python -m training``: cross sections, data sets, training, evaluation and export."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import checksums
from training.core_loss.recipes import EFFECTS, RECIPES

if TYPE_CHECKING:
    from training.learning.run import Run

SET_NAMES = ("train", "validation", "test", "single-element", "empty")
RUN_ARGUMENTS = ("size", "recipe", "loss", "spectra", "batch_size", "seed", "formulas")
RUNS = Path(__file__).parent / "runs"
WEIGHTS = Path(__file__).parents[1] / "hyperspy_eelsid" / "identification" / "weights"


def _run(arguments: argparse.Namespace, *more: str, **entries: Any) -> Run:
    """The run that the command line and the options file ask for; the file takes precedence."""
    from training.learning.run import Run

    entries |= {name: getattr(arguments, name) for name in (*RUN_ARGUMENTS, *more)}
    if arguments.options:
        entries |= json.loads(arguments.options.read_text(encoding="utf-8"))
    entries["teachers"] = [RUNS / teacher for teacher in entries.get("teachers", ())]
    return Run.from_dict({"network": arguments.name} | entries)


def _add_network_arguments(command: argparse.ArgumentParser, spectra: int) -> None:
    command.add_argument("name", help="mlp, cnn, unet, resnet, vit or cct")
    command.add_argument("--size", default="compact", help="compact or published")
    command.add_argument("--recipe", choices=RECIPES, default="robust")
    command.add_argument("--spectra", type=int, default=spectra)
    command.add_argument("--batch-size", type=int, default=64)
    command.add_argument("--loss", default="crossentropy", help="or crossentropy+f1, as published")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--workers", type=int, default=1, help="processes that make spectra")
    command.add_argument("--formulas", type=Path, help="text file of formulas to draw from")
    command.add_argument(
        "--options",
        type=Path,
        help="JSON file of more entries of a run, such as views, changes, reduction, published_share, "
        "teachers and precision",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser(
        "cross-sections", help="compute the generalised oscillator strengths"
    )
    default = WEIGHTS.parents[1] / "edges" / "dhfs.gosh"
    command.add_argument("--out", type=Path, default=default, help="file to write (%(default)s)")
    command.add_argument("--processes", type=int, default=None)

    command = commands.add_parser(
        "near-edges", help="compute the library of near edges; a stopped run goes on"
    )
    default = WEIGHTS.parents[1] / "edges" / "near_edges.h5"
    command.add_argument("--out", type=Path, default=default, help="file to write (%(default)s)")

    command = commands.add_parser("simulate", help="write a data set of synthetic spectra")
    command.add_argument("--recipe", choices=RECIPES, default="pub")
    command.add_argument("--without", nargs="*", choices=EFFECTS, default=())
    command.add_argument("--set", dest="set_name", choices=SET_NAMES, default="test")
    command.add_argument("--spectra", type=int, help="number; by default that of the published set")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--formulas", type=Path, help="text file of formulas to draw from")
    command.add_argument("--processes", type=int, default=1)
    command.add_argument("--out", type=Path, required=True, help="HDF5 file; goes on if unfinished")

    command = commands.add_parser("abundances", help="how often each element occurs in a data set")
    command.add_argument("file", type=Path, help="HDF5 file written by simulate")

    command = commands.add_parser("check", help="read a whole data set and tell what is damaged")
    command.add_argument("file", type=Path, help="HDF5 file written by simulate")

    command = commands.add_parser("train", help="train a network; a stopped run goes on")
    _add_network_arguments(command, spectra=1_000_000)
    command.add_argument("--without", nargs="*", choices=EFFECTS, default=())
    command.add_argument("--learning-rate", type=float, default=1e-3)
    command.add_argument(
        "--schedule", default="cosine", help="cosine, or plateau: halved when F1 does not rise"
    )
    command.add_argument("--validate-every", type=int, default=4, help="epochs of 16,384 spectra")
    command.add_argument("--data", type=Path, help="HDF5 file to take instead of fresh spectra")
    command.add_argument("--run", help="name of the run's folder in training/runs")
    command.add_argument("--start", help="run whose weights this one begins with")

    command = commands.add_parser(
        "restore", help="make finished runs of the shipped networks, to train them further"
    )
    command.add_argument(
        "--networks", type=Path, default=WEIGHTS, help="folder of other networks (%(default)s)"
    )

    command = commands.add_parser(
        "learning-rate", help="loss after short trainings with learning rates of 1e-2 to 1e-5"
    )
    _add_network_arguments(command, spectra=16_384)

    command = commands.add_parser("export", help="write ONNX files and card.json of trained runs")
    command.add_argument("runs", nargs="+", help="names of run folders")
    command.add_argument("--out", type=Path, default=WEIGHTS)
    command.add_argument("--name", default="compact")
    command.add_argument("--weights", nargs="+", type=float, help="of the runs in the mean")
    command.add_argument("--seed", type=int, default=1, help="seed of the sets that are scored")
    command.add_argument(
        "--spectra", type=int, default=16000, help="size of the simulated test sets"
    )

    command = commands.add_parser(
        "white-lines",
        help="the published study of oxidation states on simulated spectra, in Markdown",
    )
    command.add_argument("--out", type=Path, required=True, help="file to write")
    command.add_argument("--share", type=float, default=1.0, help="of the published size")
    command.add_argument("--epochs", type=int, default=300, help="of the networks (%(default)s)")
    command.add_argument("--seed", type=int, default=0)

    command = commands.add_parser(
        "tune", help="tune networks to measured spectra of your own; a stopped command goes on"
    )
    command.add_argument("catalog", type=Path, help="JSON catalog of labelled spectra")
    command.add_argument("--out", type=Path, required=True, help="folder to write")
    command.add_argument(
        "--networks", type=Path, default=WEIGHTS, help="folder of other networks (%(default)s)"
    )
    command.add_argument("--spectra", type=int, default=16_384, help="that each network sees")
    command.add_argument(
        "--measured-share", type=float, default=0.25, help="of them that is measured (%(default)s)"
    )
    command.add_argument("--learning-rate", type=float, default=1e-4)
    command.add_argument(
        "--kept-share", type=float, default=0.25, help="of the measured, to judge by (%(default)s)"
    )
    command.add_argument("--seed", type=int, default=0, help="of the division and the spectra")
    command.add_argument("--workers", type=int, default=1, help="processes that read")

    command = commands.add_parser("score", help="score the shipped ensemble on measured spectra")
    command.add_argument("catalog", type=Path, help="JSON catalog of labelled spectra")
    command.add_argument("--record", action="store_true", help="write the scores into the card")

    command = commands.add_parser(
        "evaluate", help="compare trained networks, in Markdown and figures"
    )
    command.add_argument("runs", nargs="+", help="names of finished runs")
    command.add_argument("--out", type=Path, required=True, help="folder to write")
    command.add_argument("--spectra", type=int, default=6000, help="size of the simulated sets")
    command.add_argument("--seed", type=int, default=1, help="seed of the sets")
    command.add_argument("--catalog", type=Path, help="JSON catalog of labelled measured spectra")
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Run one command."""
    # read when TensorFlow is imported: the faster kernels, which it leaves off on some processors
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    logging.basicConfig(format="%(message)s")
    logging.getLogger("training").setLevel(logging.INFO)
    options = _parser().parse_args(arguments)
    if options.command == "cross-sections":
        from training.physics.gos import build

        build(options.out, processes=options.processes)
        checksums.write()
    elif options.command == "near-edges":
        from training.physics.near_edge_library import build

        build(options.out, RUNS / "near_edges")
        checksums.write()
    elif options.command == "simulate":
        from training.core_loss.dataset import DataSetError, write

        try:
            write(
                options.out,
                recipe=options.recipe,
                set_name=options.set_name,
                seed=options.seed,
                spectra=options.spectra,
                without=tuple(options.without),
                formulas=options.formulas,
                processes=options.processes,
            )
        except DataSetError as error:
            sys.exit(f"simulate: {error}")
    elif options.command in ("abundances", "check"):
        from training.core_loss.dataset import DataSetError, abundances, damaged, opened

        try:
            if bad := damaged(options.file):
                sys.exit(f"{options.file} is damaged: {'; '.join(bad)}")
            if options.command == "abundances":
                print("element  contained  visible")
                with opened(options.file) as file:
                    for element, (contained, visible) in abundances(file).items():
                        print(f"{element:7}  {contained:9}  {visible:7}")
        except DataSetError as error:
            sys.exit(f"{options.command}: {error}")
    elif options.command == "train":
        from training.learning.train import train

        start = RUNS / options.start if options.start else None
        names = ("without", "learning_rate", "schedule", "validate_every", "data")
        run = _run(options, *names, start=start)
        name = options.run or f"{run.network}.{run.size}.{run.recipe}.{run.seed}"
        train(run, RUNS / name, options.workers)
    elif options.command == "restore":
        from training.core_loss.release import restore

        restore(options.networks, RUNS)
    elif options.command == "learning-rate":
        from training.learning.train import search_learning_rate

        results = search_learning_rate(_run(options), workers=options.workers)
        print(f"lowest loss with {min(results, key=results.get):.0e}")
    elif options.command == "export":
        from training.core_loss.release import release

        release(
            [RUNS / run for run in options.runs],
            options.out,
            options.name,
            options.spectra,
            options.seed,
            options.weights,
        )
        checksums.write()
    elif options.command == "tune":
        from training.core_loss.tune import TooFewError, tune

        names = ("spectra", "measured_share", "learning_rate", "kept_share", "seed", "workers")
        try:
            tune(
                options.catalog,
                options.out,
                options.networks,
                **{name: getattr(options, name) for name in names},
            )
        except TooFewError as error:
            sys.exit(f"tune: {error}")
    elif options.command == "score":
        from training.core_loss.release import score_measured

        score_measured(options.catalog, options.record)
        checksums.write()
    elif options.command == "white-lines":
        from training.white_lines.study import write

        write(options.out, options.share, options.epochs, options.seed)
    elif options.command == "evaluate":
        from training.core_loss.report import report

        runs = [RUNS / run for run in options.runs]
        report(runs, options.out, options.spectra, options.seed, options.catalog)


if __name__ == "__main__":
    main()
