"""A design space as its YAML file says it (paper, table 1): values, levels, and which models belong to it."""

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from flexibert.errors import DesignSpaceError
from flexibert.space.architecture import OPERATIONS, Architecture, Layer, heads_problems, parameter_problems
from flexibert.space.levels import Choices, Level, LevelDefinition

KEYS = ("operations", "hidden_sizes", "heads", "feed_forward", "feed_forward_stacks", "layers", "levels")
SIZE_KEYS = KEYS[1:6]
LEVEL_KEYS = ("name", "stack", "feed_forward", "heads")


class DesignSpace:
    """All models that can be built from given values, in levels of growing freedom.

    Attributes:
        choices: The values, ascending.
        levels: The levels' settings; level 1 is `levels[0]`.
    """

    def __init__(self, choices: Choices, levels: list[LevelDefinition]) -> None:
        self.choices = choices
        self.levels = levels
        self._levels = [Level(settings, choices) for settings in levels]

    @classmethod
    def from_yaml(cls, path: str | Path) -> "DesignSpace":
        """Read a space file.

        Raises:
            DesignSpaceError: With one sentence for every key or value that is missing, repeated, unknown or cannot
                be built, and for a file that is not YAML.
        """
        with open(path, encoding="utf-8") as stream:
            try:
                content = yaml.load(stream, Loader=_NoRepeatedKeys)  # a SafeLoader: it makes plain values only
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                problem = f"not readable as YAML: {' '.join(str(error).split())}"
                raise DesignSpaceError(problem, f"{path} is not usable") from None
        return cls.from_mapping(content, str(path))

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any], name: str = "space") -> "DesignSpace":
        """Read a space from the content of its YAML file; raises as `from_yaml`."""
        problems = _problems(content)
        if problems:
            raise DesignSpaceError(problems, f"{name} is not usable")
        forms = [(operation, p) for operation in OPERATIONS for p in sorted(content["operations"].get(operation, ()))]
        choices = Choices(tuple(forms), *(tuple(sorted(content[key])) for key in SIZE_KEYS))
        levels = [LevelDefinition(**{"name": f"level {k + 1}", **level}) for k, level in enumerate(content["levels"])]
        return cls(choices, levels)

    def level(self, level: int = 1) -> Level:
        """The level of a number from 1 on; raises DesignSpaceError where there is none."""
        if isinstance(level, bool) or not isinstance(level, int) or not 1 <= level <= len(self._levels):
            raise DesignSpaceError(f"level: {level!r} does not exist (allowed: 1 to {len(self._levels)})")
        return self._levels[level - 1]

    def count(self, level: int = 1) -> int:
        """Number of different graphs of a level, exact and without enumeration."""
        return self.level(level).count

    def enumerate(self, level: int = 1) -> Iterator[Architecture]:
        """All graphs of a level in a fixed order."""
        return self.level(level).enumerate()

    def sample(self, count: int, level: int = 1, seed: int = 0) -> list[Architecture]:
        """Distinct graphs of a level, uniformly, without enumeration; equal seeds give equal samples.

        Raises:
            DesignSpaceError: If the level has fewer graphs.
        """
        available = self.count(level)
        if not 0 <= count <= available:
            raise DesignSpaceError(f"sample: {count} graphs of level {level} (allowed: 0 to {available})")
        return self.level(level).sample(count, seed)

    def neighbours(self, architecture: Architecture, level: int = 1) -> list[Architecture]:
        """All graphs of a level that are one edit away (see `Level.neighbours`).

        Raises:
            DesignSpaceError: If the architecture is not of that level.
        """
        if not self.level(level).contains(architecture):
            problems = self.problems(architecture) or [f"{architecture.id} is not of level {level}"]
            raise DesignSpaceError(problems)
        return self.level(level).neighbours(architecture)

    def level_of(self, architecture: Architecture) -> int | None:
        """The first level that has the graph, or None where none has."""
        return next((k + 1 for k, level in enumerate(self._levels) if level.contains(architecture)), None)

    def problems(self, architecture: Architecture) -> list[str]:
        """Why a model is outside the space: field, value and what is allowed; empty where it is inside."""
        choices = self.choices
        found = []
        if len(architecture.layers) not in choices.layers:
            found.append(f"l: {len(architecture.layers)} layers are not in the space ({_allowed(choices.layers)})")
        for j, layer in enumerate(architecture.layers):
            found += self._layer_problems(j, layer)
        if not found and self.level_of(architecture) is None:
            said = "; ".join(f"{level.name}: {_level_text(level)}" for level in self.levels)
            found.append(f"the model has allowed values, but its layers differ in a way that no level allows ({said})")
        return found

    def _layer_problems(self, j: int, layer: Layer) -> list[str]:
        choices = self.choices
        found = []
        if layer.hidden not in choices.hidden_sizes:
            found.append(f"h[{j}]: {layer.hidden} is not in the space ({_allowed(choices.hidden_sizes)})")
        if len(layer.heads) not in choices.heads:
            found.append(f"n[{j}]: {len(layer.heads)} heads are not in the space ({_allowed(choices.heads)})")
        for head in dict.fromkeys(layer.heads):
            if (head.operation, head.parameter) not in choices.forms:
                allowed = _allowed([f"{operation} {parameter}" for operation, parameter in choices.forms])
                found.append(f"o[{j}], p[{j}]: {head.operation} {head.parameter} is not in the space ({allowed})")
            if head.size * len(layer.heads) != layer.hidden:
                found.append(f"o[{j}]: head size {head.size} is not in the space (allowed: h[{j}] / number of heads)")
        if len(layer.feed_forward) not in choices.feed_forward_stacks:
            allowed = _allowed(choices.feed_forward_stacks)
            found.append(f"f[{j}]: a stack of {len(layer.feed_forward)} is not in the space ({allowed})")
        for width in dict.fromkeys(layer.feed_forward):
            if width not in choices.feed_forward:
                found.append(f"f[{j}]: width {width} is not in the space ({_allowed(choices.feed_forward)})")
        return found

    def summary(self, level: int = 1) -> dict[str, Any]:
        """What `flexibert space` prints: exact counts of one level, in all and by depth."""
        chosen = self.level(level)
        forms = chosen.layer_forms
        return {
            "graphs": chosen.count,
            "level": level,
            "name": chosen.settings.name,
            "layer_forms": forms,
            "graphs_by_layers": {str(depth): forms ** chosen.free_layers(depth) for depth in self.choices.layers},
            "levels": len(self.levels),
        }

    def to_mapping(self) -> dict[str, Any]:
        """The content of the space's YAML file, values ascending and every default written."""
        operations: dict[str, list] = {}
        for operation, parameter in self.choices.forms:
            operations.setdefault(operation, []).append(parameter)
        sizes = {key: list(getattr(self.choices, key)) for key in SIZE_KEYS}
        levels = [{key: getattr(level, key) for key in LEVEL_KEYS} for level in self.levels]
        return {"operations": operations, **sizes, "levels": levels}

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits that name the space, whatever the order of its file."""
        return hashlib.sha256(json.dumps(self.to_mapping(), sort_keys=True).encode()).hexdigest()


class _NoRepeatedKeys(yaml.SafeLoader):
    """YAML in which a key given twice is an error instead of the last one winning in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"key {key!r} is given a second time on line {line}; remove one of them")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _problems(content: Any) -> list[str]:
    if not isinstance(content, Mapping):
        return [f"expected a mapping with the keys {', '.join(KEYS)}, found {content!r}"]
    found = [f"key '{key}' is missing (needed: {', '.join(KEYS)})" for key in KEYS if key not in content]
    found += [_unknown(key, KEYS) for key in content if key not in KEYS]
    for key in SIZE_KEYS:
        if key in content:
            found += _value_problems(key, content[key], _size_problem)
    if "operations" in content:
        found += _operation_problems(content["operations"])
    if "levels" in content:
        found += _level_problems(content["levels"], content.get("layers"))
    return found if found else _heads_problems(content)


def _unknown(key: Any, allowed: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(str(key), allowed, 1)
    return f"unknown key {key!r}" + (f"; did you mean '{close[0]}'?" if close else f" (allowed: {', '.join(allowed)})")


def _size_problem(value: Any) -> list[str]:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return []
    return [f"{value!r} is not a size (allowed: an integer of at least 1)"]


def _value_problems(key: str, values: Any, check: Any) -> list[str]:
    if not isinstance(values, list) or not values:
        return [f"{key}: {values!r} is not a list of values (needed: at least one)"]
    found = [f"{key}: {problem}" for value in values for problem in check(value)]
    repeated = [value for k, value in enumerate(values) if value in values[:k]]
    return found + [
        f"{key}: {value!r} is given more than once; remove the repetition" for value in dict.fromkeys(repeated)
    ]


def _operation_problems(operations: Any) -> list[str]:
    if not isinstance(operations, Mapping) or not operations:
        return [f"operations: {operations!r} is not a mapping from {', '.join(OPERATIONS)} to their parameters"]
    found = []
    for operation, values in operations.items():
        if operation not in OPERATIONS:
            found.append(f"operations: unknown operation {operation!r} (allowed: {', '.join(OPERATIONS)})")
            continue
        found += _value_problems(f"operations.{operation}", values, lambda p, o=operation: parameter_problems(o, p))
    return found


def _level_problems(levels: Any, layers: Any) -> list[str]:
    if not isinstance(levels, list) or not levels:
        return [f"levels: {levels!r} is not a list of levels (needed: at least one, for example - stack: 2)"]
    found = []
    for k, level in enumerate(levels):
        entry = f"levels[{k}]"
        if not isinstance(level, Mapping):
            found.append(f"{entry}: {level!r} is not a mapping with the keys {', '.join(LEVEL_KEYS)}")
            continue
        found += [f"{entry}: {_unknown(key, LEVEL_KEYS)}" for key in level if key not in LEVEL_KEYS]
        found += _stack_problems(entry, level, layers)
        for key in ("feed_forward", "heads"):
            if level.get(key, "equal") not in ("equal", "mixed"):
                found.append(f"{entry}.{key}: {level[key]!r} is unknown (allowed: equal, mixed)")
        if not isinstance(level.get("name", ""), str):
            found.append(f"{entry}.name: {level['name']!r} is not text; put it in quotes")
    return found


def _stack_problems(entry: str, level: Mapping, layers: Any) -> list[str]:
    if "stack" not in level:
        return [f"{entry}: key 'stack' is missing (allowed: a number of equal consecutive layers, or all)"]
    stack = level["stack"]
    if stack == "all":
        return []
    if _size_problem(stack):
        return [f"{entry}.stack: {stack!r} is no stack size (allowed: an integer of at least 1, or all)"]
    depths = [depth for depth in layers if not _size_problem(depth)] if isinstance(layers, list) else []
    return [
        f"{entry}.stack: {stack} does not divide a depth of {depth} layers; change one of them"
        for depth in depths
        if depth % stack
    ]


def _heads_problems(content: Mapping) -> list[str]:
    found = [
        f"heads: {problem}"
        for operation in content["operations"]
        for hidden in content["hidden_sizes"]
        for heads in content["heads"]
        for problem in heads_problems(operation, hidden, heads)
    ]
    return list(dict.fromkeys(found))


def _allowed(values: Any) -> str:
    return f"allowed: {', '.join(map(str, values))}"


def _level_text(level: LevelDefinition) -> str:
    return f"stacks of {level.stack}, {level.feed_forward} feed-forward widths, {level.heads} heads"
