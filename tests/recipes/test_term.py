"""In which epochs a term counts, and how much."""

from fractions import Fraction

import pytest

from kdprobe.recipes import Term


def term(**keys) -> Term:
    return Term("cross_entropy", 0.5, {}, **keys)


def counting(epochs: int, **keys) -> list[int]:
    return [epoch for epoch in range(1, epochs + 1) if term(**keys).weight_at(epoch, epochs) > 0]


def test_without_a_span_every_epoch_counts_in_full():
    assert [term().weight_at(epoch, 3) for epoch in (1, 2, 3)] == [0.5, 0.5, 0.5]


def test_a_whole_number_is_an_epoch_and_a_decimal_a_share():
    assert counting(10, until=1) == [1] and counting(10, until=1.0) == list(range(1, 11))
    assert counting(10, from_=1) == list(range(2, 11)) and counting(10, from_=3, until=5) == [4, 5]
    assert counting(10, from_=0.5) == [6, 7, 8, 9, 10] and counting(10, until=0.25) == [1, 2]
    assert counting(3, until=20) == [1, 2, 3] and counting(3, from_=20) == []


@pytest.mark.parametrize("epochs", [1, 2, 3, 10, 29, 100, 150, 300])
def test_two_shares_that_meet_never_count_together_nor_leave_an_epoch_out(epochs):
    for percent in range(1, 100):
        share = percent / 100
        first, second = counting(epochs, until=share), counting(epochs, from_=share)
        assert first + second == list(range(1, epochs + 1))
        assert len(first) == Fraction(percent, 100) * epochs // 1, (percent, epochs)


def test_the_weight_rises_linearly_over_the_warm_up():
    assert [term(warm_up=4).weight_at(epoch, 10) for epoch in (1, 2, 4, 5, 10)] == [
        0.125,
        0.25,
        0.5,
        0.5,
        0.5,
    ]
    assert [term(warm_up=0.4).weight_at(epoch, 10) for epoch in (1, 4, 5)] == [0.125, 0.5, 0.5]
    assert term(warm_up=1).weight_at(1, 10) == 0.5


def test_the_rise_is_counted_from_the_stage_and_not_from_the_span():
    assert [term(warm_up=4, from_=2).weight_at(epoch, 10) for epoch in (1, 2, 3, 4)] == [0.0, 0.0, 0.375, 0.5]
