"""``python -m kdprobe`` is ``kdprobe``."""

import sys

from kdprobe.cli import main

sys.exit(main())
