"""What an experiment says, for people and programs: HTML, figures, CSV, Markdown, LaTeX, JSON, terminal."""

from kdprobe.report.comparison import comparison_json, read_summary
from kdprobe.report.console import console_table
from kdprobe.report.figures import write_figures
from kdprobe.report.page import write_report
from kdprobe.report.tables import write_tables

__all__ = [
    "comparison_json",
    "console_table",
    "read_summary",
    "write_figures",
    "write_report",
    "write_tables",
]
