"""What tests of tables ask of rows and of the units that these are made of."""

from oracles import metrics as oracle


def chosen(rows, **fields):
    """Those that have these values in these fields."""
    return [row for row in rows if all(row[key] == value for key, value in fields.items())]


def image_values(unit, name, margin=0.2):
    """Name -> values of the unit's images in one network, by the loops of the oracle."""
    measured = unit.networks[name].measured
    return oracle.per_image_metrics(
        measured.entropy[1:].tolist(), unit.foreground.tolist(), measured.path.tolist(), margin, "dataset"
    )
