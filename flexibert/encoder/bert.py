"""Weights of Hugging Face's BERT, and of the paper's released models, which kept its names."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

from flexibert.encoder.checkpoint import put_weights

# Ours by theirs; the first pattern that matches counts.
NAMES = [
    (r"(?:bert\.)?embeddings\.word_embeddings\.", r"encoder.embeddings.words."),
    (r"(?:bert\.)?embeddings\.position_embeddings\.", r"encoder.embeddings.positions."),
    (r"(?:bert\.)?embeddings\.token_type_embeddings\.", r"encoder.embeddings.token_types."),
    (r"(?:bert\.)?embeddings\.LayerNorm\.", r"encoder.embeddings.norm."),
    (
        r"(?:bert\.)?encoder\.layer\.(\d+)\.attention\.self\.distance_embedding\.",
        r"encoder.layers.\1.operations.0.relative.",
    ),
    (r"(?:bert\.)?encoder\.layer\.(\d+)\.attention\.self\.W$", r"encoder.layers.\1.operations.0.mixing"),
    (
        r"(?:bert\.)?encoder\.layer\.(\d+)\.attention\.self\.key_conv_attn_layer\.depthwise\.weight",
        r"encoder.layers.\1.operations.0.span_depthwise",
    ),
    (
        r"(?:bert\.)?encoder\.layer\.(\d+)\.attention\.self\.key_conv_attn_layer\.(?:pointwise\.)?",
        r"encoder.layers.\1.operations.0.span_pointwise.",
    ),
    (
        r"(?:bert\.)?encoder\.layer\.(\d+)\.attention\.self\.conv_kernel_layer\.",
        r"encoder.layers.\1.operations.0.kernel.",
    ),
    (
        r"(?:bert\.)?encoder\.layer\.(\d+)\.attention\.self\.conv_out_layer\.",
        r"encoder.layers.\1.operations.0.convolved.",
    ),
    (r"(?:bert\.)?encoder\.layer\.(\d+)\.attention\.self\.", r"encoder.layers.\1.operations.0."),
    (r"(?:bert\.)?encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"encoder.layers.\1.operation_output."),
    (r"(?:bert\.)?encoder\.layer\.(\d+)\.attention\.output\.LayerNorm\.", r"encoder.layers.\1.operation_norm."),
    (r"(?:bert\.)?encoder\.layer\.(\d+)\.intermediate\.dense\.", r"encoder.layers.\1.feed_forward.stack.0."),
    (r"(?:bert\.)?encoder\.layer\.(\d+)\.output\.dense\.", r"encoder.layers.\1.feed_forward.output."),
    (r"(?:bert\.)?encoder\.layer\.(\d+)\.output\.LayerNorm\.", r"encoder.layers.\1.feed_forward_norm."),
    (r"(?:bert\.)?encoder\.layer\.(\d+)\.output\.proj_head\.", r"encoder.layers.\1.projection."),
    (r"(?:bert\.)?pooler\.dense\.", r"classification.pooler."),
    (r"cls\.predictions\.transform\.dense\.", r"head.dense."),
    (r"cls\.predictions\.transform\.LayerNorm\.", r"head.norm."),
    (r"cls\.predictions\.decoder\.", r"head.decoder."),
    (r"cls\.predictions\.bias$", r"head.decoder.bias"),
    (r"classifier\.", r"classification.classifier."),
]
STACKED = re.compile(r"(?:bert\.)?encoder\.layer\.(\d+)\.intermediate\.sequential\.(\d+)\.(.*)")  # GELUs count there
WITHOUT_EFFECT = re.compile(r"\.operations\.0\.(?:mixing|key\.(?:weight|bias))$|embeddings\.positions\.")


def name_from_bert(name: str) -> str | None:
    """Our name of a parameter of BERT's, or None for what is no parameter of ours."""
    if stacked := STACKED.match(name):
        layer, position, kind = stacked.groups()
        return f"encoder.layers.{layer}.feed_forward.stack.{int(position) // 2}.{kind}"
    for theirs, ours in NAMES:
        renamed, count = re.subn(f"^{theirs}", ours, name)
        if count:
            return renamed
    return None


def renamed_from_bert(model: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights named as BERT's under our names.

    Parameters that have no effect in the released code are dropped: W under "sdp", the key under "l", and the absolute
    positions where they are relative.

    Args:
        model: A `MaskedLanguageModel` or `SequenceClassifier`.
        weights: A state dictionary of transformers' `Bert*` classes or of the released code.
    """
    own = dict(model.named_parameters())
    renamed = {}
    for name, tensor in weights.items():
        ours = name_from_bert(name)
        if ours is None or (ours not in own and WITHOUT_EFFECT.search(ours)):
            continue
        # The released convolutions keep an axis of size one.
        renamed[ours] = tensor.squeeze(1).squeeze(-1) if ".operations.0.span_" in ours else tensor
    return renamed


def load_bert_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str = "BERT weights") -> None:
    """Put weights named as BERT's into a plain model of equal shape; `source` names them in errors.

    Raises:
        ModelError: A parameter is missing, unknown or of another shape.
    """
    put_weights(model, renamed_from_bert(model, weights), source)
