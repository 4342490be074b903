"""Data from the hub: tried on data sets that lie in a folder, which the library reads by the same code."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flexibert.data.corpus import collect_documents
from flexibert.data.download import HubData, fetch
from flexibert.data.hub import hub_problems
from flexibert.errors import CorpusError
from flexibert.files import read_json
from flexibert.settings import CorpusSettings, SourceSettings


@pytest.fixture
def data_set(tmp_path, monkeypatch) -> Path:
    """A data set of two training files and one of validation, in the hub's layout."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "set" / "data"
    folder.mkdir(parents=True)
    for number, name in enumerate(("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001")):
        texts = [f"text {number} {row} of a data set" for row in range(10)]
        pq.write_table(pa.table({"text": texts}), folder / f"{name}.parquet")
    return tmp_path / "set"


CORPUS = CorpusSettings(validation=0.1, duplicates="exact")


def source(path: Path, **changes: object) -> SourceSettings:
    return SourceSettings(name="mine", kind="hub", id=str(path), weight=1.0, shards=2, **changes)


def on_hub(path: Path, **changes: object) -> HubData:
    return HubData.from_mapping(source(path, **changes).to_mapping())


def test_a_split_is_fetched_once_and_read_offline(data_set, tmp_path):
    out = tmp_path / "text/mine"
    fetch(on_hub(data_set), out)
    assert read_json(out / "download.json")["files"] == {"train": ["train/00000.parquet", "train/00001.parquet"]}
    first = (out / "train/00000.parquet").stat().st_mtime_ns
    (out / "download.json").unlink()
    (out / "train/00001.parquet").unlink()
    fetch(on_hub(data_set), out)  # a download that was cut off goes on
    assert (out / "train/00000.parquet").stat().st_mtime_ns == first
    read = 0
    for shard in range(2):
        file = out / f"documents-{shard:04d}.parquet"
        collect_documents(source(data_set), shard, 2, CORPUS, file, file.with_suffix(".json"))
        read += read_json(file.with_suffix(".json"))["read"]
    assert read == 20


def test_several_splits_and_a_wrong_one(data_set, tmp_path):
    fetch(on_hub(data_set, split=["train", "validation"]), tmp_path / "out")
    assert sorted(read_json(tmp_path / "out/download.json")["files"]) == ["train", "validation"]
    with pytest.raises(CorpusError, match="has no split test; its splits are train, validation"):
        fetch(on_hub(data_set, split="test"), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_streamed_source_is_read_without_a_download(data_set, tmp_path):
    streamed = source(data_set, streaming=True, documents=15)
    fetch(on_hub(data_set, streaming=True), tmp_path / "text/mine")
    assert [path.name for path in (tmp_path / "text/mine").iterdir()] == ["download.json"]
    read = []
    for shard in range(2):
        file = tmp_path / f"text/mine/documents-{shard:04d}.parquet"
        collect_documents(streamed, shard, 2, CORPUS, file, file.with_suffix(".json"))
        read += pq.read_table(file)["document"].to_pylist()
    assert len(set(read)) == 15
    wrong, file = replace(streamed, column="body"), tmp_path / "text/mine/documents-0000.parquet"
    with pytest.raises(CorpusError, match="there is no column 'body'"):
        collect_documents(wrong, 0, 2, CORPUS, file, file.with_suffix(".json"))


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("Couldn't reach the Hub"),
        OSError("Network is unreachable"),
        RuntimeError("Dataset scripts are no longer supported, but found books.py"),
    ],
)
def test_an_unreachable_hub_is_one_sentence_with_the_id_and_the_remedy(error):
    with pytest.raises(CorpusError) as caught, hub_problems("corpus source 'wiki'", "wikimedia/wikipedia"):
        raise error
    text = str(caught.value)
    assert "'wikimedia/wikipedia' cannot be read from the Hugging Face hub" in text
    assert "folder" in text
    assert "\n" not in text


def test_a_bug_stays_a_bug():
    with pytest.raises(ZeroDivisionError), hub_problems("here", "id"):
        raise ZeroDivisionError


def test_no_such_data_set_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True, raising=False)
    with pytest.raises(CorpusError, match="'nobody/nothing' cannot be read from the Hugging Face hub"):
        fetch(on_hub(Path("nobody/nothing")), tmp_path / "out")
    assert not (tmp_path / "out").exists()
