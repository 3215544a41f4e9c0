"""``kdprobe watch``: the curves of a running experiment in the terminal."""

from typing import Any

from jsonargparse import ArgumentParser, Namespace


def add_watch_command(commands: Any) -> None:
    """Adds ``watch`` to the subcommands of ``kdprobe``."""
    parser = ArgumentParser(
        description="Show what the live probe sees of the networks of an experiment while they are trained: numbers "
        "with 95 % intervals, and curves over the epochs. Waits if nothing is there yet; ends when all is measured and "
        "compared. Ctrl-C leaves."
    )
    parser.add_argument("folder", metavar="DIR", help="folder of the experiment (--out of kdprobe run)")
    parser.add_argument(
        "--every", type=float, default=2.0, metavar="SECONDS", help="look again after so long"
    )
    parser.add_argument("--once", action="store_true", help="show what is there now, and stop")
    commands.add_subcommand("watch", parser, help="watch the networks of a running experiment learn")


def watch_command(options: Namespace) -> int:
    """Runs ``kdprobe watch``; 0."""
    from kdprobe.live.watch import watch

    watch(options.folder, every=options.every, once=options.once)
    return 0
