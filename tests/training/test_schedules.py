"""The learning rate at every optimiser step, as the optimiser meets it."""

import pytest
import torch


@pytest.fixture
def rates(monkeypatch):
    """The learning rate of each step of SGD, in order."""
    seen, step = [], torch.optim.SGD.step

    def noting(self, *given, **options):
        seen.append(self.param_groups[0]["lr"])
        return step(self, *given, **options)

    monkeypatch.setattr(torch.optim.SGD, "step", noting)
    return seen


def settings(schedule, epochs, **more):
    return {"optimiser": "sgd", "schedule": schedule, "epochs": epochs, "learning_rate": 0.1, **more}


def test_log_decade_falls_to_a_tenth_in_equal_factors_from_epoch_to_epoch(train, net, rates):
    train(net(), settings=settings("log_decade", 5))
    steps = len(rates) // 5
    by_epoch = [rates[k * steps] for k in range(5)]
    assert rates == [rate for rate in by_epoch for _ in range(steps)] and steps > 1
    assert by_epoch == pytest.approx([0.1, 0.1 * 10**-0.25, 0.1 * 10**-0.5, 0.1 * 10**-0.75, 0.01], rel=1e-12)


def test_log_decade_of_one_epoch_has_one_rate_and_every_stage_begins_anew(train, net, rates):
    train(net(), "feature", teacher=net(seed=9), settings=settings("log_decade", 2, classifier_epochs=1))
    steps = len(rates) // 3
    assert [rates[k * steps] for k in range(3)] == pytest.approx([0.1, 0.01, 0.1], rel=1e-12)


def test_constant_stays_and_one_cycle_does_not(train, net, rates):
    train(net(), settings=settings("constant", 2))
    assert set(rates) == {0.1}
    rates.clear()
    train(net(), settings=settings("one_cycle", 2))
    assert len(set(rates)) == len(rates)
