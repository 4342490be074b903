"""FlexiBERT: search, training and export of small heterogeneous transformer encoders."""

__version__ = "0.1.0"
