"""One seed, many independent streams of random numbers."""

import hashlib
import json

from kdprobe.errors import InputError


def derive_seed(*parts: int | str) -> int:
    """A seed in 0 ... 2^63 - 1 that depends on all `parts`, their order and their kind, and on nothing else.

    ``derive_seed(seed, "order", epoch)`` is the same on every machine and unrelated to
    ``derive_seed(seed, "flips", epoch)``. Raises InputError if a part is neither an integer nor a string.
    """
    for part in parts:
        if not isinstance(part, int | str):
            raise InputError(f"Seeds are derived from integers and strings, got {part!r}.")
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
