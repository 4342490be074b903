"""One architecture: what a model dictionary says, checked, in one canonical form, with one name.

The model dictionary (paper: design space) is the interchange format. Its plain form gives each layer one operation,
`{"l", "o", "h", "n", "f", "p"}`; its heterogeneous-heads form gives each head its own, written
`<operation>_<parameter>_<head size>`: `{"l": 1, "o": [["sa_sdp_64", "l_dct_64"]], "h": [128], "f": [[512]]}`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flexibert.errors import DesignSpaceError

PARAMETERS = {"sa": ("sdp", "wma"), "l": ("dft", "dct")}  # `c` takes a kernel size instead
OPERATIONS = ("sa", "l", "c")
PLAIN_KEYS = ("l", "o", "h", "n", "f", "p")
MIXED_KEYS = ("l", "o", "h", "f")


@dataclass(frozen=True)
class Head:
    """One operation head.

    Attributes:
        operation: "sa" (self-attention), "l" (linear transform) or "c" (dynamic span convolution).
        parameter: "sdp" or "wma" for "sa", "dft" or "dct" for "l", the kernel size for "c".
        size: Width of the head.
    """

    operation: str
    parameter: str | int
    size: int

    @property
    def text(self) -> str:
        """The head as the heterogeneous-heads dictionary writes it, e.g. "sa_sdp_64"."""
        return f"{self.operation}_{self.parameter}_{self.size}"

    @property
    def order(self) -> tuple[int, str | int, int]:
        """Key of the canonical order of the heads in a layer."""
        return OPERATIONS.index(self.operation), self.parameter, self.size


def _group_text(head: Head, count: int) -> str:
    """A group of equal heads as the network has it.

    A convolution gives one half of its heads to an attention and the other to the kernel; an odd number is halved in
    width instead, so that one head of size 64 is the same network as two of size 32.
    """
    size = head.size
    if head.operation == "c":
        count, size = (count // 2, size) if count % 2 == 0 else (count, size // 2)
    return f"{count}*{head.operation}_{head.parameter}_{size}"


@dataclass(frozen=True)
class Layer:
    """One encoder layer.

    Attributes:
        hidden: Hidden size.
        heads: The operation heads in canonical order: permuting heads does not change the network.
        feed_forward: Widths of the stacked feed-forward layers, from the input on.
    """

    hidden: int
    heads: tuple[Head, ...]
    feed_forward: tuple[int, ...]

    @classmethod
    def plain(
        cls, operation: str, parameter: str | int, hidden: int, heads: int, feed_forward: tuple[int, ...]
    ) -> "Layer":
        """A layer whose heads are all alike and share the hidden size evenly."""
        return cls(hidden, (Head(operation, parameter, hidden // heads),) * heads, feed_forward)

    @classmethod
    def mixed(cls, hidden: int, heads: list[Head], feed_forward: tuple[int, ...]) -> "Layer":
        """A layer with its own operation for each head, given in any order."""
        return cls(hidden, tuple(sorted(heads, key=lambda head: head.order)), feed_forward)

    @property
    def uniform(self) -> bool:
        """Whether all heads are alike, so that the plain dictionary can say it."""
        return len(set(self.heads)) == 1 and len(self.heads) * self.heads[0].size == self.hidden

    @cached_property
    def text(self) -> str:
        """Everything that shapes this layer's network, as one canonical string."""
        heads = ",".join(_group_text(head, self.heads.count(head)) for head in dict.fromkeys(self.heads))
        return f"{self.hidden}:{heads}:{'-'.join(map(str, self.feed_forward))}"

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Vertex labels in order: heads, add_norm, feed-forward chain, add_norm (paper: computational graphs)."""
        even = self.hidden / len(self.heads)
        heads = [
            f"{head.operation}_h{self.hidden}_p-{head.parameter}" + ("" if head.size == even else f"_d{head.size}")
            for head in self.heads
        ]
        return (*heads, "add_norm", *(f"f{width}" for width in self.feed_forward), "add_norm")


@dataclass(frozen=True)
class Architecture:
    """An encoder, layer by layer; equal exactly when it is the same network."""

    layers: tuple[Layer, ...]

    @classmethod
    def from_model_dict(cls, model: Mapping[str, Any], name: str = "model") -> "Architecture":
        """Read a model dictionary in its plain or its heterogeneous-heads form.

        Raises:
            DesignSpaceError: With one sentence for every field that cannot be built; each begins with `name`.
        """
        problems: list[str] = []
        layers = _read(model, problems)
        if problems:
            raise DesignSpaceError([f"{name}: {problem}" for problem in problems])
        return cls(tuple(layers))

    def to_model_dict(self) -> dict[str, Any]:
        """The model dictionary: plain where every layer's heads are alike, else in the heterogeneous-heads form."""
        shared = {"l": len(self.layers), "h": [layer.hidden for layer in self.layers]}
        widths = [list(layer.feed_forward) for layer in self.layers]
        if not self.uniform_heads:
            return {**shared, "o": [[head.text for head in layer.heads] for layer in self.layers], "f": widths}
        return {
            "l": shared["l"],
            "o": [layer.heads[0].operation for layer in self.layers],
            "h": shared["h"],
            "n": [len(layer.heads) for layer in self.layers],
            "f": widths,
            "p": [layer.heads[0].parameter for layer in self.layers],
        }

    @property
    def uniform_heads(self) -> bool:
        """Whether in every layer all heads are alike."""
        return all(layer.uniform for layer in self.layers)

    @property
    def homogeneous(self) -> bool:
        """Whether all layers are alike, as in BERT."""
        return len(set(self.layers)) == 1

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits that name the network.

        A computational graph of this family is a chain of layers whose vertices are told apart by label and position,
        except for the heads of one layer, which may be permuted. So the sequence of layers with sorted heads is a
        canonical form of the graph: two graphs are isomorphic exactly when these sequences are equal, and hashing
        the sequence is both finer and cheaper than iterated neighbourhood hashing (paper: graph library).
        """
        return hashlib.sha256("|".join(layer.text for layer in self.layers).encode()).hexdigest()

    @property
    def id(self) -> str:
        """The first twelve digits of the digest: the model's name in file names and tables."""
        return self.digest[:12]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The operation list: vertex labels from "input" to "output", in the order of the computation."""
        return ("input", *(label for layer in self.layers for label in layer.labels), "output")


def _read(model: Mapping[str, Any], problems: list[str]) -> list[Layer]:
    if not isinstance(model, Mapping):
        problems.append(f"expected a model dictionary with the keys {', '.join(PLAIN_KEYS)}, found {model!r}")
        return []
    operations = model.get("o")
    mixed = isinstance(operations, list) and any(isinstance(operation, list) for operation in operations)
    keys = MIXED_KEYS if mixed else PLAIN_KEYS
    problems += [f"key '{key}' is missing (needed: {', '.join(keys)})" for key in keys if key not in model]
    problems += [f"unknown key {key!r} (allowed: {', '.join(keys)})" for key in model if key not in keys]
    if problems:
        return []
    depth = model["l"]
    if not _positive(depth):
        problems.append(f"l: {depth!r} is not a number of layers (allowed: an integer of at least 1)")
        return []
    for key in keys[1:]:
        if not isinstance(model[key], list | tuple):
            problems.append(f"{key}: {model[key]!r} is not a list (allowed: a list with one entry a layer)")
        elif len(model[key]) != depth:
            problems.append(f"{key}: has {len(model[key])} entries, but l is {depth} (needed: one entry a layer)")
    if problems:
        return []
    read = _read_mixed_layer if mixed else _read_plain_layer
    layers = [read({key: model[key][j] for key in keys[1:]}, j, problems) for j in range(depth)]
    return [layer for layer in layers if layer is not None]


def _read_plain_layer(entry: dict[str, Any], j: int, problems: list[str]) -> Layer | None:
    before = len(problems)
    operation, parameter, hidden, heads = entry["o"], entry["p"], entry["h"], entry["n"]
    if not isinstance(operation, str) or operation not in OPERATIONS:
        problems.append(f"o[{j}]: unknown operation {operation!r} (allowed: {', '.join(OPERATIONS)})")
    else:
        problems += [f"p[{j}]: {problem}" for problem in parameter_problems(operation, parameter)]
    for key, value in (("h", hidden), ("n", heads)):
        if not _positive(value):
            problems.append(f"{key}[{j}]: {value!r} is not a size (allowed: an integer of at least 1)")
    widths = _read_widths(entry["f"], j, problems)
    if len(problems) == before:
        problems += [f"n[{j}]: {problem}" for problem in heads_problems(operation, hidden, heads)]
    return None if len(problems) > before else Layer.plain(operation, parameter, hidden, heads, widths)


def _read_mixed_layer(entry: dict[str, Any], j: int, problems: list[str]) -> Layer | None:
    before = len(problems)
    hidden, texts = entry["h"], entry["o"]
    if not _positive(hidden):
        problems.append(f"h[{j}]: {hidden!r} is not a size (allowed: an integer of at least 1)")
    if not isinstance(texts, list | tuple) or not texts:
        problems.append(f"o[{j}]: {texts!r} is not a list of heads (allowed: for example ['sa_sdp_64', 'l_dct_64'])")
        texts = []
    read = [_read_head(text, f"o[{j}][{k}]", problems) for k, text in enumerate(texts)]
    heads = [head for head in read if head is not None]
    widths = _read_widths(entry["f"], j, problems)
    if len(problems) == before and sum(head.size for head in heads) != hidden:
        total = sum(head.size for head in heads)
        problems.append(f"o[{j}]: the head sizes add up to {total}, but h[{j}] is {hidden} (needed: equal)")
    if len(problems) > before:
        return None
    problems += [
        f"o[{j}]: {heads.count(head)} heads {head.text} cannot be halved, as operation 'c' does (needed: an even "
        "number of them, or an even size)"
        for head in dict.fromkeys(heads)
        if head.operation == "c" and heads.count(head) % 2 and head.size % 2
    ]
    return Layer.mixed(hidden, heads, widths)


def _read_head(text: Any, key: str, problems: list[str]) -> Head | None:
    parts = text.split("_") if isinstance(text, str) else []
    if len(parts) != 3 or parts[0] not in OPERATIONS or not parts[2].isdecimal() or int(parts[2]) < 1:
        problems.append(
            f"{key}: {text!r} is not a head (allowed: <operation>_<parameter>_<size> with an operation of "
            f"{', '.join(OPERATIONS)}, for example 'sa_sdp_64' or 'c_9_32')"
        )
        return None
    operation, size = parts[0], int(parts[2])
    parameter = int(parts[1]) if operation == "c" and parts[1].isdecimal() else parts[1]
    found = parameter_problems(operation, parameter)
    problems += [f"{key}: {problem}" for problem in found]
    return None if found else Head(operation, parameter, size)


def _read_widths(widths: Any, j: int, problems: list[str]) -> tuple[int, ...]:
    if not isinstance(widths, list | tuple) or not widths or not all(_positive(width) for width in widths):
        example = json.dumps(widths if isinstance(widths, int) else 512)
        problems.append(
            f"f[{j}]: {widths!r} is not a feed-forward stack (allowed: a list of integers of at least 1, "
            f"for example [{example}])"
        )
        return ()
    return tuple(widths)


def parameter_problems(operation: str, parameter: Any) -> list[str]:
    """Why `parameter` does not suit `operation`; empty where it does."""
    if operation in PARAMETERS:
        if parameter in PARAMETERS[operation]:
            return []
        return [
            f"{parameter!r} is no parameter of operation {operation!r} (allowed: {', '.join(PARAMETERS[operation])})"
        ]
    if _positive(parameter) and parameter % 2 == 1:
        return []
    return [f"{parameter!r} is no kernel size of operation 'c' (allowed: an odd integer of at least 1)"]


def heads_problems(operation: str, hidden: int, heads: int) -> list[str]:
    """Why `heads` heads of `operation` cannot be built at hidden size `hidden`; empty where they can."""
    divisors = [count for count in range(1, hidden + 1) if hidden % count == 0]
    if operation == "c":
        divisors = [count for count in divisors if count % 2 == 0 or hidden // count % 2 == 0]
    if heads in divisors:
        return []
    listed = ", ".join(map(str, divisors)) or "none"
    if hidden % heads:
        return [f"{heads} heads do not divide hidden size {hidden} (allowed: {listed})"]
    return [
        f"{heads} heads of size {hidden // heads} cannot be halved, as operation 'c' does (allowed at hidden size "
        f"{hidden}: {listed})"
    ]


def _positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
