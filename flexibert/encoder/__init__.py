"""The heterogeneous encoder: plain PyTorch modules, transformers classes, weight transfer, costs.

The names below are transformers classes; importing one of them registers all with AutoConfig, AutoModel,
AutoModelForMaskedLM and AutoModelForSequenceClassification. They are imported at first use, because transformers takes
seconds to import and a search is made of jobs of a few seconds, which need `flexibert.encoder.network` alone.
"""

from importlib import import_module
from typing import Any

__all__ = ["FlexiBertConfig", "FlexiBertForMaskedLM", "FlexiBertForSequenceClassification", "FlexiBertModel"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("flexibert.encoder.registration"), name)
