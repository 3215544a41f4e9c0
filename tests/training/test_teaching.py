"""As of which epochs a network teaches."""

import pytest
import torch

from kdprobe.errors import ConfigError
from kdprobe.recipes import Source
from kdprobe.storage import SnapshotStore
from kdprobe.training.teaching import TeachingNetwork, route, span_of


def network(last: int, *kept: int) -> TeachingNetwork:
    return TeachingNetwork(torch.nn.Linear(1, 1), last, kept, lambda epoch: {})


def test_a_network_without_more_said_teaches_as_it_ended():
    assert route(Source(), network(8, 0, 4, 8)) == (8,)
    assert route(Source(), TeachingNetwork(torch.nn.Linear(1, 1))) == (0,)


@pytest.mark.parametrize(
    ("share", "kept", "chosen"),
    [
        (0.5, (0, 1, 2, 3, 4, 5, 6), 3),
        (0.5, (0, 2, 4, 6), 2),  # 3 lies between 2 and 4: the earlier
        (0.34, (0, 2, 4, 6), 2),
        (0.01, (0, 3, 6), 3),  # never the untrained network ...
        (0.0, (0, 3, 6), 0),  # ... but where it is asked for
        (1.0, (0, 3, 6), 6),
    ],
)
def test_a_share_is_the_nearest_kept_epoch(share, kept, chosen):
    assert route(Source(epoch=share), network(6, *kept)) == (chosen,)


def test_a_whole_number_is_that_epoch_or_refused():
    assert route(Source(epoch=1), network(6, 0, 1, 6)) == (1,)
    with pytest.raises(ConfigError, match="after epoch 2, but of its epochs only 0, 1, 6 are kept"):
        route(Source(epoch=2), network(6, 0, 1, 6))


def test_anchors_lie_at_equal_intervals_and_end_with_the_end():
    every = network(12, *range(13))
    assert route(Source(anchors=3), every) == (4, 8, 12)
    assert route(Source(anchors=4), every) == (3, 6, 9, 12)
    assert route(Source(anchors=2), network(12, 0, 5, 7, 12)) == (5, 12)  # 6: the earlier of 5 and 7
    with pytest.raises(ConfigError, match="by 3 anchors, but of its epochs only 0, 5, 12 are kept"):
        route(Source(anchors=3), network(12, 0, 5, 12))


def test_a_greedy_search_may_take_every_trained_epoch():
    assert route(Source(anchors=2, search="greedy", delta=0.8), network(6, 0, 1, 3, 6)) == (1, 3, 6)


def test_weights_alone_have_no_epochs():
    with pytest.raises(ConfigError, match="has no epochs to choose from"):
        route(Source(epoch=0.5), TeachingNetwork(torch.nn.Linear(1, 1)))


@pytest.mark.parametrize(("epochs", "spans"), [(6, 3), (5, 2), (2, 4), (7, 1), (3, 3)])
def test_a_stage_falls_into_parts_that_differ_by_one_epoch_at_most_and_reaches_the_last(epochs, spans):
    places = [span_of(epoch, epochs, spans) for epoch in range(1, epochs + 1)]
    assert places == sorted(places) and places[-1] == spans - 1 and min(places) >= 0
    sizes = [places.count(place) for place in set(places)]
    assert max(sizes) - min(sizes) <= 1
    if epochs >= spans:
        assert sorted(set(places)) == list(range(spans))


def test_the_snapshots_of_a_store_teach_and_the_end_is_the_model(tmp_path, net):
    store, states = SnapshotStore(tmp_path), {}
    for epoch in (0, 1, 2, 3):
        model = net(seed=epoch)
        states[epoch] = model.state_dict()
        store.save(model, epoch=epoch, step=epoch)
    store.save(net(seed=9), epoch=2, step=3, partial=True)
    found = TeachingNetwork.of_store(model, store, 1, 3)
    assert (found.last, found.kept) == (3, (1, 2, 3))
    name = "head.fc1.weight"
    assert all(torch.equal(found.state(epoch)[name], states[epoch][name]) for epoch in (1, 2, 3))
    assert not torch.equal(states[1][name], states[2][name])
