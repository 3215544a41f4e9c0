"""Tensor names as the network itself knows them, without what wrappers put in front."""

from collections.abc import Iterable

_COMPILED = "_orig_mod."
_PARALLEL = "module."


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Name -> name without the prefixes of wrappers, in the given order.

    ``_orig_mod.`` (torch.compile) goes wherever it is a path component; ``module.`` (DataParallel,
    DistributedDataParallel) goes from the front if every name has it, and again as long as that holds.
    """
    plain = {name: _without_compiled(name) for name in names}
    while plain and all(name.startswith(_PARALLEL) for name in plain.values()):
        plain = {name: stripped.removeprefix(_PARALLEL) for name, stripped in plain.items()}
    return plain


def _without_compiled(name: str) -> str:
    name = "." + name
    while "." + _COMPILED in name:
        name = name.replace("." + _COMPILED, ".")
    return name[1:]
