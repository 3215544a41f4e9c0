"""Runs a notebook in a kernel of its own and tells what it showed."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent


def executed(path: Path, folder: Path, seconds: int = 180) -> nbformat.NotebookNode:
    """The notebook with its outputs, run in `folder`. Raises CellExecutionError for a cell that fails, and
    CellTimeoutError for one that takes longer."""
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=seconds, kernel_name="python3", resources=place).execute()


def shown(notebook: nbformat.NotebookNode) -> list[dict[str, str]]:
    """What every cell of code showed: kind of content (or stream) -> content, of all its outputs."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            content: dict[str, str] = {}
            for output in cell.outputs:
                parts = {output.name: output.text} if output.output_type == "stream" else output.data
                for kind, text in parts.items():
                    content[kind] = content.get(kind, "") + text
            found.append(content)
    return found
