"""How a run tells what it does: a function that takes one sentence, `print` for one."""

from collections.abc import Callable

Say = Callable[[str], None]
