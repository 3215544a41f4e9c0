"""LiveProbe goes on from its state, and what its log holds then."""

import pytest
import torch
from live.subjects import Net, lines, probe, wandering

from kdprobe.errors import ConfigError


@pytest.mark.parametrize("moved", [False, True])
def test_a_probe_that_goes_on_from_its_state_writes_the_same_log(tmp_path, moved):
    """The state goes through a file. `moved`: the weights went on after the observation before it was taken."""
    whole, half = probe(tmp_path / "whole"), probe(tmp_path / "half")
    for epoch, net in wandering(5):
        whole.observe(net, epoch=epoch)
        if epoch <= 2:
            half.observe(net, epoch=epoch)
        if epoch == 2 + moved:
            torch.save(half.state_dict(net), tmp_path / "state")
            kept = torch.load(tmp_path / "state", weights_only=True)
            assert (kept["walk"]["previous"] is None) == (not moved)
            half = probe(tmp_path / "half")
            half.start(net, kept)
        if epoch > 2:
            half.observe(net, epoch=epoch)
    assert lines(tmp_path / "half") == lines(tmp_path / "whole")
    assert len(lines(tmp_path / "whole")) == 6


def test_the_state_of_another_probe_is_refused(tmp_path):
    watched = probe(tmp_path / "a")
    watched.observe(Net(), epoch=0)
    with pytest.raises(ConfigError, match="state of a live probe with other images or settings"):
        probe(tmp_path / "b", margin=0.06).start(Net(), watched.state_dict())
    assert probe(tmp_path / "b").state_dict() == {}


def test_newer_lines_make_way_and_those_of_the_trainer_stay(tmp_path):
    watched = probe(tmp_path)
    for epoch, net in wandering(2):
        watched.observe(net, epoch=epoch)
        if epoch == 1:
            kept = watched.state_dict()
    log = tmp_path / "metrics.jsonl"
    log.write_bytes(log.read_bytes() + b'{"epoch": 9, "loss": 1.0}\n')
    probe(tmp_path).start(net, kept)
    assert [(line["epoch"], "probe" in line) for line in lines(tmp_path)] == [
        (0, True),
        (1, True),
        (9, False),
    ]
    probe(tmp_path).start(net)
    assert lines(tmp_path) == [{"epoch": 9, "loss": 1.0}]
