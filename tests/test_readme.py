"""What the README claims: the functions of its table, its examples, its config."""

import re
import shlex
from collections import OrderedDict
from configparser import ConfigParser
from functools import reduce
from pathlib import Path

import torch
from torch import nn

from kdprobe.cli.parser import make_parser
from kdprobe.experiment.config import ExperimentConfig
from kdprobe.experiment.sweep import plan_sweep, read_sweep
from kdprobe.live import read_lines
from kdprobe.objectives import INPUTS
from kdprobe.recipes import KINDS, list_recipes, load_recipe

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_symbols_table_names_what_exists():
    rows = re.findall(r"^\| .*? \| (.*?) \| `(kdprobe/[\w/]+\.py)` \|", README, re.MULTILINE)
    assert len(rows) >= 12
    for functions, file in rows:
        source = (ROOT / file).read_text()
        for name in re.findall(r"`([\w.]+)", functions):
            last = name.split(".")[-1]
            assert re.search(rf"^\s*(def|class) {last}\b", source, re.MULTILINE) or f"{last}=" in source, (
                name,
                file,
            )


def test_files_that_it_names_exist():
    for path in re.findall(r"[`(]((?:kdprobe|analyses|figures|tests)/[\w./]+)", README):
        assert (ROOT / path).exists(), path


def test_its_commands_are_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("experiment.yaml").write_text(blocks("yaml")[0])
    commands = re.findall(r"^    kdprobe (.*)$", README, re.MULTILINE)
    in_sentences = re.findall(r"`kdprobe ([^`]* --(?!help)[^`]*)`", README)
    assert len(commands) >= 15 and in_sentences
    parser = make_parser()
    for command in (*commands, *in_sentences):
        arguments = shlex.split(command, comments=True)
        assert parser.parse_args(arguments).command == arguments[0]


def test_settings_that_it_names_exist():
    named = re.findall(r"--([a-z_]+(?:\.[a-z_]+)+)", README)
    assert len(named) >= 15
    for path in named:
        *above, last = path.split(".")
        assert hasattr(reduce(getattr, above, ExperimentConfig()), last), path


def test_its_floors_are_those_that_are_checked():
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    main, *floors = config["importlinter:contract:floors"]["layers"].split("\n")[1:]
    (told,) = re.findall(r"^    (cli > .*?)\n\n", README, re.MULTILINE | re.DOTALL)
    assert main == "__main__"
    assert " ".join(told.split()).split(" > ") == [floor.replace(" | ", ", ") for floor in floors]


def test_its_table_of_methods_has_each_recipe_once_beside_others_of_its_kind():
    table = README.partition("| kind | names |\n")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", row) for row in table.splitlines()[1:]]
    assert len(rows) == len(KINDS) and sorted(name for row in rows for name in row) == [*list_recipes()]
    assert all(len({load_recipe(name).kind for name in row}) == 1 for row in rows)


def test_it_names_every_input_of_an_objective_once_and_no_other():
    table = README.partition("| input | what it is |\n")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines()[1:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(named) == sorted(INPUTS)


def test_the_plain_loop_runs_as_written(tmp_path, monkeypatch):
    (example,) = [block for block in blocks("python") if "SnapshotStore" in block]
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(784, 5))
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    masks[:, 4:12, 4:12] = True
    names = {
        "model": model,
        "layer": "3",
        "epochs": 2,
        "steps_per_epoch": 7,
        "train_one_epoch": lambda network: None,
        "images": torch.randn(2, 3, 16, 16),
        "masks": masks,
    }
    exec(compile(example, "README.md", "exec"), names)
    assert [snapshot.step for snapshot in names["store"].list()] == [0, 7, 14]
    assert names["n_foreground"].shape == names["n_background"].shape == (2,)


def test_the_lightning_example_runs_as_written(tmp_path, monkeypatch):
    import lightning.pytorch as L
    from torch.utils.data import DataLoader, TensorDataset

    (example,) = [block for block in blocks("python") if "WeightSnapshots" in block]
    monkeypatch.chdir(tmp_path)

    class Mine(L.LightningModule):
        def __init__(self):
            super().__init__()
            layers = {"flat": nn.Flatten(), "fc1": nn.Linear(3 * 16 * 16, 4), "fc2": nn.Linear(4, 2)}
            self.model = nn.Sequential(OrderedDict(layers))

        def training_step(self, batch, _index):
            return nn.functional.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    images, masks = torch.randn(8, 3, 16, 16), torch.zeros(8, 16, 16, dtype=torch.bool)
    masks[:, 4:12, 4:12] = True
    loader = DataLoader(TensorDataset(images, torch.zeros(8, dtype=torch.int64)), batch_size=4)
    names = {"my_lightning_module": Mine(), "my_loader": loader, "probe_images": images, "masks": masks}
    exec(compile(example.replace("max_epochs=30", "max_epochs=2, logger=False"), "README.md", "exec"), names)
    assert [snapshot.epoch for snapshot in names["snapshots"].store.list()] == [0, 1, 2]
    assert [line["epoch"] for line in read_lines("runs/mine")["mine"]] == [0, 1, 2]


def test_the_config_is_one(tmp_path):
    example, _sweep = blocks("yaml")
    path = tmp_path / "experiment.yaml"
    path.write_text(example)
    options = make_parser().parse_args(["run", "--config", str(path)])
    assert options.run.data.root == "my_images"
    assert options.run.students == ["kd", "feature"]


def test_the_sweep_is_one(tmp_path):
    _config, example = blocks("yaml")
    path = tmp_path / "sweep.yaml"
    path.write_text(example)
    sweep = read_sweep(path)
    assert [planned.name for planned in plan_sweep(sweep, tmp_path)][:2] == [
        "birds, vgg, seed 0",
        "birds, resnet, seed 0",
    ]
    config = sweep.experiment("mine", "resnet", 3)
    assert (config.training.epochs, config.measure.layer, config.measure.probe_seed) == (20, "pool", 0)
