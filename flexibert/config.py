"""Settings of an experiment: defaults, changes laid over them, and every mistake in them told at once."""

import copy
import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from flexibert.errors import ConfigError
from flexibert.runs import Recipe

Settings = dict[str, Any]

UNUSABLE = "config is not usable"  # heads the sentences on it

# The first stage that each section's keys change; the stages after it follow from the DAG.
FIRST_STAGE = {
    "seed": "everything",
    "corpus": "corpus, and all that is trained on it",
    "tokenizer": "tokenizer, and all that is trained with it",
    "tasks": "task preparation, fine-tuning and what follows",
    "space": "library, search and what follows",
    "library": "library, search and what follows",
    "model": "pre-training and what follows",
    "pretrain": "pre-training and what follows",
    "transfer": "proposals, transfers and what follows",
    "finetune": "fine-tuning and what follows",
    "retune": "re-runs of aleatoric queries",
    "search": "proposals; models already trained are kept",
    "searches": "proposals of that search; models already trained are kept",
    "comparison": "report",
    "baselines": "confirmation, final training and report; models already trained are kept",
    "confirm": "confirmation and what follows; models already trained are kept",
    "final": "final training and report",
    "report": "report",
    "jobs": "nothing",
}


def read_yaml(path: str | Path) -> Any:
    """Read one YAML file.

    Raises:
        ConfigError: The file is missing or is not YAML; the line is named.
    """
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None


def merge(base: Settings, changes: Mapping[str, Any]) -> Settings:
    """Lay `changes` over `base`, key by key; a list or a plain value replaces what was there."""
    merged = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def complete(changes: Mapping[str, Any], root: str | Path) -> Settings:
    """Complete settings that agree with the schema: types, ranges and names of keys, each by itself.

    Args:
        changes: What a person set, by files or on the command line.
        root: Folder that holds config/config.yaml and workflow/schemas/.

    Raises:
        ConfigError: One sentence for each problem, all of them.
    """
    root = Path(root)
    defaults = read_yaml(root / "config" / "config.yaml")
    schema = read_yaml(root / "workflow" / "schemas" / "config.schema.yaml")
    settings = merge(defaults, changes)
    if problems := list(_schema_problems(settings, schema)):
        raise ConfigError(problems, UNUSABLE)
    return settings


def resolve(changes: Mapping[str, Any], root: str | Path) -> Settings:
    """Complete settings whose keys agree with the schema and with each other; arguments and errors as of `complete`.

    What the rooms know of their own sections, files and folders, `preflight.check_experiment` asks them.
    """
    settings = complete(changes, root)
    if problems := list(cross_problems(settings)):
        raise ConfigError(problems, UNUSABLE)
    return settings


def search_settings(settings: Settings, search: str) -> Settings:
    """Settings of one named search: `search` with that search's changes."""
    return merge(settings["search"], settings["searches"][search] or {})


def training_settings(settings: Settings, stage: str, recipe: str | Recipe) -> Settings:
    """Settings by which a run of `recipe` is trained.

    Args:
        stage: "pretrain" or "finetune".
        recipe: The recipe, or its name.
    """
    section = Recipe.parse(recipe).kind.section
    return merge(settings[stage], settings[section][stage] if section else {})


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any, Any]]:
    """Keys whose values differ: (dotted key, old value, new value); an absent value is None."""
    found = []
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append((f"{prefix}{key}", before, after))
    return found


def _schema_problems(settings: Settings, schema: Settings) -> Iterator[str]:
    from jsonschema import Draft202012Validator

    for error in sorted(
        Draft202012Validator(schema).iter_errors(settings), key=lambda error: list(map(str, error.path))
    ):
        yield from _sentences(error)


def _sentences(error: Any) -> Iterator[str]:
    """Sentences a person can act on, from one error of the schema validator."""
    dotted = _dotted(error.absolute_path)
    value, limit = error.instance, error.validator_value
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for key in value:
            if key not in known:
                yield f"{dotted}: unknown key {key!r}{_suggestion(str(key), known)}"
    elif error.validator == "required":
        for key in limit:
            if key not in value:
                yield f"{dotted}: key {key!r} is missing"
    elif error.validator == "enum":
        yield f"{dotted}: {value!r} is not one of {', '.join(map(str, limit))}{_suggestion(str(value), limit)}"
    elif error.validator == "type":
        kinds = limit if isinstance(limit, str) else " or ".join(limit)
        yield f"{dotted}: {value!r} is not of type {kinds}{_number_hint(value)}"
    elif error.validator == "pattern":
        meaning = error.schema.get("description", f"it must match {limit}")
        yield f"{dotted}: {value!r} cannot be used. {meaning}"
    elif error.validator in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        relation = {
            "minimum": "less than the minimum of",
            "exclusiveMinimum": "not greater than",
            "maximum": "greater than the maximum of",
            "exclusiveMaximum": "not less than",
        }
        yield f"{dotted}: {value!r} is {relation[error.validator]} {limit}"
    else:
        yield f"{dotted}: {error.message}"


def _dotted(path: Any) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "config"


def _suggestion(word: str, known: list[Any]) -> str:
    close = difflib.get_close_matches(word, [str(name) for name in known], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _number_hint(value: Any) -> str:
    """YAML 1.1 reads 1e-4 as text, a trap for learning rates."""
    if not isinstance(value, str):
        return ""
    try:
        return f"; YAML reads this as text, write {float(value):.1e}" if "e" in value.lower() else ""
    except ValueError:
        return ""


def cross_problems(settings: Settings) -> Iterator[str]:
    """Where keys contradict each other, which a schema cannot say; the settings agree with the schema."""
    yield from _suite_problems(settings)
    for section in ("pretrain", "retune.pretrain", "final.pretrain"):
        yield from _pretrain_problems(settings, section)
    for section in ("finetune", "retune.finetune", "final.finetune"):
        low, high = _section(settings, section)["learning_rate"]
        if low > high:
            yield f"{section}.learning_rate: the range [{low}, {high}] is reversed; write the lower rate first"
    if settings["tasks"]["length"] > settings["model"]["max_positions"]:
        yield (
            f"tasks.length: {settings['tasks']['length']} is longer than model.max_positions "
            f"({settings['model']['max_positions']}); lower the one or raise the other"
        )
    yield from _search_problems(settings)
    yield from _confirm_problems(settings)


def _suite_problems(settings: Settings) -> Iterator[str]:
    """Suites that are asked for and not prepared."""
    suites = [suite["suite"] for suite in settings["tasks"]["suites"]]
    wanted = [("final.suites", name) for name in settings["final"]["suites"]]
    wanted += [(f"searches.{name}.suite", search_settings(settings, name)["suite"]) for name in settings["searches"]]
    for key, name in wanted:
        if name not in suites:
            yield f"{key}: suite {name!r} is not in tasks.suites ({', '.join(suites)}); add it there"


def _section(settings: Settings, dotted: str) -> Settings:
    """`pretrain` or `finetune` as a part of the experiment sees it, e.g. "final.pretrain"."""
    owner, _, stage = dotted.rpartition(".")
    return merge(settings[stage], settings[owner][stage]) if owner else settings[stage]


def _pretrain_problems(settings: Settings, section: str) -> Iterator[str]:
    keys = _section(settings, section)
    if keys["batch"] % (keys["micro_batch"] * keys["devices"]):
        yield (
            f"{section}.batch: {keys['batch']} is not a multiple of micro_batch x devices "
            f"({keys['micro_batch']} x {keys['devices']}); change one of them"
        )
    if keys["warmup_steps"] >= keys["steps"]:
        yield f"{section}.warmup_steps: {keys['warmup_steps']} leaves none of the {keys['steps']} steps; lower it"
    if keys["length"] > settings["model"]["max_positions"]:
        yield (
            f"{section}.length: {keys['length']} is longer than model.max_positions "
            f"({settings['model']['max_positions']}); lower the one or raise the other"
        )


def _search_problems(settings: Settings) -> Iterator[str]:
    for name in settings["searches"]:
        levels = [level["level"] for level in search_settings(settings, name)["levels"]]
        if levels != sorted(set(levels)):
            yield f"searches.{name}.levels: levels {levels} must rise without repeats"
    if "main" not in settings["searches"]:
        yield "searches: key 'main' is missing; the final model is that search's best"
    for name in settings["comparison"]:
        if name not in settings["searches"]:
            yield f"comparison: {name!r} is not in searches{_suggestion(name, list(settings['searches']))}"
    if settings["library"]["dimensions"] >= settings["library"]["graphs"]:
        yield (
            f"library.dimensions: {settings['library']['dimensions']} dimensions need more graphs than "
            f"library.graphs ({settings['library']['graphs']}); lower the one or raise the other"
        )


def _confirm_problems(settings: Settings) -> Iterator[str]:
    confirm = settings["confirm"]
    for name in confirm["searches"]:
        if name not in settings["searches"]:
            yield f"confirm.searches: {name!r} is not in searches{_suggestion(name, list(settings['searches']))}"
    if confirm["models"] and confirm["searches"] and not settings["tasks"]["test_share"]:
        yield (
            "tasks.test_share: 0 keeps no rows away, but a confirmed winner is scored on rows that chose nothing; "
            "set it above 0, or confirm.models and confirm.seeds to 0"
        )
    if bool(confirm["models"]) != bool(confirm["seeds"]):
        lacking, given = ("seeds", "models") if confirm["models"] else ("models", "seeds")
        yield (
            f"confirm.{lacking}: 0 does not go with confirm.{given} {confirm[given]}; "
            f"give confirm.{lacking} a number, or set both to 0 to confirm nothing"
        )
