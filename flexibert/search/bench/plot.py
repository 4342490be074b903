"""The picture of a bench: regret over evaluations, one line a method, with the standard error over seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from flexibert.errors import SearchError
from flexibert.files import whole_file
from flexibert.search.bench.summary import Trace, regrets

FORMATS = (".svg", ".png", ".pdf")


def check_picture(path: str | Path) -> None:
    """Raise SearchError for a picture in a format that is not drawn."""
    if Path(path).suffix.lower() not in FORMATS:
        raise SearchError(f"picture {path} cannot be drawn; let its name end in {', '.join(FORMATS)}")


def plot_regret(traces: Mapping[str, Sequence[Trace]], best: float, initial: int, path: str | Path) -> None:
    """Draw the mean regret of each method after the initial design.

    Args:
        traces: Traces by method, each of equal length within one method.
        best: Best score of the table.
        initial: Evaluations of the initial design, where the lines begin.
        path: Picture to write; its ending (.svg, .png, .pdf) decides the format.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for method, of_method in traces.items():
        curves = regrets(of_method, best)
        evaluations = np.arange(initial, curves.shape[1] + 1)
        mean = curves.mean(axis=0)[initial - 1 :]
        error = (curves.std(axis=0, ddof=1) / np.sqrt(len(curves)))[initial - 1 :] if len(curves) > 1 else 0 * mean
        (line,) = axes.plot(evaluations, mean, label=f"{method} ({len(curves)} seeds)")
        axes.fill_between(evaluations, mean - error, mean + error, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set(xlabel="evaluations", ylabel="regret (best score of the table minus best found)")
    axes.set_ylim(bottom=0)
    axes.legend()
    path = Path(path)
    with whole_file(path) as part:
        figure.savefig(part, format=path.suffix.lower().lstrip("."))
