"""What counts as done in a sweep, and what changes nothing about it."""

import dataclasses

import pytest

from kdprobe.experiment.sweep import SweepConfig, plan_sweep

SWEEP = SweepConfig(
    data={"two": {"data": {"images_per_class": 6, "classes": ["0", "1"]}}},
    models={"small": {"model_options": {"widths": [4, 4, 4], "fc": 6}}},
    seeds=[0],
)


@pytest.mark.parametrize(
    ("base", "done"),
    [
        ({}, True),
        ({"live": {"images": 0}}, True),
        ({"live": {"every_n_epochs": 5}}, True),
        ({"report": {"images": 1}}, True),
        ({"measure": {"margin": 0.3}}, False),
    ],
)
@pytest.mark.parametrize("before", [{}, {"live": {"images": 3}}])
def test_done_is_what_was_measured_as_the_sweep_asks_however_it_was_looked_at(tmp_path, base, done, before):
    (planned,) = plan_sweep(dataclasses.replace(SWEEP, base=before), tmp_path)
    planned.finish("fc1", {})
    (again,) = plan_sweep(dataclasses.replace(SWEEP, base=base), tmp_path)
    assert again.done("fc1") is done
    assert again.todo == ([] if done else ["fc1"])
