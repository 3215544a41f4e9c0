"""Solvers: how the energies are found. Each is a frozen record of its budget with a method `solve`."""

from kdprobe.errors import ConfigError
from kdprobe.estimator.solvers.decomposed import Decomposed
from kdprobe.estimator.solvers.jacobian import Jacobian
from kdprobe.estimator.solvers.pathwise import Pathwise
from kdprobe.estimator.solvers.problem import Problem, Solution, Solver
from kdprobe.estimator.solvers.sgd import Sgd

SOLVERS: dict[str, Solver] = {
    "decomposed": Decomposed(),
    "pathwise": Pathwise(),
    "jacobian": Jacobian(),
    "sgd": Sgd(),
}

__all__ = [
    "SOLVERS",
    "Decomposed",
    "Jacobian",
    "Pathwise",
    "Problem",
    "Sgd",
    "Solution",
    "Solver",
    "find_solver",
]


def find_solver(solver: str | Solver) -> Solver:
    """The record itself, or the one of that name. Raises ConfigError for an unknown name."""
    if not isinstance(solver, str):
        return solver
    if solver not in SOLVERS:
        raise ConfigError(f"Unknown solver {solver!r}; choose one of {', '.join(SOLVERS)}.")
    return SOLVERS[solver]
