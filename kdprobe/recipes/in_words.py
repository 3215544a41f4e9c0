"""Stages, terms and teachers of a recipe as a reader's words."""

from kdprobe.recipes.layers import LAYER, Features
from kdprobe.recipes.numbers import short_name
from kdprobe.recipes.recipe import Network
from kdprobe.recipes.stage import Peer, Source, Stage
from kdprobe.recipes.term import Term

_LEARNS = {
    "all": "the whole network learns",
    "below_tap": "what lies below {tap} learns",
    "above_tap": "what lies above {tap} learns, the rest is frozen",
}
_LAYERS = {
    LAYER: "the layer under study",
    "{stages}": "all its stages",
    "{stages_preact}": "all its stages before their ReLU",
    "{middle}": "its middle stage",
    "{middle_preact}": "its middle stage before its ReLU",
    "{last}": "its last stage",
    "{last_preact}": "its last stage before its ReLU",
    "{embedding}": "its penultimate vector",
}
_ENSEMBLES = {
    "naive": "of each image's best network",
    "linear": "the best mixture of all networks' for each image",
    "min_logit": "the smallest of all networks' above the label's",
    "general": "one mixture of all networks' by their errors",
}


def stage_in_words(stage: Stage) -> str:
    """What happens in `stage`, in one line; a sentence without its full stop."""
    tap = tap_in_words(stage.tap)
    parts = [
        f"{stage.name}: {' + '.join(term_in_words(term) for term in stage.objective)}",
        *([f"at {tap}"] if stage.tap is not None else []),
        *([f"at {features_in_words(stage.features)}"] if stage.features is not None else []),
        _LEARNS[stage.learns].format(tap=tap),
        f"{stage.epochs} epochs" if isinstance(stage.epochs, int) else f"training.{stage.epochs} epochs",
    ]
    if stage.teachers:
        parts.append(f"taught by {teachers_in_words(stage)}")
    if stage.teacher_mode == "train":
        parts.append("its BatchNorms take the statistics of the batch")
    if stage.peers:
        peers = ", ".join(f"{peer.name} ({start_in_words(peer)})" for peer in stage.peers)
        parts.append(f"together with {peers}; the ensemble's logits are {_ENSEMBLES[stage.ensemble]}")
    if stage.batches == "class_pairs":
        parts.append("each image comes with another one of its class")
    if stage.view:
        parts.append("each image comes with an augmented view of it")
    if stage.student_inputs == "foreground":
        parts.append("it sees the foreground alone")
    if stage.teacher_inputs == "foreground":
        parts.append("those that teach see the foreground alone")
    if stage.analysed:
        parts.append("its concepts are measured")
    return "; ".join(parts)


def term_in_words(term: Term) -> str:
    """For example "0.9 kd(temperature 4.0)", with the epochs in which it counts if these are not all."""
    options = ", ".join(f"{name} {value}" for name, value in term.options.items())
    text = f"{'' if term.weight == 1 else f'{term.weight:g} '}{short_name(term.objective)}"
    when = [f"({options})"] if options else []
    if term.warm_up:
        when.append(f" rising over {_epochs(term.warm_up)}")
    if term.from_:
        when.append(f" after {_epochs(term.from_)}")
    if term.until != 1 or isinstance(term.until, int):
        when.append(f" until {_epochs(term.until)}")
    if term.decay != 1:
        when.append(f" times {term.decay:g} after each epoch")
    return text + "".join(when)


def teachers_in_words(stage: Stage) -> str:
    """Who teaches `stage`, "-" for nobody."""
    if not stage.teachers:
        return "-"
    listed = ", ".join(source_in_words(source) for source in stage.teachers)
    return listed if len(stage.teachers) < 2 else f"mean of the {stage.combine} of {listed}"


def source_in_words(source: Source) -> str:
    """A network and at which of its epochs it teaches."""
    if source.anchors is not None:
        if source.search == "greedy":
            return (
                f"up to {source.anchors} anchors of {source.network}, found greedily (delta {source.delta:g})"
            )
        return f"{source.anchors} anchors of {source.network} at equal intervals"
    if source.epoch == "last":
        return source.network
    return f"{source.network} after {_epochs(source.epoch)}"


def network_in_words(network: Network) -> str:
    """What a network trained before the student is, and how it is trained."""
    stages = "; then ".join(stage_in_words(stage) for stage in network.stages)
    return f"{network.name} ({start_in_words(network)}): {stages}"


def start_in_words(network: Network | Peer) -> str:
    """The architecture and the initial weights of a network of a recipe."""
    model = (
        f"the {network.model}'s architecture" if network.model in ("student", "teacher") else network.model
    )
    options = "".join(f", {name} {value}" for name, value in network.model_options.items())
    weights = {"learner": "the student's initial weights", "teacher": "the teacher's initial weights"}
    return f"{model}{options}, {weights.get(network.initial, f'initial weights of draw {network.initial}')}"


def tap_in_words(tap: str | None) -> str:
    """The layer at which a stage works: "-" for none."""
    return "-" if tap is None else _LAYERS.get(tap, tap)


def features_in_words(features: Features) -> str:
    """The layers of student and teacher, once where they are the same."""
    student, teacher = (
        " and ".join(tap_in_words(each) for each in of) for of in (features.student, features.teacher)
    )
    return student if student == teacher else f"{student}, of the teacher {teacher}"


def _epochs(value: int | float) -> str:
    if isinstance(value, float):
        return f"{100 * value:g} % of the epochs"
    return f"epoch {value}" if value == 1 else f"{value} epochs"
