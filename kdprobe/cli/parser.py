"""The parser: one config for all commands, as file, as dotted options, or both."""

import warnings

from jsonargparse import ArgumentParser

import kdprobe
from kdprobe.cli.data_command import add_data_command
from kdprobe.cli.watch_command import add_watch_command
from kdprobe.experiment.config import ExperimentConfig


def make_parser() -> ArgumentParser:
    """The parser of ``kdprobe``."""
    parser = ArgumentParser(
        prog="kdprobe",
        description="See what distillation taught: visual concepts of teacher, student and baseline, epoch by epoch.",
        version=kdprobe.__version__,
    )
    commands = parser.add_subcommands(required=False, dest="command", metavar="COMMAND")

    run = _with_config(
        "Train teacher, baseline and students, measure, compare, report. Goes on where it was stopped."
    )
    run.add_argument("--out", default="run", metavar="DIR", help="folder of the experiment")
    commands.add_subcommand(
        "run", run, help="train, measure, compare and report (the embedded data by default)"
    )

    add_watch_command(commands)

    measure = _with_config("Measure the snapshots of an experiment, of one network, or of your own training.")
    measure.add_argument("run", metavar="RUN", help="folder of an experiment, of a network, or of snapshots")
    commands.add_subcommand("measure", measure, help="measure the snapshots of a run")

    compare = _with_config("Compare two measured networks over the same probe images.")
    compare.add_argument("student", metavar="STUDENT", help="folder of the student's network")
    compare.add_argument("baseline", metavar="BASELINE", help="folder of the baseline's network")
    compare.add_argument("--json", default=None, metavar="FILE", help="write the comparison there as well")
    commands.add_subcommand("compare", compare, help="compare a student with a baseline")

    sweep = ArgumentParser(
        description="Run experiments of one kind: seeds x networks x data sets x layers x methods, and pool them. "
        "Goes on where it was stopped; what is finished is never done again; what fails is named and costs the others "
        "nothing."
    )
    sweep.add_argument(
        "sweep", metavar="SWEEP.yaml", help="data, models, seeds, layers, students, base (see the README)"
    )
    sweep.add_argument("--out", default="sweep", metavar="DIR", help="folder of the sweep")
    sweep.add_argument(
        "--root",
        nargs="+",
        default=[],
        metavar="NAME=DIR",
        help="folders of the data sets, by their names in the sweep",
    )
    sweep.add_argument("--minutes", type=float, default=None, help="begin nothing new after so many minutes")
    sweep.add_argument(
        "--dry_run",
        "--dry-run",
        action="store_true",
        help="show the plan with its time and disk space, and stop",
    )
    commands.add_subcommand("sweep", sweep, help="run and pool many experiments of one kind")

    report = ArgumentParser(
        description="Write tables, figures and report of an experiment anew from what was measured."
    )
    report.add_argument("folder", metavar="DIR", help="folder of the experiment")
    report.add_argument(
        "--max_images",
        "--max-images",
        type=int,
        default=None,
        metavar="N",
        help="at most N images in the explorer of the report, which decide its size; 0: no explorer "
        "(default: report.max_images of the config)",
    )
    commands.add_subcommand("report", report, help="write the report anew")

    commands.add_subcommand(
        "presets",
        ArgumentParser(description="List both presets: the paper as printed, and the code released with it."),
        help="list what the presets paper and released fill in",
    )

    methods = ArgumentParser(
        description="List the distillation methods, or explain one: paper, formula, stages, cost, where its numbers "
        "come from, and what could not be checked."
    )
    methods.add_argument(
        "name", metavar="NAME", nargs="?", default=None, help="name of a method, or your own .yaml file"
    )
    commands.add_subcommand("methods", methods, help="list the distillation methods, or explain one")

    inspect = ArgumentParser(
        description="List the snapshots, connectors and entropy maps of a run, every byte verified. "
        "Exit code 1 if one is damaged."
    )
    inspect.add_argument(
        "run", metavar="RUN", help="folder of an experiment, a network or snapshots, or one file"
    )
    inspect.add_argument("--json", default=None, metavar="FILE", help="write the list there as well")
    commands.add_subcommand("inspect", inspect, help="list what is in a run, verified")

    pack = ArgumentParser(
        description="Put snapshots, connectors, entropy maps, settings and logs of a run into one HDF5 file "
        "that any tool reads."
    )
    pack.add_argument("run", metavar="RUN", help="folder of an experiment, of a network, or of snapshots")
    pack.add_argument("file", metavar="OUT.h5", help="the file to write")
    commands.add_subcommand("pack", pack, help="put a run into one HDF5 file")

    unpack = ArgumentParser(
        description="Make the run again from a file that kdprobe pack wrote, byte for byte."
    )
    unpack.add_argument("file", metavar="FILE.h5", help="the packed file")
    unpack.add_argument("run", metavar="RUN", help="the folder to make")
    commands.add_subcommand("unpack", unpack, help="make the run again from such a file")

    export = ArgumentParser(description="Write each snapshot of a run as a file that other tools read.")
    export.add_argument("run", metavar="RUN", help="folder of an experiment, of a network, or of snapshots")
    export.add_argument("--to", required=True, choices=["safetensors", "torch"], help="form of the files")
    export.add_argument(
        "--out", default=None, metavar="DIR", help="where to (default: RUN/safetensors, RUN/torch)"
    )
    commands.add_subcommand("export", export, help="write snapshots as .safetensors or .pt")

    imports = ArgumentParser(
        description="Make a folder of snapshots out of checkpoints (.pt, .pth, .ckpt, .safetensors): weights only, "
        "code in them is never run. The epoch is taken from the content, else from the name, as completed epochs: "
        "Lightning's epoch 3 is 4."
    )
    imports.add_argument("files", nargs="+", metavar="CHECKPOINT", help="the files, one for each epoch")
    imports.add_argument("run", metavar="RUN", help="the folder to make")
    imports.add_argument(
        "--epochs", nargs="+", type=int, default=None, metavar="N", help="completed epochs, one for each file"
    )
    imports.add_argument(
        "--key", default=None, help="which state dict of the file, or which module in it: student"
    )
    imports.add_argument(
        "--strip", default=None, metavar="PREFIX", help="take PREFIX off the tensor names: model."
    )
    commands.add_subcommand("import", imports, help="make snapshots of your own checkpoints")

    add_data_command(commands)
    return parser


def _with_config(description: str) -> ArgumentParser:
    parser = ArgumentParser(description=description, usage="%(prog)s [--config FILE] [--SETTING VALUE ...]")
    parser.add_argument("--config", action="config", metavar="FILE", help="a YAML file of the options below")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        parser.add_class_arguments(ExperimentConfig, as_group=False)
    return parser
