"""``kdprobe data check`` as a user meets it."""

import subprocess
import sys

from kdprobe.cli import main


def test_check_says_what_is_there_and_draws_it(capsys, tmp_path):
    sheet = tmp_path / "sheet.png"
    arguments = ["data", "check", "cluttered_digits", "--images_per_class", "4", "--options.fragments", "1"]
    assert main([*arguments, "--classes", "['3', '7']", "--sheet", str(sheet), "--sheet_images", "4"]) == 0
    printed = capsys.readouterr().out
    assert "8 images of 2 classes" in printed and "3 4, 7 4" in printed and str(sheet) in printed
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_missing_data_are_exit_code_1_and_wrong_settings_2(capsys, tmp_path):
    assert main(["data", "check", "cub_200_2011", str(tmp_path)]) == 1
    assert "images.txt" in capsys.readouterr().out
    for arguments, word in (
        (["cub_200_2100", str(tmp_path)], "Did you mean 'cub_200_2011'"),
        (["cub_200_2011"], "root"),
        (["cluttered_digits", "--options.fragment", "1"], "Did you mean 'fragments'"),
        (["cluttered_digits", "--sheet", "sheet.jpg"], "FILE.png"),
    ):
        assert main(["data", "check", *arguments]) == 2
        captured = capsys.readouterr()
        assert word in captured.err and captured.err.count("\n") == 1


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom kdprobe.cli import main\n"
        "try:\n    main(['data', 'check', '--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = ('torch', 'torchvision', 'matplotlib', 'h5py', 'sklearn')\n"
        "print('HEAVY', [m for m in heavy if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("HEAVY []\n") and "--sheet" in run.stdout
