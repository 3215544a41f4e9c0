"""``kdprobe data check``: look at a data set before anything is trained on it."""

import warnings
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from kdprobe.errors import ConfigError
from kdprobe.experiment.config import DataConfig, MeasureConfig


def add_data_command(commands: Any) -> None:
    """Adds ``data check`` to the subcommands of ``kdprobe``."""
    parser = ArgumentParser(description="Look at data sets.")
    commands.add_subcommand("data", parser, help="look at a data set before anything is trained on it")
    check = ArgumentParser(
        description="Say what a data set holds and what is missing. Exit code 1 if a split cannot be used."
    )
    check.add_argument("name", metavar="NAME", help="as data.name in `kdprobe run --help`")
    check.add_argument("root", metavar="ROOT", nargs="?", default=None, help="folder of the data")
    check.add_argument("--seed", type=int, default=0, help="of what is drawn")
    check.add_argument(
        "--sheet", default=None, metavar="FILE.png", help="write a contact sheet with the masks drawn in"
    )
    check.add_argument("--sheet_images", type=int, default=24, metavar="N", help="images on the sheet")
    check.add_argument("--sheet_split", default="train", choices=("train", "test"), help="split on the sheet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        check.add_class_arguments(DataConfig, as_group=False, skip={"name", "root"})
    parser.add_subcommands(required=True, dest="action", metavar="ACTION").add_subcommand(
        "check", check, help="what is in a data set, what is missing, what can be used"
    )


def data(options: Namespace) -> int:
    """Runs ``kdprobe data``; 0, or 1 if a split cannot be used."""
    # here, since the parser above must load nothing heavy
    from kdprobe.data.check import check_data
    from kdprobe.report.data_check import data_check_text
    from kdprobe.report.data_sheet import write_sheet

    asked = options.check
    if asked.sheet is not None and Path(asked.sheet).suffix.lower() != ".png":
        raise ConfigError(f"The contact sheet is a PNG: name it FILE.png, got {asked.sheet!r}.")
    measure = MeasureConfig()
    keywords = {
        name: asked[name]
        for name in DataConfig.__dataclass_fields__
        if name not in ("name", "root", "options")
    }
    check = check_data(
        asked.name,
        asked.root,
        foreground_share=measure.foreground_share,
        grid=measure.grid,
        rule=measure.cell_rule,
        seed=asked.seed,
        **keywords,
        **asked.options,
    )
    print(data_check_text(check), end="")
    if asked.sheet is not None:
        print(f"\n{'sheet':<14}{write_sheet(check, asked.sheet_split, asked.sheet_images, asked.sheet)}")
    return 0 if check.usable else 1
