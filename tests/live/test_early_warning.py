"""When the live probe warns of a layer that turns to the background."""

import warnings

import pytest
import torch
from live.subjects import Net, images, masks, options

from kdprobe.live import LiveProbe
from kdprobe.live.counting import Counted, CountRules
from kdprobe.live.early_warning import EarlyWarning
from kdprobe.metrics import paired_difference

RULES = CountRules()


def seen(epoch: int, inside, outside, *, count: int = 8, spread: float = 0.5, rows: int = 6) -> Counted:
    """Counts around the given means, an image's own level in all epochs; the noisy rows jitter a little."""
    generator = torch.Generator().manual_seed(epoch)
    levels = torch.linspace(-3, 3, count, dtype=torch.float64)
    values = {}
    for name, mean in (("n_foreground", inside), ("n_background", outside)):
        exact = mean + levels + spread * torch.randn(count, generator=generator, dtype=torch.float64)
        values[name] = torch.stack([exact + 0.1 * row for row in range(rows)])
    return Counted(epoch, values, torch.zeros(count, 4, 4, dtype=torch.bool))


def said(*means, look_back: int = 1, first: int = 1, **options) -> list[str | None]:
    watch = EarlyWarning(look_back, RULES)
    return [watch.look(seen(first + k, *each, **options)) for k, each in enumerate(means)]


def test_it_speaks_where_the_background_rises_and_the_foreground_falls():
    (nothing, sentence) = said((20, 10), (15, 14))
    assert nothing is None
    assert "Since epoch 1 background concepts have risen by +4." in sentence
    assert (
        "foreground concepts changed by -4." in sentence or "foreground concepts changed by -5." in sentence
    )


@pytest.mark.parametrize(
    "means",
    [
        [(20, 10), (15, 10)],  # the foreground alone
        [(20, 10), (20, 14)],  # the background alone
        [(20, 10), (25, 14)],  # both rise
        [(20, 10), (15, 6)],  # both fall
        [(20, 10), (25, 6)],  # the better way round
    ],
)
def test_it_is_silent_where_only_one_of_them_changes_for_the_worse(means):
    assert said(*means) == [None, None]


def test_a_change_within_the_noise_of_the_images_says_nothing():
    assert said((20, 10), (15, 14), spread=30.0) == [None, None]


def test_noise_of_the_estimator_counts_too():
    """The same counts; but the redraws of now and then differ from each other by more than the change."""
    watch, then, now = EarlyWarning(1, RULES), seen(1, 20, 10), seen(2, 15, 14)
    for name in now.values:
        now.values[name][1:] += 40 * torch.randn(5, 1, generator=torch.Generator().manual_seed(2))
    assert [watch.look(then), watch.look(now)] == [None, None]


def test_initial_weights_are_compared_with_nothing():
    assert said((20, 10), (15, 14), first=0) == [None, None]


def test_fewer_than_six_images_are_too_few():
    assert said((20, 10), (15, 14), count=5) == [None, None]
    assert said((20, 10), (15, 14), count=6)[1] is not None


def test_it_looks_back_by_so_many_observations():
    slow = [(20 - 2 * k, 10 + 2 * k) for k in range(4)]
    sentences = said(*slow, look_back=3, spread=0.1)
    assert sentences[:3] == [None] * 3
    assert "Since epoch 1 " in sentences[3]


def test_the_sentence_holds_the_paired_differences():
    then, now = seen(1, 20, 10), seen(2, 15, 14)
    watch = EarlyWarning(1, RULES)
    watch.look(then)
    sentence = watch.look(now)
    for name in ("n_foreground", "n_background"):
        before, after = then.values[name], now.values[name]
        change = paired_difference(
            after[0], before[0], seed=0, student_noise=after[1:], baseline_noise=before[1:], resamples=1000
        )
        assert f"{change.value:+.1f} [{change.low:+.1f}, {change.high:+.1f}]" in sentence


def test_only_the_first_of_several_is_an_onset_and_the_state_remembers_it():
    watch = EarlyWarning(1, RULES)
    found = []
    for epoch, means in enumerate([(20, 10), (15, 14), (10, 18), (10, 18), (5, 22)], start=1):
        kept = watch.state_dict()
        watch = EarlyWarning(1, RULES)
        watch.load_state_dict(kept)
        found.append((watch.look(seen(epoch, *means)) is not None, watch.onset))
    assert found == [(False, False), (True, True), (True, False), (False, False), (True, True)]


@pytest.mark.slow
def test_where_nothing_changes_it_is_nearly_always_silent():
    """Counts that only scatter; 2.5 % would be five of two hundred."""
    spoken = [said((20, 10), (20, 10), first=1 + 2 * seed)[1] for seed in range(200)]
    assert sum(sentence is not None for sentence in spoken) <= 5


def test_an_onset_is_one_warning_and_stands_in_line_and_reading(tmp_path, monkeypatch):
    probe = LiveProbe(images(), masks(), "fc1", tmp_path, **options(look_back=1))
    means = iter([(20, 10), (15, 14), (10, 18)])
    look = EarlyWarning.look
    monkeypatch.setattr(EarlyWarning, "look", lambda self, now: look(self, seen(now.epoch, *next(means))))
    readings = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for epoch in (1, 2, 3):
            readings.append(probe.observe(Net(), epoch=epoch))
    assert [reading.warning is not None for reading in readings] == [False, True, True]
    assert [str(each.message).split(":")[0] for each in caught] == ["student, epoch 2"]
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert ['"warning": "Since epoch' in line for line in lines] == [False, True, True]


def test_it_can_be_switched_off(tmp_path):
    probe = LiveProbe(images(), masks(), "fc1", tmp_path, **options(look_back=None))
    assert probe.observe(Net(), epoch=1).warning is None
    assert probe.state_dict()["warning"] is None
