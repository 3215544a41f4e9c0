"""Recipes by name or from a user's own YAML file."""

from difflib import get_close_matches
from importlib import resources
from pathlib import Path

import yaml

from kdprobe.errors import ConfigError
from kdprobe.paths import expanded
from kdprobe.recipes.parse import parse_recipe
from kdprobe.recipes.recipe import Recipe


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key given twice is an error (plain YAML silently keeps the last)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            problem = f"{twice[0]!r} is given twice"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_mapping(node, deep)


def list_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with kdprobe, sorted."""
    files = resources.files("kdprobe.recipes").iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """The recipe called `name_or_path`, or the one in that YAML file (a path that ends in .yaml or .yml).

    An objective written as file.py:function is looked up from the folder of the recipe's file.
    Raises ConfigError, with the nearest known name, if it does not exist or says something unknown.
    """
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        path = expanded(text)
        if not path.is_file():
            known = ", ".join(list_recipes())
            raise ConfigError(f"No recipe file {path}; give an existing file or one of {known}.")
        return _read(path.stem, str(path), path.read_text(encoding="utf-8"), path.resolve().parent)
    if text not in list_recipes():
        near = get_close_matches(text, list_recipes(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(list_recipes())}"
        raise ConfigError(f"No recipe {text!r}: {hint} (or give the path of your own .yaml file).")
    file = resources.files("kdprobe.recipes") / f"{text}.yaml"
    return _read(text, f"{text}.yaml", file.read_text(encoding="utf-8"), None)


def _read(name: str, source: str, text: str, folder: Path | None) -> Recipe:
    try:
        content = yaml.load(text, Loader=_StrictLoader)  # a SafeLoader: it builds plain values only
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not valid YAML: {' '.join(str(error).split())}.") from error
    return parse_recipe(name, source, content, folder)
