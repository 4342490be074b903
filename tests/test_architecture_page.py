"""docs/architecture.md is true: rooms, the ways of a model and of a setting, and where things are found."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from test_docs import blocks, in_code_type
from test_imports import GROUND_FLOOR, MAY_KNOW

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/architecture.md"


def tables_under(heading: str) -> list[list[list[str]]]:
    """Rows of each table under a heading, without its head; cells as they stand."""
    section = re.split(rf"^## {re.escape(heading)}\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    found = re.findall(r"(?:^\|.*\n)+", section.partition("\n## ")[0], re.MULTILINE)
    return [[[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()[2:]] for table in found]


ROOMS, FLOOR = tables_under("Rooms")
[MODEL] = tables_under("The way of a model")
[SETTING] = tables_under("The way of a setting")
[ANSWERS] = tables_under("Where do I find ...")


# rooms


def test_the_table_of_rooms_is_that_of_the_imports():
    assert {in_code_type(room)[0]: set(in_code_type(known)) for room, _, known in ROOMS} == MAY_KNOW


def test_the_ground_floor_is_told_module_by_module():
    assert sorted(name for names, _ in FLOOR for name in in_code_type(names)) == sorted(GROUND_FLOOR)


def in_picture(name: str) -> str:
    """The node of a room or module; `search` has two, since its methods stand between its interface and its rounds."""
    if name not in MAY_KNOW:
        return "interface"
    return "rounds" if name == "search" else name.rpartition(".")[2]


def test_the_picture_has_the_arrows_of_the_table():
    [drawn] = blocks(PAGE, "mermaid")
    lines = re.findall(r"^ *(\w+) --> (.+)$", drawn, re.MULTILINE)
    arrows = {(start, end.strip()) for start, ends in lines for end in ends.split("&")}
    wanted = {(in_picture(room), in_picture(name)) for room, names in MAY_KNOW.items() for name in names}
    assert arrows == wanted | {("rounds", "interface")}


# ways through the code


def file_of(name: str) -> Path:
    """The file of a `module:function`."""
    path = ROOT / "flexibert" / Path(*name.partition(":")[0].split("."))
    return path.with_suffix(".py")


@cache
def definition(name: str) -> ast.AST | None:
    """The function, class, method or constant that a `module:function` or `module:Class.method` names."""
    found: ast.AST | None = ast.parse(file_of(name).read_text(encoding="utf-8"))
    for part in name.partition(":")[2].split("."):
        found = next((node for node in getattr(found, "body", ()) if part in names_bound(node)), None)
    return found


def names_bound(node: ast.AST) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {getattr(node, "name", ""), *(target.id for target in targets if isinstance(target, ast.Name))}


def names_used(tree: ast.AST) -> set[str]:
    """Names and attributes that occur in a piece of code."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return used | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def last(name: str) -> str:
    """What stands in the code where a function is called."""
    return name.partition(":")[2].rpartition(".")[2]


def functions_in(cell: str) -> list[str]:
    return [name for name in in_code_type(cell) if ":" in name]


NAMED = sorted({name for row in [*MODEL, *SETTING, *ANSWERS] for cell in row for name in functions_in(cell)})


@pytest.mark.parametrize("name", NAMED)
def test_what_is_named_exists(name):
    assert definition(name) is not None


CALLS = [(row[1], callee) for row in [*MODEL, *SETTING] for callee in functions_in(row[2])]


@pytest.mark.parametrize(("caller", "callee"), CALLS)
def test_a_function_calls_what_the_table_says(caller, callee):
    [name] = functions_in(caller)
    assert last(callee) in names_used(definition(name))


def rules() -> dict[str, str]:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("rules/*.smk")))
    parts = re.split(r"^(?:rule|checkpoint) (\w+):\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize(("rule", "function"), [row[:2] for row in MODEL if row[0]])
def test_a_rule_s_script_calls_the_function(rule, function):
    [script] = re.findall(r'script:\s+"\.\./workflow/scripts/(\w+\.py)"', rules()[in_code_type(rule)[0]])
    tree = ast.parse((ROOT / "workflow/scripts" / script).read_text(encoding="utf-8"))
    [name] = functions_in(function)
    assert last(name) in names_used(tree)


def test_a_function_without_a_rule_is_called_by_one_above_it():
    for place, (rule, function, _, _) in enumerate(MODEL):
        if not rule:
            [name] = functions_in(function)
            assert last(name) in {last(callee) for _, _, calls, _ in MODEL[:place] for callee in functions_in(calls)}


@pytest.mark.parametrize(("function", "told"), [(row[1], row[3]) for row in SETTING if functions_in(row[1])])
def test_rules_and_scripts_call_what_they_are_said_to_call(function, told):
    [name] = functions_in(function)
    for path in in_code_type(told):
        if path.endswith((".smk", ".py")):
            assert re.search(rf"\b{last(name)}\(", (ROOT / path).read_text(encoding="utf-8"))


def test_the_setting_stands_where_the_table_says_and_is_used_there():
    [key] = re.findall(r"^`pretrain\.(\w+)` as an example", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    rows = {step: function for step, function, _, _ in SETTING}
    assert [path for path in in_code_type(rows["stands in"]) if key not in (ROOT / path).read_text()] == []
    [user] = functions_in(rows["used"])
    assert key in ast.unparse(definition(user))
