"""The parser: one config for all commands, as file, as dotted options, or both."""

import warnings

from jsonargparse import ArgumentParser

import kdprobe
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

    measure = _with_config("Measure the snapshots of an experiment, of one network, or of your own training.")
    measure.add_argument("run", metavar="RUN", help="folder of an experiment, of a network, or of snapshots")
    commands.add_subcommand("measure", measure, help="measure the snapshots of a run")

    compare = _with_config("Compare two measured networks over the same probe images.")
    compare.add_argument("student", metavar="STUDENT", help="folder of the student's network")
    compare.add_argument("baseline", metavar="BASELINE", help="folder of the baseline's network")
    compare.add_argument("--json", default=None, metavar="FILE", help="write the comparison there as well")
    commands.add_subcommand("compare", compare, help="compare a student with a baseline")

    report = ArgumentParser(
        description="Write tables, figures and report of an experiment anew from what was measured."
    )
    report.add_argument("folder", metavar="DIR", help="folder of the experiment")
    commands.add_subcommand("report", report, help="write the report anew")
    return parser


def _with_config(description: str) -> ArgumentParser:
    parser = ArgumentParser(description=description, usage="%(prog)s [--config FILE] [--SETTING VALUE ...]")
    parser.add_argument("--config", action="config", metavar="FILE", help="a YAML file of the options below")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        parser.add_class_arguments(ExperimentConfig, as_group=False)
    return parser
