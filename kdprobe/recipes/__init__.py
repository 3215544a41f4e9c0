"""Distillation methods as data: one small YAML file per method, and their loader."""

from kdprobe.recipes.loader import list_recipes, load_recipe
from kdprobe.recipes.recipe import LAYER, Recipe, Stage, Term

__all__ = ["LAYER", "Recipe", "Stage", "Term", "list_recipes", "load_recipe"]
