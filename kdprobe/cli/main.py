"""``kdprobe run | watch | measure | compare | sweep | report | presets | methods | data | inspect | pack | unpack |
export | import``.

Exit codes: 0; 1 if ``inspect`` or ``export`` found something damaged, or some of a ``sweep`` failed; 2 after one
sentence on what was wrong; 3 if ``run`` or ``sweep`` ended but could not write some snapshots; 130 after Ctrl-C.
Nothing heavy is imported before a command is known.
"""

import sys
from collections.abc import Sequence
from io import TextIOWrapper

from kdprobe.cli.parser import make_parser
from kdprobe.errors import KdprobeError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code (see above)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":  # names of files may be no text
            stream.reconfigure(errors="backslashreplace")
    parser = make_parser()
    try:
        options = parser.parse_args(arguments)
        if options.command is None:
            parser.print_help()
            return 0
        if options.command in ("inspect", "pack", "unpack", "export", "import"):
            from kdprobe.cli import files

            return files.COMMANDS[options.command](options[options.command])
        if options.command == "presets":
            from kdprobe.cli.preset import presets

            return presets(options.presets)
        if options.command == "methods":
            from kdprobe.cli.methods import methods

            return methods(options.methods)
        if options.command == "watch":
            from kdprobe.cli.watch_command import watch_command

            return watch_command(options.watch)
        if options.command == "data":
            from kdprobe.cli.data_command import data

            return data(options.data)
        from kdprobe.cli import commands

        return getattr(commands, options.command)(parser, arguments, options)
    except KdprobeError as error:
        print(f"kdprobe: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"kdprobe: {error.strerror or error}{where}; what is finished is kept.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        goes_on = arguments[:1] in (["run"], ["measure"], ["sweep"])
        hint = "the same command goes on where it stopped" if goes_on else "give the same command again"
        print(f"kdprobe: interrupted; {hint}.", file=sys.stderr)
        return 130
