"""What all pages share: templates, style, script, embedded files, and the policy that admits nothing else."""

from kdprobe.pages.embedded import data_uri, json_markup
from kdprobe.pages.house import CHART, environment, inline, render_page

__all__ = ["CHART", "data_uri", "environment", "inline", "json_markup", "render_page"]
