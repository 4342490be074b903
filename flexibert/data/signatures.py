"""MinHash signatures: near-duplicates share a band of them with high probability.

A document's set of five-word shingles is reduced to 64 minima under 64 random hash functions; two documents with
Jaccard similarity J agree in each minimum with probability J (Broder 1997). The minima are grouped in 8 bands of 8: two
documents share at least one band with probability 1 - (1 - J^8)^8, that is 3 % at J = 0.5, 77 % at 0.8, 99 % at 0.9
(Indyk and Motwani 1998).
"""

import zlib

import numpy as np

BANDS, ROWS = 8, 8
SHINGLE = 5  # words
FEWEST_WORDS = 20  # a shorter document has too few shingles to tell similar from equal; only equal ones are duplicates

_GENERATOR = np.random.Generator(np.random.PCG64(20220521))  # part of the format: the same on every machine
_MULTIPLIERS = _GENERATOR.integers(0, 2**64, (BANDS * ROWS, 1), dtype=np.uint64) | np.uint64(1)
_OFFSETS = _GENERATOR.integers(0, 2**64, (BANDS * ROWS, 1), dtype=np.uint64)
_MIX = _GENERATOR.integers(0, 2**64, (1, ROWS), dtype=np.uint64) | np.uint64(1)
_BAND_KEYS = _GENERATOR.integers(0, 2**64, BANDS, dtype=np.uint64) | np.uint64(1)
_POSITIONS = _GENERATOR.integers(0, 2**64, SHINGLE, dtype=np.uint64) | np.uint64(1)
_BLOCK = 2048  # shingles hashed at once: 64 x 2048 x 8 bytes stay in the cache


def band_hashes(words: list[str], key: int) -> np.ndarray:
    """One 64-bit hash a band.

    Args:
        words: The document's words, normalised.
        key: Hash of the whole document; decides alone for a document of fewer than 20 words.

    Returns:
        uint64 of shape (8,).
    """
    if len(words) < FEWEST_WORDS:
        return _scramble(np.uint64(key) * _BAND_KEYS)
    hashes = np.fromiter((zlib.crc32(word.encode()) for word in words), np.uint64, len(words))
    count = len(words) - SHINGLE + 1
    shingles = np.zeros(count, np.uint64)
    for offset in range(SHINGLE):
        shingles += hashes[offset : offset + count] * _POSITIONS[offset]
    shingles = _scramble(shingles)
    minima = np.full(BANDS * ROWS, np.iinfo(np.uint64).max)
    for start in range(0, count, _BLOCK):
        values = shingles[start : start + _BLOCK] * _MULTIPLIERS + _OFFSETS  # (64, block)
        np.minimum(minima, values.min(axis=1), out=minima)
    bands = (minima.reshape(BANDS, ROWS) >> np.uint64(7)) * _MIX  # (bands, rows)
    return _scramble(bands.sum(axis=1, dtype=np.uint64) * _BAND_KEYS)


def _scramble(values: np.ndarray) -> np.ndarray:
    """Finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
