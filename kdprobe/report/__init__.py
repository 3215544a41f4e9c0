"""What an experiment says, for people and programs: HTML, figures, CSV, Markdown, LaTeX, JSON, terminal."""

from kdprobe.report.comparison import comparison_json, read_summary
from kdprobe.report.console import console_table
from kdprobe.report.figures import write_figures
from kdprobe.report.overview import write_overview
from kdprobe.report.page import write_report
from kdprobe.report.sweep_curves import read_curves
from kdprobe.report.sweep_files import (
    NetworkValue,
    comparisons_csv,
    read_comparisons,
    read_networks,
)
from kdprobe.report.sweep_tables import big_table, comparisons_table, write_sweep_tables
from kdprobe.report.table_forms import table_csv, table_html, table_latex, table_markdown, tables_page
from kdprobe.report.tables import write_tables

__all__ = [
    "NetworkValue",
    "big_table",
    "comparison_json",
    "comparisons_csv",
    "comparisons_table",
    "console_table",
    "read_comparisons",
    "read_curves",
    "read_networks",
    "read_summary",
    "table_csv",
    "table_html",
    "table_latex",
    "table_markdown",
    "tables_page",
    "write_figures",
    "write_overview",
    "write_report",
    "write_sweep_tables",
    "write_tables",
]
