"""The report: tables and figures of a results folder, and one page that needs nothing beside it."""

import html
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from flexibert.errors import UsageError
from flexibert.files import whole_folder, write_csv, write_text
from flexibert.report.answer import answer
from flexibert.report.cells import cells_of
from flexibert.report.figure_tables import FIGURE_TABLES
from flexibert.report.figures import FIGURES, draw
from flexibert.report.folder import ResultsFolder
from flexibert.report.notes import NOTES, method_sentences
from flexibert.report.page_tables import TABLES, for_people, plus_minus
from flexibert.report.standing import best_of, ranking, winner_of
from flexibert.report.style import inline_svg
from flexibert.report.tables import is_final

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
    shown = for_people(tables, rows)
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
        final_caption=_final_caption(tables["final"]),
        hopeless=sorted(tables["final"].loc[tables["final"]["hopeless"].eq(True), "task"].unique()),
        answer=answer(folder, folder.main_search),
        tiles=_tiles(folder, tables),
        tables={name: cells_of(table) for name, table in shown.items()},
        figures=figures,
        runs=len(tables["leaderboard"]),
        main=folder.main_search,
        compared=len(folder.searches) if len(folder.searches) > 1 else 0,
        notes={name: note(numbers[name]) for name, note in NOTES.items()},
        methods=method_sentences(tables["methods"]),
    )


def _tiles(folder: ResultsFolder, tables: dict[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """The few numbers at the head of the page: (what, value)."""
    costs, tiles = tables["costs"], []
    best = best_of(ranking(folder, folder.main_search))
    if best is not None:
        whose = "winner" if winner_of(folder, folder.main_search or "") else "best model so far"
        trainings = int(best["trainings"])
        times = f"{trainings} training{'s'[: trainings != 1]}"
        tiles.append((f"points, {whose}, by {times}", plus_minus(best["posterior"], best["posterior_deviation"])))
        tiles.append(("its parameters", f"{_parameters(tables['leaderboard'], best['model']):,.0f}"))
    tiles.append(("models scored", f"{len({run.model for run in folder.scores if not is_final(run)}):,}"))
    tiles.append(("trainings scored", f"{len(folder.scores):,}"))
    tiles.append(("failed", f"{len(tables['failures']):,}"))
    total = costs[costs["stage"].eq("total")]
    for column, unit in (("core_hours", "core hours"), ("gpu_hours", "GPU hours"), ("energy_kwh", "kWh")):
        if len(total) and pd.notna(total[column].iloc[0]) and total[column].iloc[0] > 0:
            tiles.append((unit, f"{total[column].iloc[0]:,.3g}"))
    return tiles


def _final_caption(final: pd.DataFrame) -> str:
    """On which rows the final models were scored, and how sure it is."""
    if "test" in set(final["split"]):
        return "Winner and baselines at the final budget: points on kept-away rows, 95 % intervals over trainings."
    return (
        "At the final budget, on the rows by which epochs and trials were chosen, which flatters all of them; 95 % "
        "intervals over trainings, where there are several."
    )


def _parameters(board: pd.DataFrame, model: str) -> float:
    return board.loc[board["model"].eq(model), "parameters"].iloc[0]
