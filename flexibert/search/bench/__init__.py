"""Searches of a table of already evaluated candidates: methods compared without any training."""
