"""Documents: where they come from, how they are cleaned, counted and assigned."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexibert.data.corpus import check_corpus, clean_documents, collect_documents, words_hash, words_of
from flexibert.data.disk import require_space
from flexibert.data.sources import SMALLEST_PIECE, raw_documents
from flexibert.data.splits import split_of
from flexibert.errors import CorpusError
from flexibert.settings import CorpusSettings, SourceSettings

SETTINGS = CorpusSettings(validation=0.3, duplicates="near")


def folder_source(path: Path, **changes: object) -> SourceSettings:
    return SourceSettings(name="mine", kind="folder", path=str(path), weight=1.0, shards=1, **changes)


def collected(source: SourceSettings, out: Path, shards: int = 1) -> tuple[list[dict], list[dict]]:
    """Rows and counts of all shards of a source."""
    rows, counts = [], []
    for shard in range(shards):
        file = out / source.name / f"documents-{shard:04d}.parquet"
        collect_documents(source, shard, shards, SETTINGS, file, file.with_suffix(".json"))
        rows += pq.read_table(file).to_pylist()
        counts.append(json.loads(file.with_suffix(".json").read_text()))
    return rows, counts


@settings(max_examples=25, deadline=None)
@given(
    documents=st.lists(st.text(st.sampled_from("ab \u00e9"), min_size=1, max_size=300).filter(str.strip), max_size=400),
    blank=st.integers(1, 3),
    shards=st.integers(1, 5),
)
def test_every_paragraph_comes_out_of_exactly_one_shard(tmp_path_factory, documents, blank, shards):
    folder = tmp_path_factory.mktemp("text")
    documents = [f"{number} {text}\n{number} again" for number, text in enumerate(documents)]
    padding = "x" * (SMALLEST_PIECE // 8)  # so that the file is cut into pieces
    documents += [f"{number} {padding}" for number in range(20)]
    (folder / "text.txt").write_text(("\n" * (blank + 1)).join(documents), encoding="utf-8")
    source = folder_source(folder)
    found = [raw.decode().strip() for shard in range(shards) for raw in raw_documents(source, shard, shards)]
    assert sorted(found) == sorted(documents)


@pytest.mark.parametrize("shards", [1, 3])
def test_lines_json_and_parquet_lose_no_document(tmp_path, shards):
    texts = [f"document {number} " + "word " * 40 for number in range(1000)]
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines/a.txt").write_text("\n".join(texts))
    (tmp_path / "json").mkdir()
    (tmp_path / "json/a.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    (tmp_path / "parquet").mkdir()
    pq.write_table(pa.table({"text": texts}), tmp_path / "parquet/a.parquet", row_group_size=100)
    for kind in ("lines", "json", "parquet"):
        source = folder_source(tmp_path / kind, unit="line")
        found = [raw for shard in range(shards) for raw in raw_documents(source, shard, shards)]
        assert sorted(raw.decode().strip() if isinstance(raw, bytes) else raw.strip() for raw in found) == sorted(
            text.strip() for text in texts
        )


def test_rows_are_joined_where_a_row_is_a_sentence(tmp_path):
    (tmp_path / "book.txt").write_text("\n".join(f"sentence {number}." for number in range(7)))
    found = list(raw_documents(folder_source(tmp_path, unit="line", join=3), 0, 1))
    assert [len(document.split("sentence")) - 1 for document in found] == [3, 3, 1]


def test_the_limit_of_documents_is_shared_by_the_shards(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(f"line {number} " + "word " * 200 for number in range(1000)))
    source = folder_source(tmp_path, unit="line", documents=25)
    assert sum(len(list(raw_documents(source, shard, 4))) for shard in range(4)) == 25


def test_empty_and_invalid_documents_are_counted_and_left_out(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_text('{"text": "   "}\n{"text": "good"}\n{"text": "\\ud800"}\n')
    (tmp_path / "in/b.txt").write_bytes("caf\u00e9 in Latin-1".encode("latin-1") + b"\n\ncaf\xc3\xa9 in UTF-8\n")
    rows, counts = collected(folder_source(tmp_path / "in"), tmp_path)
    assert sorted(row["document"] for row in rows) == ["caf\u00e9 in UTF-8", "good"]
    assert counts[0] | {"bytes": 0} == {
        "source": "mine",
        "shard": 0,
        "read": 5,
        "documents": 2,
        "bytes": 0,
        "empty": 1,
        "invalid_utf8": 2,
        "cut": 0,
    }


def test_a_long_document_is_cut_into_parts_of_one_split():
    count = dict.fromkeys(("read", "documents", "bytes", "empty", "invalid_utf8", "cut"), 0)
    text = "word " * 250_000
    parts = list(clean_documents(iter([text]), count))
    assert count["cut"] == 1
    assert count["documents"] == len(parts) == 3
    assert " ".join(part for part, _ in parts).split() == text.split()
    assert len({first for _, first in parts}) == 1


def test_equal_documents_share_a_split_and_the_share_is_kept():
    keys = [words_hash(words_of(f"document number {number}")) for number in range(4000)]
    held_out = sum(split_of(key, 0.3) == "validation" for key in keys) / len(keys)
    assert abs(held_out - 0.3) < 0.03
    assert words_hash(words_of("The  same\nwords")) == words_hash(words_of("the same words"))


def test_the_embedded_corpus_does_not_depend_on_the_number_of_shards(tmp_path):
    one, _ = collected(SourceSettings(name="one", kind="embedded", weight=1.0, shards=2, documents=6), tmp_path)
    assert len(one) == 6
    assert {row["split"] for row in one} <= {"train", "validation"}
    assert all(len(row["bands"]) == 8 for row in one)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda folder: folder.rmdir(), ["does not exist", "`path`"]),
        (lambda folder: None, ["no file at all", ".txt"]),
        (lambda folder: (folder / "a.pdf").write_bytes(b"%PDF"), [".pdf", ".jsonl"]),
        (lambda folder: (folder / "a.txt").write_text(""), ["is empty"]),
        (lambda folder: (folder / "a.txt").write_bytes(b"\x7fELF\0\0"), ["a.txt", "NUL", "UTF-8"]),
    ],
)
def test_a_folder_without_text_is_refused_before_the_first_job(tmp_path, prepare, words):
    folder = tmp_path / "in"
    folder.mkdir()
    prepare(folder)
    source = folder_source(folder)
    problems = check_corpus([source])
    assert len(problems) == 1
    assert all(word in problems[0] for word in words)
    with pytest.raises(CorpusError, match="mine"):
        collected(source, tmp_path / "out")
    assert not list(tmp_path.glob("out/**/*.parquet"))


def test_all_problems_of_the_section_are_told_at_once(tmp_path):
    sources = [
        SourceSettings(name="a", kind="hub", weight=1.0, shards=1),
        SourceSettings(name="a", kind="embedded", weight=1.0, shards=1, column="body"),
    ]
    problems = check_corpus(sources)
    assert len(problems) == 3
    assert any("the name 'a' stands 2 times" in problem for problem in problems)
    assert any("key 'id' is missing; kind 'hub' needs it" in problem for problem in problems)
    assert any("key 'column' does not go with kind 'embedded'" in problem for problem in problems)


def test_a_wrong_column_and_a_broken_line_are_named(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "fine"}\n{"body": "other"}\n')
    with pytest.raises(CorpusError, match=r"a\.jsonl, line 2: there is no column 'text' \(columns: body\)"):
        list(raw_documents(folder_source(tmp_path), 0, 1))
    (tmp_path / "a.jsonl").write_text('{"text": "fine"}\n\n{"text": \n')
    with pytest.raises(CorpusError, match=r"a\.jsonl, line 3: not a JSON object"):
        list(raw_documents(folder_source(tmp_path), 0, 1))
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(CorpusError, match=r"a\.parquet: not a parquet file"):
        collected(folder_source(tmp_path), tmp_path / "out")


def test_text_without_a_usable_document_is_an_error(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_bytes(b"\xff\xfe bad\n\n\xff worse")
    with pytest.raises(CorpusError, match=r"none of 2 documents can be used .* 2 not UTF-8"):
        collected(folder_source(tmp_path / "in"), tmp_path / "out")


def test_a_disk_without_room_is_told_before_the_work(tmp_path):
    with pytest.raises(CorpusError, match=r"MB are free, the shard needs about 1,000,000,000,000 MB"):
        require_space(tmp_path / "not/yet/made", 10**18, "the shard")
    require_space(tmp_path, 1, "the shard")
