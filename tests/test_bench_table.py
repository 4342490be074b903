"""Tables of evaluated candidates: what is read, and what is refused with a sentence."""

import json

import numpy as np
import pytest

from flexibert.errors import SearchError
from flexibert.search.bench.table import read_table

MODEL = {"l": 1, "o": ["sa"], "h": [128], "n": [2], "f": [[512]], "p": ["sdp"]}


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def features(count, **change):
    rows = [{"id": f"r{k}", "score": float(k), "depth": k % 3, "operation": "abc"[k % 3]} for k in range(count)]
    return [row | change for row in rows]


def test_jsonl_columns(tmp_path):
    table = read_table(jsonl(tmp_path / "t.jsonl", features(6)))
    assert table.ids == [f"r{k}" for k in range(6)]
    assert table.scores.tolist() == [0, 1, 2, 3, 4, 5]
    assert table.columns == {"depth": [0, 1, 2, 0, 1, 2], "operation": list("abcabc")}


def test_csv_tells_numbers_from_categories(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,score,kernel,width\n1,0.5,conv,64\n2,0.25,skip,\n3,1,conv,128\n")
    table = read_table(path)
    assert table.ids == ["1", "2", "3"]
    assert table.columns == {"kernel": ["conv", "skip", "conv"], "width": [64.0, None, 128.0]}


def test_nested_features_become_columns(tmp_path):
    rows = [{"id": k, "score": k, "cell": {"edges": [k % 2, "x"]}} for k in range(4)]
    assert read_table(jsonl(tmp_path / "t.jsonl", rows)).columns == {"cell.edges.0": [0, 1, 0, 1]}


def test_tasks_replace_the_score(tmp_path):
    rows = [{"id": k, "score": 0, "scores": {"cola": k, "rte": 10 * k}, "model": MODEL} for k in range(3)]
    path = jsonl(tmp_path / "t.jsonl", rows)
    assert read_table(path, ["rte"]).scores.tolist() == [0, 10, 20]
    assert read_table(path, ["cola", "rte"]).scores.tolist() == [0, 5.5, 11]
    assert read_table(path, ["cola"]).columns is None


def test_all_problems_are_told_at_once(tmp_path):
    rows = features(5)
    rows[1]["id"] = "r0"
    del rows[2]["score"]
    rows[3]["score"] = None
    rows[4]["score"] = "high"
    with pytest.raises(SearchError) as caught:
        read_table(jsonl(tmp_path / "t.jsonl", rows))
    text = str(caught.value)
    assert "line 2 repeats the id 'r0' of line 1" in text
    assert all(f"line {line} " in text for line in (3, 4, 5))


def test_many_problems_of_one_kind_are_counted(tmp_path):
    with pytest.raises(SearchError, match="and 92 more rows"):
        read_table(jsonl(tmp_path / "t.jsonl", features(100, score=None)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"score": 1.0}, "every score is 1"),
        ({"score": float("nan")}, "no finite number in 'score'"),
        ({"depth": 1, "operation": "a"}, "tells the candidates apart"),
    ],
)
def test_useless_tables(tmp_path, change, sentence):
    with pytest.raises(SearchError, match=sentence):
        read_table(jsonl(tmp_path / "t.jsonl", features(12, **change)))


def test_a_text_that_names_rows_is_no_feature(tmp_path):
    rows = [{"id": k, "score": k, "architecture": f"|conv~{k}|"} for k in range(5)]
    with pytest.raises(SearchError, match="not a different text in every row"):
        read_table(jsonl(tmp_path / "t.jsonl", rows))


def test_a_row_without_model_among_models(tmp_path):
    rows = [{"id": 1, "score": 1, "model": MODEL}, {"id": 2, "score": 2}]
    with pytest.raises(SearchError, match=r"line 2 \('2'\) has no model dictionary"):
        read_table(jsonl(tmp_path / "t.jsonl", rows))


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("t.jsonl", "", "holds no rows"),
        ("t.jsonl", "{\n", "line 1 is not JSON"),
        ("t.jsonl", "[1]\n", "line 1 is not an object"),
        ("t.csv", "id,score,a\n1,2\n", "line 2 has not the 3 cells"),
        ("t.csv", "id,score,a,a\n1,2,3,4\n", "two columns named a"),
        ("t.csv", "id,a\n1,2\n2,3\n", "no finite number in 'score'"),
    ],
)
def test_unreadable_files(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(SearchError, match=sentence):
        read_table(tmp_path / name)


def test_binary_file(tmp_path):
    (tmp_path / "t.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SearchError, match="not UTF-8"):
        read_table(tmp_path / "t.jsonl")


def test_real_table(shared_data):
    table = read_table(shared_data / "nas_bench_bert.jsonl")
    assert len(table) == 500
    assert np.isfinite(table.scores).all()
    assert table.architectures[0]["l"] == 4
