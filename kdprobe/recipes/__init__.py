"""Distillation methods as data: one small YAML file per method, and their loader."""

from kdprobe.recipes.layers import LAYER, Features
from kdprobe.recipes.loader import list_recipes, load_recipe
from kdprobe.recipes.recipe import KINDS, Network, Recipe
from kdprobe.recipes.stage import Peer, Source, Stage
from kdprobe.recipes.term import Term

__all__ = [
    "KINDS",
    "LAYER",
    "Features",
    "Network",
    "Peer",
    "Recipe",
    "Source",
    "Stage",
    "Term",
    "list_recipes",
    "load_recipe",
]
