"""The tables of a sweep, from all of it that is finished."""

from io import BytesIO
from pathlib import Path

import numpy as np

from kdprobe.analysis import Unit, pooled_values, unit_maps
from kdprobe.analysis.knowledge import COLUMNS, count_unit, tables_of
from kdprobe.experiment.say import Say
from kdprobe.experiment.sweep.config import read_sweep
from kdprobe.experiment.sweep.plan import plan_sweep
from kdprobe.experiment.sweep.units import SWEEP, sweep_units
from kdprobe.report import comparisons_csv, read_curves, read_networks, write_overview, write_sweep_tables
from kdprobe.report.figure_script import file_name
from kdprobe.report.forms import csv_bytes
from kdprobe.report.map_file import map_arrays
from kdprobe.storage import read_json, write_atomically

STRIPS = {"images": 4, "epochs": 6}  #: of the first seed, in the concept strips


def publish_sweep(sweep: str | Path, folder: str | Path, say: Say = print) -> list[Path]:
    """Writes every table of the sweep in the folder `sweep` into `folder`; returns their paths.

    As numbers, which the scripts in figures/ draw: comparisons.csv, what the networks know (the tables of
    kdprobe.analysis.knowledge) and strips--*.npz, concept maps without photographs. For a text: table, comparisons,
    hypotheses and networks (.tex, .md, .html). To look at: index.html, all networks in one page. notes.csv has what the
    reader must know of each unit. Seeds are pooled over what is finished; of what cannot be read `say` is told. Raises
    ConfigError as `sweep_units`.
    """
    folder, counted, files = Path(folder), [], {}
    for unit in sweep_units(sweep, say):
        counted.append(count_unit(unit))
        files.setdefault(_strips_name(unit), _strips(unit))
        del unit  # before the next one takes its room
    comparisons = pooled_values(
        (each.unit, {name: network.values for name, network in each.networks.items()}) for each in counted
    )
    files["comparisons.csv"] = comparisons_csv(comparisons)
    for name, rows in tables_of(counted).items():
        fields = ([row.get(column) for column in COLUMNS[name]] for row in rows)
        files[f"{name}.csv"] = csv_bytes(COLUMNS[name], fields)
    notes, counting = _notes(sweep)
    files["notes.csv"] = csv_bytes(("data", "model", "layer", "seed", "note"), notes)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_atomically(folder / name, content)
    networks, curves = read_networks(folder / "networks.csv"), read_curves(folder / "curves.csv")
    written = write_sweep_tables(comparisons, networks, folder, counting)
    page = write_overview(networks, comparisons, curves, folder, counting)
    return [*(folder / name for name in files), *written, page]


def _notes(sweep: str | Path) -> tuple[list[tuple], str]:
    """Rows of notes.csv, and how it was counted, in words, where that is the same everywhere."""
    rows, ways = [], {}
    for planned in plan_sweep(read_sweep(Path(sweep) / SWEEP), sweep):
        for layer in planned.layers:
            if planned.counted(layer) is None:
                continue
            found, place = (
                read_json(planned.result(layer)),
                (planned.data, planned.model, layer, planned.seed),
            )
            imitated = planned.config.measure.layer
            ways.setdefault(found["counting"], place)
            told = [found["counting"], *found["notes"]]
            if layer != imitated:
                told.insert(1, f"Methods that imitate the layer under study imitate {imitated}, not {layer}.")
            rows += [(*place, note) for note in told]
    return rows, next(iter(ways)) if len(ways) == 1 else "How it was counted differs: see notes.csv."


def _strips_name(unit: Unit) -> str:
    return f"strips--{file_name(unit.key)}.npz"


def _strips(unit: Unit) -> bytes:
    target = BytesIO()
    np.savez_compressed(target, **map_arrays(tuple(unit_maps(unit, **STRIPS))))
    return target.getvalue()
