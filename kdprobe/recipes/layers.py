"""The layers at which a stage looks, as a recipe names them: a tap, a module path, or a role."""

from dataclasses import dataclass

from kdprobe.records import Record

#: stands in a recipe for the layer under study, which the experiment names
LAYER = "{layer}"
#: roles that a network fills with as many layers as it has resolutions
MANY = ("{stages}", "{stages_preact}")
#: roles that every network fills with one layer of its own
ONE = ("{middle}", "{middle_preact}", "{last}", "{last_preact}", "{embedding}")


@dataclass(frozen=True)
class Features(Record):
    """The layers whose values are the "features" of student and teacher, shallow to deep; of each a layer or a role."""

    ALWAYS = ("student", "teacher")

    student: tuple[str, ...]
    teacher: tuple[str, ...]
