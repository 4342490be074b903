"""Training: settings in, weights and scores out.

Models come from `flexibert.encoder`, batches from `flexibert.data`.
"""
