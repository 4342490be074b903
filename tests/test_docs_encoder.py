"""The tables of docs/encoder.md are those of the code; its formulas are held to by tests/test_encoder_operations.py."""

import re
from itertools import groupby
from pathlib import Path

import pytest

from flexibert.encoder.cost import parameter_counts
from flexibert.encoder.named import NAMED_MODELS
from flexibert.encoder.settings import HeadGroup, LayerSettings
from flexibert.encoder.shapes import layer_shapes, operation_shapes

PAGE = (Path(__file__).parents[1] / "docs/encoder.md").read_text(encoding="utf-8")
SIZES = {"h": 24, "P": 7, "p": 5, "f": 10, "g": 40}


def shapes_told(part: str) -> dict[str, tuple[str, str]]:
    """Formula of the shape, and where the parameter is, by its name."""
    rows = re.findall(rf"^\| {part} \| `(\S+)` \| \((.*)\) \| (.*) \|$", PAGE, re.MULTILINE)
    return {name: (formula, where) for name, formula, where in rows}


def value(formula: str, **sizes: int) -> tuple[int, ...]:
    return eval(f"({formula})", {"__builtins__": {}}, SIZES | sizes)


@pytest.mark.parametrize("heads", [4, 3])
@pytest.mark.parametrize(
    ("operation", "parameter"), [("sa", "sdp"), ("sa", "wma"), ("l", "dft"), ("l", "dct"), ("c", 5)]
)
def test_parameters_of_a_group(operation, parameter, heads):
    group = HeadGroup(operation, parameter, heads, SIZES["h"] // heads)
    built = operation_shapes(group, SIZES["h"], SIZES["P"])
    n, d = group.split
    told = {
        name: value(formula, n=n, d=d, w=n * d)
        for name, (formula, where) in shapes_told("group").items()
        if {"all", operation, str(parameter)} & set(re.split(r"\W+", where.split(", the")[0]))
    }
    linear = [name for name in told if name.endswith("weight") and name != "relative.weight"]
    assert told | {name.replace("weight", "bias"): told[name][:1] for name in linear} == built


def test_parameters_of_a_layer():
    group = HeadGroup("sa", "sdp", 2, SIZES["h"] // 2)
    layer = LayerSettings(SIZES["h"], (group,), (SIZES["f"],), SIZES["g"])
    built = {name: shape for name, shape in layer_shapes(layer, None).items() if not name.startswith("operations.")}
    told = {name: value(formula) for name, (formula, _) in shapes_told("layer").items()}
    assert told == {name: shape for name, shape in built.items() if name.endswith("weight") and "norm" not in name}


def layers_in_words(model: dict) -> str:
    rows = zip(*(model[key] for key in "ophnf"), strict=True)
    texts = [f"{o}/{p} {h}, {n}, {'-'.join(map(str, f))}" for o, p, h, n, f in rows]
    return "; ".join(f"{text} x {len(list(equal))}" for text, equal in groupby(texts))


def test_named_models():
    rows = re.findall(r"^\| `(\S+)` \| (.*) \| ([\d,]+) \|$", PAGE, re.MULTILINE)
    told = {name: (layers, count) for name, layers, count in rows}
    counts = parameter_counts(NAMED_MODELS.values())
    assert told == {
        name: (layers_in_words(model.to_model_dict()), f"{count:,}")
        for (name, model), count in zip(NAMED_MODELS.items(), counts, strict=True)
    }
