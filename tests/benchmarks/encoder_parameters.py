"""FlexiBERT-Mini's size relative to BERT-Mini's under each common way of counting.

python tests/benchmarks/encoder_parameters.py
"""

from flexibert.encoder.cost import parameters
from flexibert.encoder.named import NAMED_MODELS
from flexibert.encoder.settings import EncoderSettings
from flexibert.space.architecture import Architecture

PAIR = ("BERT-Mini", "FlexiBERT-Mini")


def layers(model: Architecture, positions: str) -> int:
    counts = parameters(model, None, positions=positions)
    return counts["total"] - counts["embeddings"]


def without_effect(model: Architecture) -> int:
    """What the released code carries besides: absolute positions, W under sdp, the key under l."""
    settings = EncoderSettings(model)
    total = settings.max_positions * settings.layers[0].hidden
    for layer in settings.layers:
        for group in layer.groups:
            total += group.head_size**2 if group.parameter == "sdp" else 0
            total += layer.hidden * group.width + group.width if group.operation == "l" else 0
    return total


def pooler(model: Architecture) -> int:
    hidden = model.layers[-1].hidden
    return hidden * (hidden + 1)


CONVENTIONS = {
    "layers alone, with relative positions": lambda model: layers(model, "relative_key"),
    "layers alone, without position tables": lambda model: layers(model, "absolute"),
    "encoder: embeddings and layers, relative positions": lambda model: parameters(model, None)["total"],
    "encoder, absolute positions": lambda model: parameters(model, None, positions="absolute")["total"],
    "encoder and pooler, absolute positions (transformers' BertModel)": lambda model: (
        parameters(model, None, positions="absolute")["total"] + pooler(model)
    ),
    "... with BERT's vocabulary of 30,522 and 2 token types": lambda model: (
        parameters(model, None, positions="absolute", vocab_size=30_522, max_positions=512, token_types=2)["total"]
        + pooler(model)
    ),
    "encoder and pooler of the released code, parameters without effect included": lambda model: (
        parameters(model, None)["total"] + without_effect(model) + pooler(model)
    ),
    "masked-language model, decoder of its own (as trained by the released code)": lambda model: parameters(model)[
        "total"
    ],
    "masked-language model, decoder weights not counted": lambda model: (
        parameters(model)["total"] - model.layers[-1].hidden * 50_265
    ),
}


def main() -> None:
    print("| counted | BERT-Mini | FlexiBERT-Mini | difference |")
    print("|---|---|---|---|")
    for name, count in CONVENTIONS.items():
        bert, flexibert = (count(NAMED_MODELS[model]) for model in PAIR)
        print(f"| {name} | {bert:,} | {flexibert:,} | {flexibert / bert - 1:+.1%} |")


if __name__ == "__main__":
    main()
