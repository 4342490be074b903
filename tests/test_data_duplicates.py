"""Duplicates over shards and sources."""

import json
from pathlib import Path

import numpy as np
import pytest

from flexibert.data import duplicates
from flexibert.data.corpus import words_hash, words_of, write_documents
from flexibert.data.duplicates import find_duplicates, kept_rows
from flexibert.data.signatures import BANDS, band_hashes
from flexibert.settings import CorpusSettings

VOCABULARY = [f"word{number}" for number in range(5000)]


def text_of(generator: np.random.Generator, words: int = 300) -> list[str]:
    return list(generator.choice(VOCABULARY, words))


def changed(words: list[str], share: float, generator: np.random.Generator) -> list[str]:
    """The words with a share of them replaced."""
    out = list(words)
    for place in generator.choice(len(words), round(share * len(words)), replace=False):
        out[place] = f"new{place}"
    return out


def documents_file(path: Path, texts: list[str], near: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = CorpusSettings(validation=0.2, duplicates="near" if near else "exact")
    write_documents(path, ((text, text) for text in texts), settings)
    return path


def test_bands_agree_as_often_as_the_formula_says():
    generator = np.random.default_rng(0)
    shared = {0.01: 0, 0.05: 0, 0.3: 0}
    for _ in range(200):
        words = text_of(generator)
        own = band_hashes(words, 1)
        for share in shared:
            other = changed(words, share, generator)
            shared[share] += bool((own == band_hashes(other, 2)).any())
    assert shared[0.01] > 190  # Jaccard similarity of about 0.9
    assert shared[0.3] < 20  # about 0.1
    assert shared[0.3] < shared[0.05] < shared[0.01]


def test_bands_of_short_documents_follow_the_whole_text():
    words = words_of("much too short to compare")
    key = words_hash(words)
    assert len(set(band_hashes(words, key).tolist())) == BANDS
    assert not (band_hashes(words, key) == band_hashes(words, key + 1)).any()


@pytest.mark.parametrize("entries", [8_000_000, 50])
def test_one_of_each_lot_stays_wherever_they_stand(tmp_path, monkeypatch, entries):
    monkeypatch.setattr(duplicates, "PARTITION_ENTRIES", entries)
    generator = np.random.default_rng(1)
    texts = [" ".join(text_of(generator)) for _ in range(40)]
    near = " ".join(changed(texts[0].split(), 0.005, generator))
    first = documents_file(tmp_path / "a/documents-0000.parquet", texts[:20])
    second = documents_file(tmp_path / "a/documents-0001.parquet", [*texts[20:], texts[3].upper(), texts[20]])
    third = documents_file(tmp_path / "b/documents-0000.parquet", [near, "short one", texts[39], "short one"])
    out = tmp_path / "duplicates.npz"
    find_duplicates([first, second, third], "near", out, tmp_path / "counts.json")
    assert kept_rows(out, first).all()
    assert np.flatnonzero(~kept_rows(out, second)).tolist() == [20, 21]
    assert np.flatnonzero(~kept_rows(out, third)).tolist() == [0, 2, 3]
    assert json.loads((tmp_path / "counts.json").read_text())["sources"] == {
        "a": {"documents": 42, "exact": 2, "near": 0},
        "b": {"documents": 4, "exact": 2, "near": 1},
    }


def test_what_is_kept_follows_the_setting(tmp_path):
    generator = np.random.default_rng(2)
    text = " ".join(text_of(generator))
    near = " ".join(changed(text.split(), 0.005, generator))
    file = documents_file(tmp_path / "a/documents-0000.parquet", [text, text, near], near=False)
    out, counts = tmp_path / "duplicates.npz", tmp_path / "counts.json"
    find_duplicates([file], "exact", out, counts)
    assert kept_rows(out, file).tolist() == [True, False, True]
    find_duplicates([file], "none", out, counts)
    assert kept_rows(out, file).all()
