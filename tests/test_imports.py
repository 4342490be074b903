"""Imports run one way: which part of the package may know which, and no two modules know each other."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "flexibert"
GROUND_FLOOR = {
    "config",
    "errors",
    "extras",
    "files",
    "hold",
    "layout",
    "log",
    "provenance",
    "run_index",
    "runs",
    "seeds",
    "settings",
    "stages",
}
MAY_KNOW = {
    "space": set(),
    "data": set(),
    "encoder": {"space"},
    "training": {"data", "encoder"},
    "search": {"space"},
    "evidence": {"space"},
    "outcome": {"encoder", "evidence", "search", "space"},
    "report": {"evidence", "outcome", "space"},
    "preflight": {"data", "outcome", "space"},
    "cli": {"encoder", "report", "search", "space"},
}


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, at its top or inside functions, without the package's name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        found |= {name.removeprefix("flexibert.") for name in names if name.startswith("flexibert.")}
    return found


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): imported(path) for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize("part", sorted(MAY_KNOW))
def test_a_part_knows_only_what_lies_below_it(part):
    known = {
        name.partition(".")[0]
        for module, names in MODULES.items()
        if module.partition(".")[0] == part
        for name in names
    }
    assert known - {part} - GROUND_FLOOR <= MAY_KNOW[part]


def test_the_ground_floor_knows_itself_alone():
    assert set().union(*(MODULES[module] for module in GROUND_FLOOR)) <= GROUND_FLOOR


def test_no_modules_import_each_other_in_a_circle():
    try:
        TopologicalSorter(MODULES).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
