"""The tables of a sweep in the forms in which texts need them: python analyses/sweep_tables.py RES [--out FOLDER].

RES holds comparisons.csv and networks.csv. Written are table.{tex,csv,md,html}, student against baseline in six
metrics; comparisons.{tex,md,html}, every comparison with its tests; networks.{tex,md,html}, teacher, students and
baseline.
"""

import argparse
import sys
from pathlib import Path

from kdprobe.errors import KdprobeError
from kdprobe.report import read_comparisons, read_networks, write_sweep_tables


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder of a sweep's tables")
    parser.add_argument("--out", type=Path, help="where to (default: RES)")
    options = parser.parse_args(arguments)
    try:
        comparisons = read_comparisons(options.results / "comparisons.csv")
        networks = read_networks(options.results / "networks.csv")
        written = write_sweep_tables(comparisons, networks, options.out or options.results)
    except KdprobeError as error:
        print(error, file=sys.stderr)
        return 2
    print(*written, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
