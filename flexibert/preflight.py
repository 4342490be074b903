"""Everything that can be known to be wrong before the first job, and the settings kept beside the results."""

import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from flexibert import __version__
from flexibert.config import (
    FIRST_STAGE,
    UNUSABLE,
    Settings,
    complete,
    cross_problems,
    differences,
    read_yaml,
    search_settings,
)
from flexibert.errors import ConfigError, UsageError
from flexibert.extras import missing_extra
from flexibert.files import write_json, write_text
from flexibert.layout import Layout
from flexibert.provenance import commit
from flexibert.settings import SourceSettings, SuiteSettings, TokenizerSettings

if TYPE_CHECKING:
    from flexibert.space.design_space import DesignSpace

# Software that can change a number.
RECORDED = [
    "torch",
    "transformers",
    "tokenizers",
    "datasets",
    "numpy",
    "scipy",
    "scikit-learn",
    "botorch",
    "optuna",
    "snakemake",
]


def check_experiment(changes: Mapping[str, Any], root: str | Path, whole: bool = True) -> Settings:
    """Complete settings of an experiment, after every check that needs no computing.

    Args:
        changes: What a person set.
        root: Folder of the Snakefile.
        whole: Also look at the design space, text and tasks; a job of a running experiment need not.

    Raises:
        ConfigError: One sentence for each problem.
    """
    settings = complete(changes, root)
    problems = list(cross_problems(settings))
    if whole:
        problems += [*_data_problems(settings), *_space_problems(settings, root), *_extra_problems(settings)]
    if problems:
        raise ConfigError(problems, UNUSABLE)
    return settings


def check_typed(values: Any, option: str = "--config") -> list[str]:
    """Texts of `snakemake --config` that would not reach the jobs as they were typed, one sentence a problem.

    Snakemake writes them into the command line of each job between quotation marks of Python, not of the shell (9.27,
    `format_cli_value`), so that `$(...)` in a text with an apostrophe would be executed.
    """
    if isinstance(values, Mapping):
        return [problem for key, value in values.items() for problem in check_typed(value, f"{option} {key}")]
    if isinstance(values, list | tuple):
        return [problem for value in values for problem in check_typed(value, option)]
    if isinstance(values, str) and (set(values) & set("'\"$`\\") or not values.isprintable()):
        return [f"{option}: {values!r} holds a character that a shell reads; write it into a file for --configfile"]
    return []


def check_folder_name(folder: str | Path) -> None:
    """Look whether a cluster's jobs can be told where they work.

    The Slurm plugin (2.8.0) puts a job's command between double quotation marks, where a shell reads some characters.

    Raises:
        UsageError: The path holds such a character.
    """
    if set(str(folder)) & set('"$`\\\n'):
        raise UsageError(f'{folder}: on a cluster a shell would read the $, `, \\ or " in this name; rename the folder')


def space_path(settings: Settings, root: str | Path) -> Path:
    """The design space's file: relative to the working directory, else to the folder of the Snakefile."""
    path = Path(settings["space"])
    return path if path.is_file() else Path(root) / path


def _space_problems(settings: Settings, root: str | Path) -> list[str]:
    from flexibert.space.design_space import DesignSpace

    path = space_path(settings, root)
    if not path.is_file():
        return [f"space: {settings['space']}: no such file, neither here nor beside the Snakefile"]
    try:
        space = DesignSpace.from_yaml(path)
    except UsageError as error:
        return [f"space: {settings['space']}: {problem}" for problem in error.problems]
    problems = []
    for name in settings["searches"]:
        for keys in search_settings(settings, name)["levels"]:
            if keys["level"] > len(space.levels):
                there = f"{settings['space']} has {len(space.levels)}"
                problems.append(f"searches.{name}.levels: level {keys['level']} does not exist; {there}")
    return problems + _baseline_problems(settings, space)


def _baseline_problems(settings: Settings, space: "DesignSpace") -> list[str]:
    from flexibert.outcome.baselines import baseline_problems

    positions, tokens = settings["model"]["max_positions"], settings["tokenizer"]["vocabulary"]
    return list(baseline_problems(settings["baselines"], space, positions, tokens))


def _data_problems(settings: Settings) -> list[str]:
    from flexibert.data.corpus import check_corpus
    from flexibert.data.tasks import check_tasks
    from flexibert.data.tokenizer import check_tokenizer

    return [
        *check_corpus([SourceSettings.from_mapping(source) for source in settings["corpus"]["sources"]]),
        *check_tokenizer(TokenizerSettings.from_mapping(settings["tokenizer"])),
        *check_tasks(
            [SuiteSettings.from_mapping(suite) for suite in settings["tasks"]["suites"]],
            settings["tasks"]["leave_out"],
        ),
    ]


def _extra_problems(settings: Settings) -> list[str]:
    chosen = {f"searches.{name}.method": search_settings(settings, name)["method"] for name in settings["searches"]}
    chosen["report.embedding_map"] = settings["report"]["embedding_map"]
    return [f"{key}: {missing}" for key, choice in chosen.items() if (missing := missing_extra(choice))]


def lasting(settings: Settings) -> Settings:
    """The settings that can change a result: all but how work is done."""
    return {key: value for key, value in settings.items() if key != "jobs"}


def changes_since(results: str | Path, settings: Settings) -> list[str]:
    """Lines that tell how the settings differ from those that made a results folder, and what will be made again."""
    kept = Layout(results).config.path()
    if not kept.is_file():
        return []
    changed = differences(read_yaml(kept), lasting(settings))
    if not changed:
        return []
    lines = [f"{results} was made with other settings; what depends on them is made again:"]
    for key, old, new in changed:
        again = FIRST_STAGE.get(key.split(".")[0], "what reads it")
        lines.append(f"  {key}: {old!r} -> {new!r} (makes again: {again})")
    return lines


def write_settings(settings: Settings, config: str | Path, versions: str | Path) -> None:
    """Write the complete settings and the versions of the software that a result depends on."""
    write_text(config, yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True))
    found = {"flexibert": __version__, "commit": commit(), "python": platform.python_version()}
    for name in RECORDED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    write_json(versions, found)
