"""Seeds and settings, which are used before anything heavy is imported."""

import subprocess
import sys

import pytest

from kdprobe.errors import ConfigError, InputError
from kdprobe.training import TrainingSettings, derive_seed


def test_a_derived_seed_is_the_same_for_ever():
    """From outside: the first 16 hex digits of `printf '[3, "order", 0]' | sha256sum`, halved."""
    assert derive_seed(3, "order", 0) == 246661119541973848


def test_every_part_its_order_and_its_kind_matter():
    seeds = {
        derive_seed(*p) for p in [(1, "a"), ("a", 1), ("1", "a"), ("1a",), (1, "a", 0), (1, "b"), (2, "a")]
    }
    assert len(seeds) == 7
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_seed_of_something_else_is_refused():
    with pytest.raises(InputError, match=r"got 1\.5"):
        derive_seed(1.5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"epochs": 0}, "epochs must be a whole number from 1 on, got 0"),
        ({"batch_size": 2.0}, "batch_size must be a whole number"),
        ({"classifier_epochs": True}, "classifier_epochs must be a whole number"),
        ({"learning_rate": 0}, "learning_rate must be a number, above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number"),
        ({"learning_rate": "1e-3"}, "learning_rate must be a number, above 0, got '1e-3'"),
        ({"student_learning_rate": 0}, "student_learning_rate must be a number, above 0"),
        ({"weight_decay": -1e-4}, "weight_decay must be a number, 0 or more"),
        ({"momentum": 1.0}, "momentum must be below 1"),
        ({"optimiser": "adam"}, "optimiser must be one of adamw, sgd"),
        ({"schedule": "cosine"}, "schedule must be one of one_cycle, constant, log_decade"),
        ({"device": "tpu"}, "device must be one of auto, cpu, cuda"),
        ({"on_error": "stop"}, "on_error must be one of warn, raise"),
        ({"snapshots": 0}, "snapshots must be a whole number from 1 on, .* got 0"),
        ({"snapshots": [1, -2]}, r"or released, got \[1, -2\]"),
        ({"snapshots": "some"}, "or released, got 'some'"),
        ({"snapshots": None}, "snapshots must be"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(change, says):
    with pytest.raises(ConfigError, match=says):
        TrainingSettings(**change)


def test_a_stage_names_its_epochs_or_counts_them():
    settings = TrainingSettings(epochs=7, classifier_epochs=4)
    assert [settings.stage_epochs(e) for e in ("epochs", "classifier_epochs", 2)] == [7, 4, 2]


def test_the_ends_of_a_stage_are_kept_whatever_the_epochs_between():
    for snapshots, kept in (
        (1, [2, 3, 4, 5, 6, 7]),
        (3, [2, 3, 6, 7]),
        ([4, 9], [2, 4, 7]),
        ("released", [2, 5, 7]),
    ):
        assert TrainingSettings(snapshots=snapshots).kept_epochs(2, 7) == kept


def test_settings_and_seeds_do_not_import_lightning():
    code = (
        "import sys; from kdprobe.training import TrainingSettings, derive_seed; TrainingSettings(); "
        "assert not any(m.startswith(('lightning', 'h5py', 'matplotlib')) for m in sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
