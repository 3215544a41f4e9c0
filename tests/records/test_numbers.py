import pytest

from kdprobe.records.numbers import decimals, interval_text, number, percent


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (16.23, 15.1, 17.34, ("16.2", "[15.1, 17.3]")),
        (0.0421, 0.0310, 0.0580, ("0.042", "[0.031, 0.058]")),
        (-3.2, -140.0, 133.0, ("−3", "[−140, 133]")),
        (0.5, float("nan"), float("nan"), ("0.500", "[n/a, n/a]")),
        (float("nan"), float("nan"), float("nan"), ("n/a", "[n/a, n/a]")),
        (0.0, 0.0, 0.0, ("0.00", "[0.00, 0.00]")),
    ],
)
def test_as_many_decimals_as_the_interval_deserves(value, low, high, text):
    assert interval_text(value, low, high) == text


def test_a_difference_carries_its_sign_and_nothing_is_minus_zero():
    assert interval_text(1.5, -0.2, 3.2, signed=True) == ("+1.5", "[−0.2, +3.2]")
    assert number(-0.001, 1, signed=True) == "0.0"
    assert number(-2.0, 1, minus="-") == "-2.0"


def test_decimals_stay_between_0_and_6():
    assert decimals(0, -1e9, 1e9) == 0
    assert decimals(0, -1e-12, 1e-12) == 6


@pytest.mark.parametrize("nothing", [None, float("nan"), float("inf")])
def test_a_share_is_shown_in_per_cent_with_one_decimal_and_none_as_such(nothing):
    assert [percent(share) for share in (0, 0.2625, 0.9996, 1)] == ["0.0 %", "26.2 %", "100.0 %", "100.0 %"]
    assert percent(nothing) == "n/a"
