"""How concepts are counted, as the analyses take it and as the report says it."""

from kdprobe.analysis import CountSettings, SampleFilter
from kdprobe.errors import ConfigError
from kdprobe.experiment.config import ExperimentConfig

_WEIGHTS = {
    "dependent": "all parameters on which the layer's value depends",
    "layer": "the layer's weight matrix alone (as in the released code)",
    "all": "all parameters of the network",
}
_SCOPES = {"dataset": "the mean over all images", "image": "its own image's"}
_EMPTY = {
    "skip": "are left out of lambda, D and rho",
    "zero": "count as 0 in lambda and rho, and in D as learned first",
}
_FIRST = {False: "1", True: "0", "rho": "1 (rho: 0)"}
_PATHS = {"epochs": "from one kept epoch to the next", "steps": "summed over all optimiser steps"}
_SPREADS = {"std": "D_std, the standard deviation", "var": "D_var, the variance (the released code's D_std)"}


def count_settings(config: ExperimentConfig) -> CountSettings:
    measure = config.measure
    return CountSettings(
        margin=measure.margin,
        scope=measure.scope,
        empty=measure.empty,
        initial=measure.initial,
        path_lag=measure.path_lag,
        spread=measure.spread,
        redraws=measure.redraws,
        resamples=measure.resamples,
        seed=config.seed,
    )


def sample_filter(config: ExperimentConfig) -> SampleFilter | None:
    """The filter that the config asks for, if any."""
    measure = config.measure
    if measure.sample_filter == "none":
        return None
    return SampleFilter(measure.filter_from_epoch, measure.filter_keep)


def check_filter(config: ExperimentConfig, name: str, last: int) -> None:
    """Raises ConfigError if `name`, analysed up to epoch `last`, has no epoch that the sample filter looks at."""
    first = config.measure.filter_from_epoch
    if config.measure.sample_filter != "none" and last < first:
        raise ConfigError(
            f"The sample filter looks at epochs from {first} on, and {name} is analysed up to epoch {last}; "
            "lower measure.filter_from_epoch, or set measure.sample_filter none."
        )


def counting_sentences(config: ExperimentConfig) -> str:
    """What was used, in words, for tables and report."""
    measure = config.measure
    mask_rule = config.data.options.get("mask_rule")
    masks = f" (of masks, where the data have them, by the rule {mask_rule})" if mask_rule else ""
    by = f" (by the preset {config.preset}, where nothing else was set)" if config.preset else ""
    lag = ", looked up one kept epoch too early (as the released code does for its ResNets)"
    most = "" if measure.filter_keep is None else f", at most {measure.filter_keep} images of each network"
    chosen = (
        "no sample filter"
        if measure.sample_filter == "none"
        else f"sample filter of the released code from epoch {measure.filter_from_epoch} on{most}"
    )
    return (
        f"How it was counted{by}: a concept lies more than {measure.margin:g} nats below the background's mean "
        f"entropy, {_SCOPES[measure.scope]}; a cell is foreground by the rule {measure.cell_rule}{masks}; images "
        f"without concepts {_EMPTY[measure.empty]}; {chosen}. D is the way of {_WEIGHTS[measure.weights]}, "
        f"{_PATHS[measure.path]}{lag if measure.path_lag else ''}; D and rho count from epoch "
        f"{_FIRST[measure.initial]} on; H2 is judged by D_mean and {_SPREADS[measure.spread]}."
    )
