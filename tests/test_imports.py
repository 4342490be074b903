"""Imports run one way: which room of the package may know which, and no two modules know each other."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from flexibert.search.methods import METHODS

PACKAGE = Path(__file__).parents[1] / "flexibert"
GROUND_FLOOR = {
    "config",
    "errors",
    "extras",
    "files",
    "layout",
    "log",
    "provenance",
    "results_lock",
    "run_index",
    "runs",
    "seeds",
    "settings",
    "stages",
}
# A room is a folder of modules, or a module that stands alone. It may know the ground floor, itself, and the rooms or
# single modules named here. docs/architecture.md shows this table.
MAY_KNOW = {
    "space": set(),
    "space.edit_distance": {"space"},
    "space.library": {"space", "space.edit_distance"},
    "data": set(),
    "encoder": {"space"},
    "training": {"data", "encoder"},
    "search": {"space", "space.library", "search.boshnas", "search.paper", "search.peers"},
    "search.boshnas": {"space", "space.library", "search.interface", "search.candidates", "search.pool"},
    "search.paper": {"search.interface", "search.candidates"},
    "search.peers": {"search.interface", "search.candidates"},
    "search.bench": {"space", "space.edit_distance", "space.library", "search"},
    "evidence": {"space"},
    "outcome": {"encoder", "evidence", "search", "space"},
    "report": {"evidence", "outcome", "space"},
    "preflight": {"data", "outcome", "space"},
    "cli": {"encoder", "report", "search.bench", "space", "space.edit_distance", "space.library"},
}
METHOD_ROOMS = ("search.boshnas", "search.paper", "search.peers")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


PATHS = {module_name(path): path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"}


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, at its top or inside functions, without the package's name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        inside = {name.removeprefix("flexibert.") for name in names if name.startswith("flexibert.")}
        found |= inside & set(PATHS)
    return found


MODULES = {name: imported(path) for name, path in PATHS.items()}


def room_of(module: str) -> str:
    """The folder of a module, or the module itself where it stands in none."""
    return module if PATHS[module].name == "__init__.py" else module.rpartition(".")[0] or module


def known_outside() -> dict[str, set[str]]:
    """Modules outside of it, ground floor left out, that the modules of each room import."""
    found: dict[str, set[str]] = {room_of(module): set() for module in set(MODULES) - GROUND_FLOOR}
    for module in set(MODULES) - GROUND_FLOOR:
        names = {name for name in MODULES[module] if room_of(name) != room_of(module)}
        found[room_of(module)] |= names - GROUND_FLOOR
    return found


KNOWN = known_outside()


def test_every_room_has_its_line():
    assert set(KNOWN) == set(MAY_KNOW)


@pytest.mark.parametrize("room", sorted(MAY_KNOW))
def test_a_room_knows_only_what_lies_below_it(room):
    assert {name for name in KNOWN[room] if not {name, room_of(name)} & MAY_KNOW[room]} == set()


@pytest.mark.parametrize("room", sorted(MAY_KNOW))
def test_a_room_may_know_no_more_than_it_does(room):
    """What nobody imports any longer is taken from the table."""
    dynamic = set(METHOD_ROOMS) if room == "search" else set()
    assert MAY_KNOW[room] - {name for known in KNOWN[room] for name in (known, room_of(known))} - dynamic == set()


def test_no_room_knows_one_that_knows_it():
    """Rooms are in layers too; `search` chooses among its methods, which know its interface and not its rounds."""
    order = {room: {room_of(name) if name in PATHS else name for name in names} for room, names in MAY_KNOW.items()}
    for room in METHOD_ROOMS:
        order[room] -= {"search"}
    try:
        TopologicalSorter(order).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_method_lives_in_a_room_of_methods(method):
    module = type(METHODS[method]()).__module__.removeprefix("flexibert.")
    assert room_of(module) in METHOD_ROOMS


def test_the_ground_floor_knows_itself_alone():
    assert set().union(*(MODULES[module] for module in GROUND_FLOOR)) <= GROUND_FLOOR


def test_no_modules_import_each_other_in_a_circle():
    try:
        TopologicalSorter(MODULES).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
