"""How a search ends: which models are trained again beside which baselines, and how all are ranked."""
