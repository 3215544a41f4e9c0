"""Protocols: frozen records that say which sigma is reported. Every field is written with the results."""

from dataclasses import asdict, dataclass

from kdprobe.errors import ConfigError

#: which iterate is reported: of the descent the one nearest the target, or the stationary point instead of a descent
RULES = ("target_entropy", "target_distortion", "stationary")


@dataclass(frozen=True)
class Protocol:
    """Gradient descent on sigma that is stopped at a target.

    The loss of one image is  E‖f(x + sigma∘e) - f(x)‖² / sigma_f²  -  entropy_weight * mean_i H_i  with
    H_i = log sigma_i + ½ log(2 pi e) nats and sigma_f² = E‖f(x + feature_scale_sigma e) - f(x)‖². Of all iterates one
    is reported, as `report` says: the one whose mean entropy is nearest `target_entropy`, the one whose first term of
    the loss is nearest `target_distortion`, or, without any descent, the point where the gradient vanishes.

    Sources: `cheng2020` is Cheng et al., CVPR 2020 (arXiv 2003.03622), and the code released with it, which is where
    the numbers come from; `fixed_distortion` follows the code of Ma et al., 2019 (arXiv 1906.04109) in weight, number
    of steps and target, and `cheng2020` in all else.
    """

    name: str
    entropy_weight: float = 7.0  #: weight of the mean entropy in the loss
    sigma_start: float = 0.01  #: in normalised input units
    sigma_min: float = 0.001
    sigma_max: float = 1.0
    learning_rate: float = 1e-4  #: at `reference_cells` cells; both gradient terms scale with 1 / cells
    reference_cells: int = 256
    steps: int = 60
    extra_steps: int = 20  #: more steps for images that have not passed the target by then
    extra_factor: float = 1.5  #: the entropy weight is multiplied by it in the extra steps
    report: str = "target_entropy"  #: one of RULES
    target_entropy: float = -2.8  #: nats, mean over the cells
    target_distortion: float = 1.5  #: E‖f(x') - f(x)‖² / sigma_f²
    feature_scale_sigma: float = 0.01  #: noise level at which sigma_f² is taken
    samples_per_step: int = 96  #: noise samples of one step of the published procedure, and of its sigma_f²
    feature_activation: str = "relu"  #: applied to the layer's value: relu or none

    def __post_init__(self) -> None:
        if self.feature_activation not in ("relu", "none"):
            raise ConfigError(f"feature_activation must be relu or none, got {self.feature_activation!r}.")
        if self.report not in RULES:
            raise ConfigError(f"report must be one of {', '.join(RULES)}, got {self.report!r}.")
        if not 0 < self.sigma_min <= self.sigma_start <= self.sigma_max:
            raise ConfigError(
                "Expected 0 < sigma_min <= sigma_start <= sigma_max, got "
                f"{self.sigma_min}, {self.sigma_start}, {self.sigma_max}; correct the protocol."
            )
        if self.steps < 1 or self.extra_steps < 0 or self.samples_per_step < 2:
            raise ConfigError(
                "Expected steps >= 1, extra_steps >= 0 and samples_per_step >= 2, got "
                f"{self.steps}, {self.extra_steps}, {self.samples_per_step}; correct the protocol."
            )

    def as_dict(self) -> dict[str, float | int | str]:
        return asdict(self)


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("cheng2020"),
        Protocol("cheng2020_resnet", entropy_weight=6.0),
        Protocol(
            "fixed_distortion", entropy_weight=5.0, steps=100, extra_steps=0, report="target_distortion"
        ),
        Protocol("converged", report="stationary"),
    )
}


def find_protocol(protocol: str | Protocol) -> Protocol:
    """The record itself, or the one of that name. Raises ConfigError for an unknown name."""
    if isinstance(protocol, Protocol):
        return protocol
    if protocol not in PROTOCOLS:
        raise ConfigError(f"Unknown protocol {protocol!r}; choose one of {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[protocol]
