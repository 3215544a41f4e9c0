"""What connectors and their memories take on the disk is in the forecast."""

import json

from experiment.quick import HINT, changed, quietly, trained_only

from kdprobe.experiment.ahead import ahead
from kdprobe.experiment.members import members
from kdprobe.experiment.setup import load_material


def test_the_forecast_has_the_snapshots_of_connectors_and_their_part_of_the_resume_points(
    tmp_path, monkeypatch
):
    trained_only(monkeypatch)
    (tmp_path / "hint.py").write_text(HINT)

    def config(objective):
        hint = {"name": "hint", "objective": ["cross_entropy", objective], "tap": "fc1", "analysed": True}
        stages = [{"name": "labels", "objective": ["cross_entropy"], "epochs": 1}, hint | {"teacher": True}]
        (tmp_path / "own.yaml").write_text(json.dumps({"title": "own", "stages": stages}))
        return changed(students=[str(tmp_path / "own.yaml")])

    folder, found = tmp_path / "out", []
    for objective in ("feature_mse", "hint.py:Hint"):
        chosen = config(objective)
        found.append(ahead(chosen, load_material(chosen), members(chosen, folder), folder).disk_bytes)
    quietly(chosen, folder)
    written = [path.stat().st_size for path in (folder / "networks").glob("*/connectors/*/*.h5")]
    assert len(written) == 3  # of the stage's two epochs, and of its start
    moments = 2 * 4 * (6 * 6 + 6)  # AdamW's, of the map's weights
    expected = sum(written) + 3 * (written[0] + moments)  # three generations of what is kept to go on
    assert expected <= found[1] - found[0] <= expected + 6 * 100  # headers are forecast a little too long
