"""Tensor names as the network itself knows them, without what wrappers put in front, and which of them to keep."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from kdprobe.errors import InputError, SnapshotError

_COMPILED = "_orig_mod."
_PARALLEL = "module."


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Name -> name without the prefixes of wrappers, in the given order.

    ``_orig_mod.`` (torch.compile) goes wherever it is a path component; ``module.`` (DataParallel,
    DistributedDataParallel) goes from the front if every name has it, and again as long as that holds.

    Raises SnapshotError at a name that is no text.
    """
    names = list(names)
    for name in names:
        if not isinstance(name, str):
            raise SnapshotError(f"Expected tensor names as text, got {name!r}; pass a state dict.")
    plain = {name: _without_compiled(name) for name in names}
    while plain and all(name.startswith(_PARALLEL) for name in plain.values()):
        plain = {name: stripped.removeprefix(_PARALLEL) for name, stripped in plain.items()}
    return plain


def _without_compiled(name: str) -> str:
    name = "." + name
    while "." + _COMPILED in name:
        name = name.replace("." + _COMPILED, ".")
    return name[1:]


def patterns(name: str, value: str | Iterable[str] | None) -> tuple[str, ...]:
    """The patterns in `value`, one text or several; () for None. Raises InputError naming the setting."""
    value = () if value is None else value
    several = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    if not all(isinstance(pattern, str) and pattern for pattern in several):
        raise InputError(f"Expected {name} as patterns of tensor names such as 'features.*', got {value!r}.")
    return tuple(several)


def chosen(names: Iterable[str], include: tuple[str, ...], exclude: tuple[str, ...]) -> list[str]:
    """Those of `names` that match a pattern of `include` (all, if it is empty) and none of `exclude`, in order.

    Patterns as in a shell: `*`, `?`, `[...]`; upper and lower case differ; `*` takes dots too.
    Raises InputError naming the patterns if there are names and none is left.
    """
    names = list(names)
    left = [
        name
        for name in names
        if (not include or _matches(name, include)) and not (exclude and _matches(name, exclude))
    ]
    if names and not left:
        raise InputError(
            f"Of {len(names)} tensors ({', '.join(names[:3])}, ...) none is left by {patterns_text(include, exclude)}; "
            "correct the patterns."
        )
    return left


def patterns_text(include: tuple[str, ...], exclude: tuple[str, ...]) -> str:
    """Patterns in words, as the user wrote them: include='features.*', exclude='*.num_batches_tracked'."""
    given = [("include", include), ("exclude", exclude)]
    return " and ".join(f"{name}={', '.join(map(repr, each))}" for name, each in given if each)


def _matches(name: str, several: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in several)
