"""Recipes that cannot work are refused in one sentence, before anything is trained."""

from pathlib import Path

import pytest
import yaml

from kdprobe.errors import ConfigError
from kdprobe.recipes import load_recipe

TWO_TEACHERS = ["teacher", "baseline"]


def stage(*objective, **keys) -> dict:
    return {"name": "a", "objective": list(objective) or ["kd"], **keys}


def recipe(*stages, **keys) -> dict:
    return {"title": "t", "stages": list(stages) or [stage()], **keys}


def network(name="aux", *stages, **keys) -> dict:
    return {"name": name, "stages": list(stages) or [stage("cross_entropy")], **keys}


def taught(teacher, **keys) -> dict:
    return recipe(stage(teacher=teacher), **keys)


def spans(**keys) -> dict:
    return recipe(stage("cross_entropy", {"name": "kd", **keys}))


def load(folder: Path, content: dict):
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_recipe(path)


WRONG = {
    # who teaches
    "unknown source": (taught("techer"), "no network 'techer' to be taught by: did you mean 'teacher'"),
    "unknown, near an own network": (taught("auz", networks=[network()]), "did you mean 'aux'"),
    "source listed later": (
        taught("b", networks=[network("b", stage(teacher="c")), network("c")]),
        "c is not trained by then; list it under networks before",
    ),
    "source itself": (taught("b", networks=[network("b", stage(teacher="b"))]), "b is not trained by then"),
    "cycle": (
        taught("c", networks=[network("b", stage(teacher="c")), network("c", stage(teacher="b"))]),
        "c is not trained by then",
    ),
    "network for nobody": (taught("teacher", networks=[network()]), "the network aux teaches nobody"),
    "no sources": (taught([]), "teacher must be a list with at least one network, got []"),
    "source a number": (taught([3]), "teacher must be true or false, a network or a list of networks, got 3"),
    "source empty": (taught(None), "teacher is empty"),
    "source without network": (taught({"epoch": 3}), "the key 'network' is missing"),
    "unknown source key": (
        taught({"network": "teacher", "epochs": 3}),
        "unknown key 'epochs': did you mean 'epoch'",
    ),
    "source twice": (taught(["teacher", "teacher"]), "teacher teaches twice at the same epoch"),
    "source denied": (
        recipe(stage("kd", teacher=False)),
        "teacher: false, but the objective takes a teacher",
    ),
    "source not wanted": (
        recipe(stage("cross_entropy", teacher="baseline")),
        "teacher: baseline, but the objective takes nothing of a teacher",
    ),
    # at which epochs
    "share above 1": (
        taught({"network": "teacher", "epoch": 1.5}),
        "a share from 0.0 to 1.0 of them, got 1.5",
    ),
    "share below 0": (taught({"network": "teacher", "epoch": -0.1}), "got -0.1"),
    "epoch a word": (taught({"network": "teacher", "epoch": "best"}), "must be last, or it"),
    "epoch of a file": (
        taught({"network": "w.pt", "epoch": 3}),
        "w.pt is one set of weights without epochs; drop epoch",
    ),
    "anchors of a file": (taught({"network": "w.safetensors", "anchors": 3}), "without epochs; drop anchors"),
    "one anchor": (
        taught({"network": "teacher", "anchors": 1}),
        "anchors of the teacher teacher must be a whole number from 2 on",
    ),
    "anchors and epoch": (
        taught({"network": "teacher", "anchors": 3, "epoch": 3}),
        "epoch and anchors of the teacher teacher exclude each other",
    ),
    "anchors among others": (
        taught([{"network": "teacher", "anchors": 3}, "baseline"]),
        "the anchors of teacher are one teacher after the other, so it must teach alone",
    ),
    "search for nothing": (
        taught({"network": "teacher", "search": "greedy", "delta": 0.8}),
        "search says how anchors are found; give anchors",
    ),
    "delta for nothing": (taught({"network": "teacher", "delta": 0.8}), "delta says how anchors are found"),
    "greedy without delta": (
        taught({"network": "teacher", "anchors": 3, "search": "greedy"}),
        "the greedy search for anchors needs a threshold",
    ),
    "delta without greedy": (
        taught({"network": "teacher", "anchors": 3, "delta": 0.8}),
        "delta belongs to search: greedy",
    ),
    "delta below 0": (
        taught({"network": "teacher", "anchors": 3, "search": "greedy", "delta": -1}),
        "delta of the teacher teacher must be a number above 0",
    ),
    "unknown search": (
        taught({"network": "teacher", "anchors": 3, "search": "random"}),
        "search must be one of equal_interval, greedy",
    ),
    # ensembles and inputs
    "combine what": (recipe(stage(teacher=TWO_TEACHERS, combine="votes")), "combine must be one of"),
    "combine one": (recipe(stage(combine="probabilities")), "combine says how several teachers are averaged"),
    "features of several": (
        recipe(stage("feature_mse", tap="fc1", teacher=TWO_TEACHERS)),
        "the features of several teachers have no common axes",
    ),
    "inputs of what": (recipe(stage(inputs="background")), "inputs must be one of image, foreground"),
    "inputs no word": (recipe(stage(inputs=["image"])), "inputs must be one of image, foreground"),
    "teacher_inputs of what": (recipe(stage(teacher_inputs="mask")), "teacher_inputs must be one of image"),
    "teacher_inputs for nobody": (
        recipe(stage("cross_entropy", teacher_inputs="foreground")),
        "teacher_inputs, but the objective takes nothing of a teacher",
    ),
    # partners, views, peers
    "partner missing": (
        recipe(stage("cross_entropy", "class_wise")),
        "the objective takes partner_logits, which needs batches: class_pairs",
    ),
    "partner not wanted": (
        recipe(stage("cross_entropy", batches="class_pairs")),
        "batches: class_pairs makes partner_logits, but no objective takes them",
    ),
    "batches of what": (recipe(stage("cross_entropy", batches="pairs")), "batches must be one of shuffled"),
    "view missing": (recipe(stage("view_consistency")), "takes view_logits, which needs view: true"),
    "view not wanted": (recipe(stage("cross_entropy", view=True)), "view: true makes view_logits, but no"),
    "view a word": (recipe(stage("view_consistency", view="flip")), "view must be true or false, got 'flip'"),
    "peers missing": (recipe(stage("ensemble_kd")), "takes ensemble_logits, which needs peers"),
    "peers not wanted": (
        recipe(stage("cross_entropy", peers=[{"name": "p"}])),
        "peers makes ensemble_logits, but no objective takes them",
    ),
    "peers no list": (recipe(stage("ensemble_kd", peers={"name": "p"})), "peers must be a list of networks"),
    "peer without a name": (
        recipe(stage("ensemble_kd", peers=[{"model": "vgg11"}])),
        "the key 'name' is missing",
    ),
    "two peers of one name": (
        recipe(stage("ensemble_kd", peers=[{"name": "p"}, {"name": "p"}])),
        "two networks are called p",
    ),
    "peers in two stages": (
        recipe(
            stage("ensemble_kd", peers=[{"name": "p"}], analysed=True),
            {**stage("ensemble_kd", peers=[{"name": "q"}]), "name": "b"},
        ),
        "peers live for one stage",
    ),
    "peers of a network": (
        taught("aux", networks=[network("aux", stage("ensemble_kd", peers=[{"name": "p"}]))]),
        "only the student learns together with peers",
    ),
    "ensemble of what": (
        recipe(stage("ensemble_kd", peers=[{"name": "p"}], ensemble="best")),
        "ensemble must be one of naive, linear, min_logit, general",
    ),
    "ensemble of nobody": (recipe(stage("cross_entropy", ensemble="linear")), "list peers, or drop it"),
    # networks
    "networks no list": (taught("aux", networks=network()), "networks must be a list of networks"),
    "network without stages": (taught("aux", networks=[{"name": "aux"}]), "the key 'stages' is missing"),
    "unknown network key": (taught("aux", networks=[network(modle="vgg11")]), "did you mean 'model'"),
    "two networks of one name": (
        taught("aux", networks=[network(), network()]),
        "two networks are called aux",
    ),
    "network and peer of one name": (
        recipe(stage("ensemble_kd", "kd", peers=[{"name": "aux"}], teacher="aux"), networks=[network()]),
        "two networks are called aux",
    ),
    "a name with its own meaning": (
        taught("baseline", networks=[network("baseline")]),
        "has its own meaning",
    ),
    "a name that is no folder": (
        taught("a/b", networks=[network("a/b")]),
        "a name is made of letters, digits, _ and -, got 'a/b'",
    ),
    "options of another's model": (
        taught("aux", networks=[network(model_options={"depth": 2})]),
        "aux takes the student's architecture with its options",
    ),
    "initial of whom": (
        taught("aux", networks=[network(initial="zero")]),
        "initial of aux (or a whole number) must be one of learner, teacher",
    ),
    "initial a decimal": (
        taught("aux", networks=[network(initial=0.5)]),
        "initial of aux must be a whole number",
    ),
    "network inputs": (taught("aux", networks=[network(inputs="mask")]), "inputs must be one of image"),
    "network analysed": (
        taught("aux", networks=[network("aux", stage("cross_entropy", analysed=True))]),
        "network aux: analysed: true, but only stages of the student are measured",
    ),
    "stage of a network": (
        taught("aux", networks=[network("aux", stage("kdd"))]),
        "network aux, stage 0: No objective 'kdd'",
    ),
    # when a term counts
    "until above 1": (spans(until=1.5), "until of kd must be a whole number of epochs or a share"),
    "until never": (spans(until=0), "kd counts in no epoch, from 0 until 0"),
    "until never, from a share": (
        spans(**{"from": 0.5, "until": 0}),
        "kd counts in no epoch, from 0.5 until 0",
    ),
    "from the end": (spans(**{"from": 1.0}), "kd counts in no epoch, from 1.0"),
    "from after until": (spans(**{"from": 0.5, "until": 0.5}), "kd counts in no epoch, from 0.5 until 0.5"),
    "from epoch after until": (spans(**{"from": 7, "until": 5}), "kd counts in no epoch, from 7 until 5"),
    "from below 0": (spans(**{"from": -3}), "from of kd must be a whole number"),
    "warm_up a word": (spans(warm_up="slow"), "warm_up of kd must be a whole number"),
    "warm_up true": (spans(warm_up=True), "warm_up of kd must be a whole number"),
    "nothing at the end": (
        recipe(stage({"name": "kd", "until": 0.5})),
        "no term counts from 0.5 to 1.0 of the stage",
    ),
    "nothing at the start": (
        recipe(stage({"name": "kd", "from": 0.5})),
        "no term counts from 0.0 to 0.5 of the stage",
    ),
    "nothing between": (
        recipe(stage({"name": "kd", "until": 0.2}, {"name": "cross_entropy", "from": 0.4})),
        "no term counts from 0.2 to 0.4 of the stage",
    ),
    # words
    "kind of what": (recipe(kind="loss"), "kind must be one of labels, logits, features"),
    "provenance of nothing": (
        recipe(provenance={"kd.temprature": "me"}),
        "provenance of 'kd.temprature', which the recipe does not have",
    ),
    "provenance no text": (recipe(provenance={"kd.weight": 3}), "the provenance of kd.weight must be a text"),
    "provenance no pairs": (recipe(provenance=["me"]), "provenance must be pairs of name and origin"),
    "unchecked no list": (recipe(unchecked="all"), "unchecked must be a list of sentences, got 'all'"),
    "departures no texts": (recipe(departures=[3]), "departures must be a list of sentences, got [3]"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_work_is_refused_in_one_sentence(tmp_path, case):
    content, says = WRONG[case]
    with pytest.raises(ConfigError) as refusal:
        load(tmp_path, content)
    sentence = str(refusal.value)
    assert says in sentence and "mine.yaml" in sentence and "\n" not in sentence


RIGHT = {
    "one teacher": taught("teacher"),
    "several": recipe(stage(teacher=TWO_TEACHERS, combine="probabilities")),
    "one network at two epochs": taught(["teacher", {"network": "teacher", "epoch": 0.5}]),
    "a chain": taught("c", networks=[network("b"), network("c", stage(teacher="b"))]),
    "another architecture": taught(
        "aux", networks=[network(model="vgg11", model_options={"x": 1}, initial=3)]
    ),
    "a route": taught({"network": "baseline", "anchors": 2, "search": "greedy", "delta": "8e-1"}),
    "spans in epochs, checked when their number is known": spans(**{"from": 3, "until": 0.9}),
    "spans that meet": recipe(
        stage(
            {"name": "kd", "from": 0.5}, {"name": "cross_entropy", "until": 0.5}, {"name": "kd", "until": 0.2}
        )
    ),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_can_work_is_taken(tmp_path, case):
    load(tmp_path, RIGHT[case])


def test_a_network_on_the_disk_is_looked_up_beside_the_recipe(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.chdir(tmp_path.parent)
    for written, found in {
        "../other/networks/teacher": f"{tmp_path}/../other/networks/teacher",
        "weights.pt": f"{tmp_path}/weights.pt",
        "/a/b": "/a/b",
        "~/b": "/home/somebody/b",
    }.items():
        (made,) = load(tmp_path, taught(written)).stages
        assert [source.network for source in made.teachers] == [found]
