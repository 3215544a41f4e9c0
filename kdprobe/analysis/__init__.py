"""Measure a snapshot, measure a run, compare runs."""

from kdprobe.analysis.explorer import explorer_images, explorer_layer, has_room, images_shown
from kdprobe.analysis.images import EffectiveImages, SampleFilter, common_images, effective_images
from kdprobe.analysis.maps import chosen_epochs, concept_maps, unit_maps
from kdprobe.analysis.measure import (
    MeasurePlan,
    MeasureSettings,
    analysed_snapshots,
    measure_run,
    missing_shards,
    plan_measurement,
    seconds_per_image,
    settings_record,
)
from kdprobe.analysis.measurement import Measurement, load_measurement, load_noise, weight_names
from kdprobe.analysis.pooled import pooled_comparisons, pooled_values
from kdprobe.analysis.step_path import PATH_FILE, step_path
from kdprobe.analysis.summary import ceiling, compare, curves, judge, metric_intervals
from kdprobe.analysis.unit import MeasuredNetwork, Unit
from kdprobe.analysis.values import CountSettings, NetworkValues, network_values

__all__ = [
    "PATH_FILE",
    "CountSettings",
    "EffectiveImages",
    "MeasurePlan",
    "MeasureSettings",
    "MeasuredNetwork",
    "Measurement",
    "NetworkValues",
    "SampleFilter",
    "Unit",
    "analysed_snapshots",
    "ceiling",
    "chosen_epochs",
    "common_images",
    "compare",
    "concept_maps",
    "curves",
    "effective_images",
    "explorer_images",
    "explorer_layer",
    "has_room",
    "images_shown",
    "judge",
    "load_measurement",
    "load_noise",
    "measure_run",
    "metric_intervals",
    "missing_shards",
    "network_values",
    "plan_measurement",
    "pooled_comparisons",
    "pooled_values",
    "seconds_per_image",
    "settings_record",
    "step_path",
    "unit_maps",
    "weight_names",
]
