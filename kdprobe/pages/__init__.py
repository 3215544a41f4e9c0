"""What all pages share: templates, style, script, and the policy that admits nothing else."""

from kdprobe.pages.house import CHART, environment, inline

__all__ = ["CHART", "environment", "inline"]
