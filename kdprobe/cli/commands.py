"""One function for each command: from options to a call, from a record to print."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from kdprobe.cli.preset import with_preset
from kdprobe.errors import ConfigError
from kdprobe.experiment import (
    compare_networks,
    failed_writes,
    measure_networks,
    report_again,
    run_experiment,
)
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.folders import experiment_folder
from kdprobe.records import ExperimentSummary
from kdprobe.report import comparison_json, console_table
from kdprobe.storage import write_json


def run(parser: ArgumentParser, arguments: list[str], options: Namespace) -> int:
    out, config = options.run.out, _config(parser, with_preset(parser, arguments, options))
    _print(run_experiment(config, out))
    _print_places(Path(out))
    return _told(failed_writes(config, out), "the notes of the report")


def measure(parser: ArgumentParser, arguments: list[str], options: Namespace) -> int:
    path = options.measure.run
    _print(measure_networks(path, _config_at(parser, arguments, options, path)))
    return 0


def compare(parser: ArgumentParser, arguments: list[str], options: Namespace) -> int:
    asked = options.compare
    config = _config_at(parser, arguments, options, asked.student)
    summary = compare_networks(asked.student, asked.baseline, config)
    _print(summary)
    if asked.json is not None:
        write_json(asked.json, comparison_json(summary))
        print(f"comparison  {asked.json}")
    return 0


def sweep(_parser: ArgumentParser, _arguments: list[str], options: Namespace) -> int:
    from kdprobe.experiment.sweep import (
        plan_sweep,
        plan_table,
        publish_sweep,
        read_sweep,
        run_sweep,
        sweep_ahead,
        with_roots,
    )

    asked, folder = options.sweep, Path(options.sweep.out)
    config = with_roots(read_sweep(asked.sweep), dict(_root(text) for text in asked.root))
    if asked.dry_run:
        print(plan_table(list(sweep_ahead(config, folder)), folder))
        return 0
    failed = run_sweep(config, folder, minutes=asked.minutes)
    counted = [planned for planned in plan_sweep(config, folder) if any(map(planned.counted, planned.layers))]
    if counted:
        publish_sweep(folder, folder / "tables")
        print(f"tables      {folder / 'tables'}")
        print(f"report      {folder / 'tables' / 'index.html'}")
    unwritten = sum(failed_writes(planned.config, planned.folder) for planned in counted)
    code = _told(unwritten, "notes.csv of the tables")
    return 1 if failed else code


def _told(unwritten: int, where: str) -> int:
    """Says how much could not be written; the exit code."""
    if not unwritten:
        return 0
    what = "snapshots, resume points or log lines"
    print(f"{unwritten} {what} could not be written (disk full?): see {where}.")
    return 3


def _root(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not equals:
        raise ConfigError(
            f"Expected --root as NAME=DIR, got {text!r}; NAME is a data set's name in the sweep."
        )
    return name, path


def report(_parser: ArgumentParser, _arguments: list[str], options: Namespace) -> int:
    folder = options.report.folder
    _print(report_again(folder, max_images=options.report.max_images))
    _print_places(Path(folder))
    return 0


def _config(parser: ArgumentParser, options: Namespace) -> ExperimentConfig:
    """The options as the frozen config record."""
    made = parser.instantiate(options)[options.command]
    return ExperimentConfig(**{name: made[name] for name in ExperimentConfig.__dataclass_fields__})


def _config_at(
    parser: ArgumentParser, arguments: list[str], options: Namespace, path: str
) -> ExperimentConfig:
    """The config of the experiment that `path` belongs to, changed by the options given."""
    home = experiment_folder(path)
    own = home is not None and options[options.command].config is None
    config = str(home / "config.yaml") if own else None
    return _config(parser, with_preset(parser, arguments, options, home=config))


def _print(summary: ExperimentSummary) -> None:
    print()
    print(console_table(summary))
    print()


def _print_places(folder: Path) -> None:
    for what, where in (
        ("report", "report/index.html"),
        ("comparison", "comparison.json"),
        ("tables", "tables"),
        ("figures", "figures"),
        ("networks", "networks"),
    ):
        print(f"{what:<11} {folder / where}")
