"""The command line: parses, calls, prints."""

from kdprobe.cli.main import main

__all__ = ["main"]
