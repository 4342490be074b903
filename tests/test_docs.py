"""The documentation is true: examples are valid, links lead somewhere, tables equal the files.

Its commands are run in tests/test_docs_commands.py.
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flexibert.cli import COMMANDS, build_parser
from flexibert.config import read_yaml, resolve
from flexibert.report.figures import FIGURES
from flexibert.settings import SourceSettings, SuiteSettings
from flexibert.space.architecture import Architecture
from flexibert.space.design_space import DesignSpace

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("docs/*.md"),
        *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "config/README", "results/README")),
    ]
)
SPACE_KEYS = {"operations", "hidden_sizes", "heads", "feed_forward", "feed_forward_stacks", "layers", "levels"}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def every_block(language: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page, language))
    ]


def commands_in_sentences() -> list[str]:
    """Commands in code type outside of blocks, e.g. `flexibert status RESULTS`."""
    text = "".join(re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE) for page in PAGES)
    return sorted(set(re.findall(r"`((?:flexibert|snakemake|make|python) [^`]+)`", text)))


@pytest.mark.parametrize("command", commands_in_sentences())
def test_commands_in_sentences_exist(command):
    """Program, subcommand or target, options and scripts are known; whole commands stand in blocks and are run."""
    program, *words = shlex.split(command)
    options = {word for word in words if word.startswith("-")}
    if program == "flexibert":
        parser = build_parser()._subparsers._group_actions[0].choices[words[0]]
        assert options <= set(parser._option_string_actions)
    elif program == "snakemake":
        from snakemake.cli import get_argument_parser

        assert options <= set(get_argument_parser()._option_string_actions)
    elif program == "make":
        assert re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    else:
        assert (ROOT / words[0]).is_file()


def test_counts_of_the_reproduction_are_those_of_the_space():
    table = (ROOT / "docs/reproduction.md").read_text()
    space = DesignSpace.from_yaml(ROOT / "config/spaces/paper.yaml")
    for level, name in enumerate(("G1", "G2", "G3"), 1):
        assert re.search(rf"^\| {name} \|.*\| {space.count(level):,} \|$", table, re.MULTILINE)


def test_readme_lists_every_command_and_no_other():
    listed = re.findall(r"^\| `flexibert (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    existing = [function.__name__.removeprefix("_add_") for function in COMMANDS]
    assert sorted(listed) == sorted(existing)


# examples


@pytest.mark.parametrize("block", every_block("yaml"))
def test_yaml_examples_are_valid(block):
    content = yaml.safe_load(block)
    if set(content) >= SPACE_KEYS:
        assert DesignSpace.from_mapping(content).count(1) > 0
    elif "default-resources" in content or "set-resources" in content:
        assert set(content) <= set(read_yaml(ROOT / "workflow/profiles/slurm/config.yaml"))
    else:
        assert resolve(content, ROOT)["name"] == content.get("name", "default")


@pytest.mark.parametrize("block", every_block("json"))
def test_json_examples_are_valid(block):
    content = json.loads(block)
    if "l" in content:
        assert Architecture.from_model_dict(content).to_model_dict()["l"] == content["l"]


# links and paths


def heading_anchor(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            broken.append(link)
        elif anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            if anchor not in map(heading_anchor, headings):
                broken.append(link)
    assert broken == []


def paths_in_code(text: str) -> set[str]:
    """Paths of this repository that stand in code type; those with a NAME in capitals are patterns."""
    found = re.findall(r"`((?:config|docs|envs|flexibert|rules|tests|workflow)/[\w./-]*)`", text)
    return {path for path in found if not re.search(r"[A-Z]{3,}", path.replace("README", ""))}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page):
    imagined = {"flexibert/training/distil.py", "workflow/scripts/distil.py"}  # the new stage of docs/extending.md
    missing = {path for path in paths_in_code(page.read_text(encoding="utf-8")) if not (ROOT / path).exists()}
    assert missing <= imagined


def tree_entries() -> set[str]:
    """Paths of the tree in the README; a folder's entries stand two blanks further in."""
    (tree,) = [block for block in blocks(ROOT / "README.md", "text") if "Snakefile" in block]
    found, folders = set(), [""]
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.match(r"[\w./-]+(, [\w./-]+)*", line.strip()).group().split(", ")
        entries = [folders[depth] + name for name in names]
        folders[depth + 1 :] = [entries[0]]
        found.update(entries)
    return found


def test_the_tree_of_the_readme_shows_what_is_there():
    entries = tree_entries()
    assert [entry for entry in entries if not (ROOT / entry).exists()] == []
    parts = [
        *ROOT.glob("rules/*.smk"),
        *(path.parent for path in ROOT.glob("flexibert/*/**/__init__.py")),
        *ROOT.glob("flexibert/*.py"),
        *ROOT.glob("config/*"),
    ]
    wanted = {str(path.relative_to(ROOT)) + ("/" if path.is_dir() else "") for path in parts}
    unlisted = {"flexibert/__pycache__/", "flexibert/__init__.py", "config/README.md"}
    assert wanted - entries <= unlisted


# tables of settings


def leaves(keys: dict[str, Any], definitions: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys of a part of the schema, those of list entries as name[].key."""
    for name, value in keys.items():
        place = f"{prefix}{name}"
        items = value.get("items", {})
        items = definitions[items["$ref"].rpartition("/")[2]] if "$ref" in items else items
        if "properties" in items:
            yield place
            yield from leaves(items["properties"], definitions, f"{place}[].")
        elif "properties" in value:
            if value["type"] != "object":  # it may be null, so it has a value of its own
                yield place
            yield from leaves(value["properties"], definitions, f"{place}.")
        else:
            yield place


def settings_table() -> dict[str, list[str]]:
    """Cells of each row of the tables in config/README.md, by key."""
    lines = (ROOT / "config/README.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in rows if len(row) == 6}


def value_of(settings: Any, key: str) -> Any:
    """Value of a dotted key; of a list the first entry; KeyError where there is none."""
    for part in key.split("."):
        settings = settings[part.removesuffix("[]")]
        settings = settings[0] if part.endswith("[]") else settings
    return settings


def test_every_key_stands_in_the_table_and_no_other():
    schema = read_yaml(ROOT / "workflow/schemas/config.schema.yaml")
    assert set(settings_table()) == set(leaves(schema["properties"], schema["$defs"]))


@pytest.mark.parametrize(("column", "name"), [(2, "config"), (3, "paper")])
def test_values_in_the_table_are_those_of_the_files(column, name):
    settings = resolve(read_yaml(ROOT / f"config/{name}.yaml"), ROOT)
    wrong = {}
    for key, cells in settings_table().items():
        quoted = re.fullmatch(r"`(.*)`", cells[column])
        if not quoted:
            continue
        try:
            value = value_of(settings, key)
        except KeyError:
            value = (SourceSettings.defaults() | SuiteSettings.defaults())[key.rpartition(".")[2]]
        if yaml.safe_load(quoted.group(1)) != value:
            wrong[key] = (cells[column], value)
    assert wrong == {}


def test_the_paper_s_experiment_has_the_paper_s_values():
    """A value in code type in the last column is one that paper.yaml must have."""
    said_by_paper = {key: cells for key, cells in settings_table().items() if re.fullmatch(r"`.*`", cells[4])}
    assert len(said_by_paper) > 15
    assert {key: cells[3:] for key, cells in said_by_paper.items() if cells[3] != cells[4]} == {}


def test_hardly_any_value_is_left_out_of_the_table():
    empty = {key for key, cells in settings_table().items() if not cells[2]}
    assert empty == {"corpus.sources[].final_only", "final.scale_up.layers", "final.scale_up.widths"}


def test_the_paper_s_experiment_names_its_departures():
    """Where the paper's own values differ from the file, the page on the reproduction discusses it."""
    text = (ROOT / "docs/reproduction.md").read_text(encoding="utf-8")
    paper = resolve(read_yaml(ROOT / "config/paper.yaml"), ROOT)
    rate = paper["pretrain"]["learning_rate"]
    assert f"`config/paper.yaml` has the code's {rate:.1e}".replace("e-0", "e-") in text
    assert f"{paper['corpus']['sources'][-1]['documents']:,} documents" in text
    for name in re.findall(r"`([a-z-]+)`", re.search(r"\| other search methods \| (.*?) in", text).group(1)):
        assert name in paper["searches"]


def test_the_slurm_profile_is_explained_key_by_key():
    profile = read_yaml(ROOT / "workflow/profiles/slurm/config.yaml")
    page = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    keys = [*profile, "slurm_account", "slurm_partition", "gres"]
    assert [key for key in keys if not re.search(rf"^\| `{key}\b", page, re.MULTILINE)] == []


def test_local_rules_are_listed():
    text = "".join(path.read_text() for path in sorted(ROOT.glob("rules/*.smk")))
    definitions = re.split(r"^(?:rule|checkpoint) (\w+):\n", text, flags=re.MULTILINE)[1:]
    rules = [name for name, body in zip(definitions[::2], definitions[1::2], strict=True) if "localrule: True" in body]
    sentence = re.search(r"The rules (.*?) work for seconds", (ROOT / "docs/cluster.md").read_text()).group(1)
    assert set(re.findall(r"`(\w+)`", sentence)) == set(rules)


def test_every_figure_of_the_report_is_explained():
    page = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE)
    for drawing in FIGURES.values():
        assert any(drawing.title.startswith(part) for part in told), drawing.title


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_nothing_is_left_to_fill_in(page):
    assert re.findall(r"^[A-Z_]{3,}$|TODO|FIXME", page.read_text(encoding="utf-8"), re.MULTILINE) == []


def test_mermaid_blocks_open_as_diagrams():
    drawn = [block for page in PAGES for block in blocks(page, "mermaid")]
    assert drawn
    for block in drawn:
        assert block.split()[0] in ("flowchart", "stateDiagram-v2")
        for opening, closing in ("[]", "{}", "()"):
            assert block.count(opening) == block.count(closing)
