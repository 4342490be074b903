"""Tokenizer, token shards, manifest and windows."""

import json
from pathlib import Path

import numpy as np
import pytest

from flexibert.data.corpus import collect_documents
from flexibert.data.duplicates import find_duplicates
from flexibert.data.shards import TokenShards, fingerprint, token_dtype, tokenise, verify, write_manifest
from flexibert.data.tokenizer import check_tokenizer, load_tokenizer, make_tokenizer, tokenizer_facts
from flexibert.errors import CorpusError
from flexibert.files import read_json
from flexibert.settings import CorpusSettings, SourceSettings, TokenizerSettings

TRAIN = TokenizerSettings(kind="train", vocabulary=400, path=None)
CORPUS = CorpusSettings(validation=0.2, duplicates="near")


def write_text(folder: Path, documents: int = 300) -> None:
    generator = np.random.default_rng(3)
    words = ["".join(generator.choice(list("abcdefgh\u00e9"), 5)) for _ in range(200)]
    folder.mkdir(parents=True)
    texts = [" ".join(generator.choice(words, 60)) for _ in range(documents)]
    (folder / "a.txt").write_text("\n\n".join([*texts, texts[0]]), encoding="utf-8")


def prepare(root: Path, shards: int = 2) -> Path:
    """A whole corpus from a folder; returns the manifest."""
    write_text(root / "in")
    source = SourceSettings(name="mine", kind="folder", path=str(root / "in"), weight=1.0, shards=shards)
    files = [root / f"text/mine/documents-{number:04d}.parquet" for number in range(shards)]
    for number, file in enumerate(files):
        collect_documents(source, number, shards, CORPUS, file, file.with_suffix(".json"))
    marks, tokens = root / "text/duplicates.npz", root / "tokenizer/tokenizer.json"
    find_duplicates(files, CORPUS.duplicates, marks, root / "text/duplicates.json")
    make_tokenizer(TRAIN, files, tokens, 1, marks)
    out = root / "corpus/mine"
    for number, file in enumerate(files):
        name = f"{number:04d}"
        tokenise(file, tokens, out / f"train-{name}.bin", out / f"validation-{name}.bin", out / f"{name}.json", marks)
    counts = [file.with_suffix(".json") for file in files]
    summaries = [out / f"{number:04d}.json" for number in range(shards)]
    write_manifest(summaries, {"mine": 1.0}, tokens, root / "corpus/manifest.json", counts)
    return root / "corpus/manifest.json"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    return prepare(tmp_path_factory.mktemp("corpus"))


def test_the_manifest_counts_everything(manifest):
    facts = read_json(manifest)
    source = facts["sources"]["mine"]
    assert source["counts"] == {"read": 301, "empty": 0, "invalid_utf8": 0, "cut": 0, "duplicates": 1}
    assert source["train"]["documents"] + source["validation"]["documents"] == 300
    assert facts["dtype"] == "<u2"
    assert facts["vocabulary"] == 400
    for split in ("train", "validation"):
        stored = [np.fromfile(manifest.parent / shard["file"], "<u2") for shard in source[split]["shards"]]
        assert sum(map(len, stored)) == source[split]["tokens"]
        separators = sum((tokens == facts["special"]["separator"]).sum() for tokens in stored)
        assert separators == source[split]["documents"]


def test_windows_are_the_text_in_order_behind_the_start_token(manifest):
    facts = read_json(manifest)
    shards = TokenShards(manifest, "train", 16)
    expected = []
    for shard in facts["sources"]["mine"]["train"]["shards"]:
        tokens = np.fromfile(manifest.parent / shard["file"], "<u2")
        expected += list(tokens[: len(tokens) // 15 * 15].reshape(-1, 15))
    assert len(shards) == len(expected)
    for index in (0, 1, len(shards) // 2, len(shards) - 1):
        window = shards.window(index)
        assert window.dtype == np.int64
        assert window[0] == facts["special"]["start"]
        assert np.array_equal(window[1:], expected[index])
    text = load_tokenizer(manifest.parents[1] / "tokenizer/tokenizer.json").decode(shards.window(0).tolist())
    assert set(text) <= set("abcdefgh\u00e9 ")


def test_batches_depend_on_step_and_seed_alone(manifest):
    one, other = TokenShards(manifest, "train", 16), TokenShards(manifest, "train", 16)
    other.batch(0, 8, 2)
    assert np.array_equal(one.batch(5, 8, 1), other.batch(5, 8, 1))
    assert one.batch(5, 8, 1).shape == (8, 16)
    assert not np.array_equal(one.batch(5, 8, 1), one.batch(5, 8, 2))
    steps = [one.batch(step, 8, 1) for step in range(len(one) // 8)]
    windows = {window.tobytes() for batch in steps for window in batch}
    assert len(windows) == 8 * len(steps)  # an epoch repeats nothing


def test_the_corpus_is_the_same_on_every_run(manifest, tmp_path):
    again = prepare(tmp_path / "again")
    assert again.read_bytes() == manifest.read_bytes()


@pytest.mark.parametrize("damage", ["changed", "shorter", "missing"])
def test_a_shard_that_is_not_the_manifests_is_refused(tmp_path, damage):
    manifest = prepare(tmp_path)
    verify(manifest)
    file = manifest.parent / "mine/train-0001.bin"
    if damage == "missing":
        file.unlink()
    else:
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data if damage == "changed" else data[:-2])
    for read in (verify, lambda path: TokenShards(path, "validation", 16)):
        with pytest.raises(CorpusError, match=r"train-0001\.bin: the shard is"):
            read(manifest)


def test_the_fingerprint_sees_size_and_spread_blocks_of_a_large_file(tmp_path):
    file = tmp_path / "large.bin"
    file.write_bytes(bytes(5_000_000))
    before = fingerprint(file)
    with open(file, "r+b") as stream:
        stream.seek(4_999_999)
        stream.write(b"x")
    assert fingerprint(file) != before


def test_text_shorter_than_a_sequence_is_told(manifest):
    with pytest.raises(CorpusError, match="the validation text is shorter than one sequence of 100000 tokens"):
        TokenShards(manifest, "validation", 100_000)


def test_a_source_without_training_text_is_told(manifest, tmp_path):
    summary = read_json(manifest.parent / "mine/0000.json")
    empty = {**summary["train"], "documents": 0, "tokens": 0}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/0000.json").write_text(json.dumps({**summary, "train": empty, "validation": empty}))
    tokens = manifest.parents[1] / "tokenizer/tokenizer.json"
    with pytest.raises(CorpusError) as caught:
        write_manifest([tmp_path / "mine/0000.json"], {"mine": 1.0}, tokens, tmp_path / "manifest.json")
    assert len(caught.value.problems) == 2
    assert not (tmp_path / "manifest.json").exists()


def test_a_trained_tokenizer_loses_no_text(manifest):
    path = manifest.parents[1] / "tokenizer/tokenizer.json"
    tokenizer, facts = load_tokenizer(path), tokenizer_facts(path)
    text = " every byte: \u00e9 \u4e2d \U0001f600\ttab"
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids) == text
    assert (facts.vocabulary, facts.pad, facts.unknown, facts.start, facts.separator, facts.mask) == (
        400,
        0,
        1,
        2,
        3,
        4,
    )
    assert facts.special == (0, 1, 2, 3, 4)


def test_a_tokenizer_file_is_taken_over_with_its_own_special_tokens(manifest, tmp_path):
    text = (manifest.parents[1] / "tokenizer/tokenizer.json").read_text()
    for ours, theirs in zip(
        ("PAD", "UNK", "CLS", "SEP", "MASK"), ("<pad>", "<unk>", "<s>", "</s>", "<mask>"), strict=True
    ):
        text = text.replace(f"[{ours}]", theirs)
    (tmp_path / "roberta.json").write_text(text)
    settings = TokenizerSettings(kind="file", vocabulary=4096, path=str(tmp_path / "roberta.json"))
    make_tokenizer(settings, [], tmp_path / "out/tokenizer.json", 1)
    assert tokenizer_facts(tmp_path / "out/tokenizer.json").mask == 4


def test_unusable_tokenizers_are_told(manifest, tmp_path):
    assert "261" in check_tokenizer(TokenizerSettings(kind="train", vocabulary=100, path=None))[0]
    assert "needs a model id" in check_tokenizer(TokenizerSettings(kind="hub", vocabulary=1000, path=None))[0]
    assert "does not exist" in check_tokenizer(TokenizerSettings(kind="file", vocabulary=1000, path="nowhere.json"))[0]
    (tmp_path / "broken.json").write_text("{}")
    with pytest.raises(CorpusError, match=r"broken\.json is not a tokenizer\.json"):
        make_tokenizer(TokenizerSettings("file", 400, str(tmp_path / "broken.json")), [], tmp_path / "t.json", 1)
    text = (manifest.parents[1] / "tokenizer/tokenizer.json").read_text().replace("[MASK]", "[HIDE]")
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(CorpusError, match="has neither the special tokens"):
        make_tokenizer(TokenizerSettings("file", 400, str(tmp_path / "other.json")), [], tmp_path / "t.json", 1)
    files = sorted(manifest.parents[1].glob("text/mine/*.parquet"))
    with pytest.raises(CorpusError, match=r"yields \d+ tokens only, 30000 were asked for"):
        make_tokenizer(TokenizerSettings("train", 30_000, None), files, tmp_path / "t.json", 1)


def test_token_ids_take_the_smallest_type():
    assert token_dtype(65_536) == np.uint16
    assert token_dtype(65_537) == np.uint32
