"""Colours and type of the figures: mid-tones that can be read on white and on near-black alike."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flexibert.runs import Reason

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Each has a contrast of at least 3 with both backgrounds of the page (WCAG 2.2, 1.4.11).
BLUE, ORANGE, TEAL, PURPLE, RED, GOLD, PINK, GREY = (
    "#3b82d6", "#d9702b", "#17957f", "#9265d6", "#d6455d", "#a8810f", "#c9559f", "#7d8794",
)  # fmt: skip
INK = "#717b87"  # text; a page puts its own text colour in its place
GRID = "#8c96a3"  # thin lines; a page puts its own line colour in its place
SERIES = (BLUE, ORANGE, TEAL, PURPLE, GOLD, PINK, RED, GREY)
OPERATION_COLOURS = {"sa": BLUE, "l": TEAL, "c": ORANGE}
REASON_COLOURS = {
    Reason.INITIAL: GREY,
    Reason.OPTIMISATION: BLUE,
    Reason.UNCERTAINTY: ORANGE,
    Reason.DIVERSITY: TEAL,
    Reason.RETUNING: PURPLE,
    Reason.BASELINE: GOLD,
}
SCORE_COLOURS = ("#8793a3", "#5b8fd0", "#9265d6", "#d6455d", "#e0662a")  # low to high

WIDTH = 5.2  # inches; small, so that the type stays readable when a phone shrinks the figure
SALT = "flexibert"  # names inside an SVG follow from it: equal numbers give equal bytes


@contextmanager
def figure_style() -> Iterator[None]:
    """Matplotlib's settings for a figure of the report."""
    import matplotlib

    settings: dict[Any, Any] = {
        "svg.hashsalt": SALT,
        "svg.fonttype": "none",  # text stays text: searchable, small, in the page's own type
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 8.5,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": GRID,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.alpha": 0.28,
        "grid.linewidth": 0.5,
        "xtick.color": GRID,
        "ytick.color": GRID,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "legend.frameon": False,
        "legend.fontsize": 8,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "path.simplify_threshold": 0.3,
    }
    with matplotlib.rc_context(settings):
        yield


def new_figure(height: float) -> "Figure":
    """An empty figure that belongs to no window."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure


def whole_numbers(axes: "Axes") -> None:
    """Ticks of the horizontal axis, which counts, at whole numbers alone."""
    from matplotlib.ticker import MaxNLocator

    locator = axes.xaxis.get_major_locator()
    assert isinstance(locator, MaxNLocator)  # as of every linear axis
    locator.set_params(integer=True)


def legend_entries(axes: "Axes") -> dict[str, "Artist"]:
    """What the labels of a plot stand for."""
    handles, labels = axes.get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def legend_below(figure: "Figure", entries: dict[str, "Artist"]) -> None:
    """A legend outside the axes: over no point, and wrapped instead of wide."""
    if entries:
        figure.legend(
            entries.values(),
            entries.keys(),
            loc="outside lower center",
            ncols=2 if max(map(len, entries)) > 16 else 3,
            handlelength=1.4,
            columnspacing=1.4,
        )


def svg_text(figure: "Figure") -> str:
    """The figure as SVG, without a date and without a fixed size on a page."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", dpi=200, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace("DejaVu Sans", "system-ui").replace("'system-ui'", "system-ui")
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def inline_svg(text: str, name: str, title: str) -> str:
    """An SVG file's text as a part of a page: names made its own, text and lines in the page's colours."""
    text = text[text.index("<svg") :]
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = text.replace(INK, "var(--ink)").replace(GRID, "var(--line)")
    text = re.sub(r"(<svg\b[^>]*?) width=\"[^\"]*\"", r"\1", text, count=1)
    text = re.sub(r"(<svg\b[^>]*?) height=\"[^\"]*\"", r"\1", text, count=1)
    return re.sub(r"<svg\b", f'<svg role="img" aria-label="{title}" class="figure"', text, count=1)
