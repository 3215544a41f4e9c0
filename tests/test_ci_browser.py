"""What CI does for a browser: it installs Debian's where it may, and never fails."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "browser"


@pytest.fixture
def machine(tmp_path):
    """Runs the script where only the given programs are; each writes down how it was called."""

    def run(*, root: bool = True, **programs: int) -> tuple[str, list[str]]:
        calls, place = tmp_path / "calls", tmp_path / "bin"
        place.mkdir()
        calls.touch()
        codes = {name.replace("_", "-"): code for name, code in programs.items()}
        for name, code in codes.items():
            (place / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{calls}\nexit {code}\n')
        (place / "id").write_text(f"#!/bin/sh\necho {0 if root else 1000}\n")
        for each in place.iterdir():
            each.chmod(0o755)
        done = subprocess.run(
            ["/bin/bash", SCRIPT], env=os.environ | {"PATH": str(place)}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, calls.read_text().splitlines()

    return run


def test_a_browser_that_is_there_is_left_alone(machine):
    assert machine(chromium=0, chromedriver=0, apt_get=0) == ("", [])


def test_what_is_missing_is_installed_from_debian(machine):
    said, calls = machine(chromium=0, apt_get=0)
    assert said == ""
    assert calls[0].startswith("apt-get update")
    assert "install" in calls[1] and " chromium-driver" in calls[1] and " chromium " not in calls[1]


def test_another_user_installs_by_sudo_if_it_asks_for_no_password(machine):
    said, calls = machine(root=False, apt_get=0, sudo=0)
    assert said == ""
    assert calls[-1].startswith("sudo -n apt-get install") and "chromium chromium-driver" in calls[-1]


@pytest.mark.parametrize(
    ("programs", "reason"),
    [
        ({}, "No apt-get"),
        ({"root": False, "apt_get": 0}, "No right"),
        ({"root": False, "apt_get": 0, "sudo": 1}, "No right"),
        ({"apt_get": 100}, "could not install"),
    ],
)
def test_where_it_cannot_be_installed_it_says_what_is_skipped_and_goes_on(machine, programs, reason):
    said, _calls = machine(**programs)
    assert reason in said and "browser will be skipped (missing: chromium chromium-driver)" in said
