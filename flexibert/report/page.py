"""The report: tables and figures of a results folder, and one page that needs nothing beside it."""

import html
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from flexibert.errors import UsageError
from flexibert.files import whole_folder, write_csv, write_text
from flexibert.layout import OBSERVATION_COLUMNS
from flexibert.report.cells import HEADINGS, cells_of
from flexibert.report.figure_tables import FIGURE_TABLES
from flexibert.report.figures import FIGURES, draw
from flexibert.report.folder import ResultsFolder
from flexibert.report.notes import NOTES
from flexibert.report.style import inline_svg
from flexibert.report.tables import TABLES, is_final

PARTS = {"index.html", "figures", "tables"}  # of a report
ROWS = 20  # of the leaderboard, where the settings do not say


def write_report(
    results: str | Path,
    out: str | Path | None = None,
    settings: dict[str, Any] | None = None,
    searches: Collection[str] | None = None,
) -> Path:
    """Write the report of a results folder in any state; the former one is replaced as a whole.

    Args:
        results: The folder of one experiment.
        out: The report's folder; None for `report` inside `results`.
        settings: The section `report` of the settings; None for the one that stands in `results`.
        searches: The searches to report on; None for all that have begun.

    Returns:
        Path of index.html. Beside it stand tables/*.csv, and figures/*.svg each with the CSV that it draws.

    Raises:
        UsageError: `results` is not a results folder, one of its files is broken, or `out` holds other things.
    """
    folder = ResultsFolder(results, searches)
    out = Path(out) if out is not None else folder.path / "report"
    _check_replaceable(out)
    folder.settings["report"] = folder.settings.get("report", {}) | (settings or {})
    tables = {name: make(folder) for name, make in TABLES.items()}
    numbers = {name: make(folder) for name, make in FIGURE_TABLES.items()}
    drawings = {name: draw(name, numbers[name]) for name in FIGURES}
    with whole_folder(out) as part:
        for name, table in tables.items():
            write_csv(part / "tables" / f"{name}.csv", table)
        for name, table in numbers.items():
            write_csv(part / "figures" / f"{name}.csv", table)
            write_text(part / "figures" / f"{name}.svg", drawings[name])
        write_text(part / "index.html", page(folder, tables, numbers, drawings))
    return out / "index.html"


def _check_replaceable(out: Path) -> None:
    """Refuse a place that holds anything but a former report: the whole of it would be replaced."""
    if not out.name or (out.exists() and not out.is_dir()):
        raise UsageError(f"{out}: not a folder that can be made; name a new one for the report")
    others = sorted({path.name for path in out.iterdir()} - PARTS) if out.is_dir() else []
    if others:
        raise UsageError(f"{out}: holds other things than a report ({', '.join(others[:3])}); name a new folder")


def page(
    folder: ResultsFolder, tables: dict[str, pd.DataFrame], numbers: dict[str, pd.DataFrame], drawings: dict[str, str]
) -> str:
    """The page as HTML, style and figures inside."""
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(
        loader=PackageLoader("flexibert.report", "templates"),
        autoescape=select_autoescape(["html", "j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = folder.settings.get("report", {}).get("leaderboard_rows", ROWS)
    shown = dict(tables)
    shown["leaderboard"] = _leaderboard_for_people(tables["leaderboard"]).head(rows)
    shown["final"] = _final_for_people(tables["final"])
    shown["costs"] = _without_empty(tables["costs"])
    shown["searches"] = tables["searches"].drop(columns=["best_recipe"], errors="ignore")
    figures = {
        name: {
            "svg": inline_svg(drawings[name], name, html.escape(FIGURES[name].title)),
            "title": FIGURES[name].title,
            "caption": FIGURES[name].caption,
            "missing": None if len(numbers[name]) else FIGURES[name].missing,
        }
        for name in FIGURES
    }
    return environment.get_template("page.html.j2").render(
        name=folder.name,
        tiles=_tiles(folder, tables),
        tables={name: cells_of(table) for name, table in shown.items()},
        figures=figures,
        runs=len(tables["leaderboard"]),
        main=folder.main_search,
        compared=len(folder.searches) if len(folder.searches) > 1 else 0,
        notes={name: note(numbers[name]) for name, note in NOTES.items()},
    )


def _leaderboard_for_people(table: pd.DataFrame) -> pd.DataFrame:
    """The leaderboard as people read it: what matters first, nothing that is empty or says the same twice."""
    names = {*OBSERVATION_COLUMNS, "rank", "parameters", "weights", "layers", "homogeneous", *HEADINGS}
    tasks = [column for column in table.columns if column not in names]
    order = ["rank", "model", "score", "parameters", "weights", *tasks, "flops_per_token", "latency_ms"]
    order += ["core_hours", "gpu_hours", "reason", "level", "round", "layers"]
    table = _without_empty(table[[column for column in order if column in table]])
    return table.rename(columns=_short_names(tasks))


def _without_empty(table: pd.DataFrame) -> pd.DataFrame:
    """Without measures that no device told: latencies, GPU hours on processors, energy."""
    measures = table.columns.intersection(["flops_per_token", "latency_ms", "core_hours", "gpu_hours", "energy_kwh"])
    return table.drop(columns=[name for name in measures if not table[name].fillna(0).any()])


def _short_names(tasks: list[str]) -> dict[str, str]:
    """Tasks without their suite, where all are of one suite."""
    suites = {task.split("-")[0] for task in tasks}
    return {task: task.split("-", 1)[-1] for task in tasks} if len(suites) == 1 else {}


def _final_for_people(table: pd.DataFrame) -> pd.DataFrame:
    """The final models' scores; which search and model they belong to is said where there are several."""
    table = table.assign(task=table["task"].replace(_short_names([task for task in table["task"] if task != "mean"])))
    return table.drop(columns=["search", "model"]) if table["search"].nunique() <= 1 else table


def _tiles(folder: ResultsFolder, tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """The few numbers at the head of the page: (what, value)."""
    board, costs, final = tables["leaderboard"], tables["costs"], tables["final"]
    tiles = []
    if len(board) and pd.notna(board.loc[0, "score"]):
        where = f"the search {folder.main_search}" if len(folder.searches) > 1 else "the search"
        tiles.append((f"best score in {where}", f"{board.loc[0, 'score']:.2f}"))
        tiles.append(("its parameters", f"{board.loc[0, 'parameters']:,.0f}"))
    means = final[final["task"].eq("mean")]
    if len(means):
        tiles.append(("final model's score", f"{means['final'].iloc[0]:.2f}"))
    tiles.append(("models scored", f"{len({run.model for run in folder.scores if not is_final(run)}):,}"))
    tiles.append(("failed", f"{len(tables['failures']):,}"))
    total = costs[costs["stage"].eq("total")]
    for column, unit in (("core_hours", "core hours"), ("gpu_hours", "GPU hours"), ("energy_kwh", "kWh")):
        if len(total) and pd.notna(total[column].iloc[0]) and total[column].iloc[0] > 0:
            tiles.append((unit, f"{total[column].iloc[0]:,.3g}"))
    return tiles
