"""Settings as rows: every one by its dotted name, in words that a reader knows."""

from kdprobe.report.facts import facts


def test_nested_settings_become_rows_of_a_dotted_name_and_a_text():
    settings = {
        "seed": 3,
        "measure": {"on": True, "off": False, "margin": 0.2, "none": None, "empty": {}},
        "epochs": [1, 2, None],
        "nothing": [],
        "stages": [{"name": "features", "epochs": [3]}, ["x", True]],
    }
    assert list(facts(settings)) == [
        ("seed", "3"),
        ("measure.on", "yes"),
        ("measure.off", "no"),
        ("measure.margin", "0.2"),
        ("measure.none", "none"),
        ("measure.empty", "none"),
        ("epochs", "1, 2, none"),
        ("nothing", "none"),
        ("stages[0].name", "features"),
        ("stages[0].epochs", "3"),
        ("stages[1]", "x, yes"),
    ]
