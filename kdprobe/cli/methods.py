"""``kdprobe methods``: which distillation methods there are, and what one of them does."""

from collections.abc import Iterable
from itertools import zip_longest
from textwrap import wrap

from jsonargparse import Namespace

from kdprobe.recipes import KINDS, Recipe, list_recipes, load_recipe
from kdprobe.recipes.cost import StepCost, extra_trainings, recipe_cost
from kdprobe.recipes.in_words import network_in_words, stage_in_words, teachers_in_words
from kdprobe.recipes.numbers import Number, recipe_numbers

WIDTH = 100  #: columns at most
_NAME, _TAP, _COST, _MORE = 25, 14, 18, 5  # widths of columns
_HEADING = 12  # width of the headings of one method
_KINDS = {
    "labels": "labels: no teacher but the labels",
    "logits": "logits: what the outputs should be",
    "features": "features: what a layer should be",
    "relations": "relations: how images should relate to each other",
    "teachers": "teachers: who teaches, and when",
    "online": "online: networks that are trained together",
}
_LEGEND = (
    "tap: at which layers; layer is the one under study (measure.layer), stages, middle, last and embedding are what "
    "every network has, preact is before the ReLU.",
    "step: passes of a training step over those of plain training. This is arithmetic, as if all networks had one "
    "architecture: forward 1, backward 2; each teacher, partner image or view 1; each peer 3; an "
    "input gradient of the student 6, of a teacher 2. In parentheses: with the teachers' outputs cached, as they can "
    "be if inputs are not augmented. Stages are separated by commas.",
    "more: networks that are trained before the student, beside teacher and baseline.",
    "kdprobe methods NAME explains one.",
)


def methods(options: Namespace) -> int:
    """Prints all methods, or explains the one named (a recipe's name, or the path of a .yaml file)."""
    if options.name is None:
        print(methods_table(), end="")
    else:
        print(method_text(load_recipe(options.name), options.name), end="")
    return 0


def methods_table() -> str:
    """All recipes that come with kdprobe, by kind; at most 100 columns wide."""
    lines = [line for sentence in _LEGEND for line in _wrapped(sentence, WIDTH)]
    lines += ["", _row("name", "tap", "step", "more", "taught by"), "-" * WIDTH]
    recipes = [load_recipe(name) for name in list_recipes()]
    for kind in KINDS:
        of_kind = [recipe for recipe in recipes if recipe.kind == kind]
        lines += ["", _KINDS[kind]] if of_kind else []
        lines += [line for recipe in of_kind for line in _rows(recipe)]
    return "\n".join(lines) + "\n"


def method_text(recipe: Recipe, given: str) -> str:
    """What `recipe` does, where its numbers come from, and how it is used; at most 100 columns wide but for long names.

    `given`: how the user named it.
    """
    costs = recipe_cost(recipe)
    paragraphs = {
        "paper": [recipe.paper],
        "kind": [_KINDS.get(recipe.kind, "")],
        "formula": [recipe.formula],
        "before": [network_in_words(network) for network in recipe.networks],
        "stages": [stage_in_words(stage) for stage in recipe.stages],
        "cost": [_cost_sentence(stage.name, cost) for stage, cost in zip(recipe.stages, costs, strict=True)],
        "numbers": [_number_sentence(number) for number in recipe_numbers(recipe)],
        "unchecked": recipe.unchecked,
        "departures": recipe.departures,
        "use": [f"kdprobe run --students '[{given}]'"],
    }
    lines = [line for heading, texts in paragraphs.items() for line in _part(heading, texts)]
    return "\n".join([*_wrapped(f"{recipe.name}: {recipe.title}", WIDTH), *lines]) + "\n"


def _rows(recipe: Recipe) -> list[str]:
    taught = ", then ".join(
        dict.fromkeys(teachers_in_words(stage) for stage in recipe.stages if stage.teachers)
    )
    peers = ", ".join(peer.name for stage in recipe.stages for peer in stage.peers)
    cells = wrap(
        taught or (f"each other, with {peers}" if peers else "-"), WIDTH - _NAME - _TAP - _COST - _MORE
    )
    layers = dict.fromkeys(layer.strip("{}") for stage in recipe.stages for layer in stage.student_layers)
    taps = [*layers] or ["-"]
    costs = ", ".join(_cost(cost) for cost in recipe_cost(recipe))
    more = f"+{extra_trainings(recipe)}" if extra_trainings(recipe) else "-"
    lines = [_row(recipe.name, taps[0], costs, more, cells[0])]
    lines += [_row("", tap, "", "", cell) for tap, cell in zip_longest(taps[1:], cells[1:], fillvalue="")]
    for text in (recipe.title, recipe.paper):
        lines += [f"    {line}" for line in _wrapped(text, WIDTH - 4)]
    return lines


def _row(name: str, tap: str, cost: str, more: str, taught: str) -> str:
    return f"{name:<{_NAME}}{tap:<{_TAP}}{cost:<{_COST}}{more:<{_MORE}}{taught}".rstrip()


def _cost(cost: StepCost) -> str:
    return f"{cost.fresh:.2f}" + ("" if cost.cached == cost.fresh else f" ({cost.cached:.2f})")


def _cost_sentence(stage: str, cost: StepCost) -> str:
    text = f"{stage}: {cost.fresh:.2f} times a step of plain training, by counting passes"
    return text + (
        "" if cost.cached == cost.fresh else f"; {cost.cached:.2f} with the teachers' outputs cached"
    )


def _number_sentence(number: Number) -> str:
    values = ", ".join(map(str, number.values))
    return f"{number.name} = {values}" + ("" if number.origin is None else f": {number.origin}")


def _part(heading: str, texts: Iterable[str]) -> list[str]:
    """Texts beside their heading, each wrapped; nothing if all are empty."""
    lines = [line for text in texts for line in _wrapped(text, WIDTH - _HEADING)]
    return [f"{'' if k else heading:<{_HEADING}}{line}" for k, line in enumerate(lines)]


def _wrapped(text: str, width: int) -> list[str]:
    """Lines that break at spaces only, so that names stay whole."""
    return wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
