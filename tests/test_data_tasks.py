"""Labelled tasks: official layouts, labels, groups, encoding, mistakes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexibert.data.task_files import Example, read_examples, token_f1
from flexibert.data.task_splits import sub_sample
from flexibert.data.task_table import TASKS, names_of
from flexibert.data.tasks import TaskData, check_tasks, cut_pair, hub_source, prepare_task, tasks_of
from flexibert.data.tokenizer import load_tokenizer, make_tokenizer
from flexibert.errors import TaskError
from flexibert.settings import SuiteSettings, TaskSettings, TokenizerSettings

SETTINGS = TaskSettings(length=24, train_rows=None, validation_rows=None, test_share=0.0, test_rows=None)


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory) -> Path:
    """A byte-level tokenizer with hardly a merge."""
    root = tmp_path_factory.mktemp("tokenizer")
    table = pa.table({"document": ["low lower lowest new newer newest " * 5], "split": ["train"]})
    pq.write_table(table, root / "documents.parquet")
    settings = TokenizerSettings(kind="train", vocabulary=264, path=None)
    make_tokenizer(settings, [root / "documents.parquet"], root / "tokenizer.json", 1)
    return root / "tokenizer.json"


def write_glue(root: Path, name: str, train: str, dev: str) -> None:
    spec = TASKS[f"glue-{name}"]
    (root / spec.folder).mkdir(parents=True, exist_ok=True)
    (root / spec.folder / "train.tsv").write_text(train, encoding="utf-8")
    (root / spec.folder / f"{spec.files[1]}.tsv").write_text(dev, encoding="utf-8")


def glue(folder: Path | None, *names: str) -> SuiteSettings:
    return SuiteSettings("glue", "folder", None if folder is None else str(folder), names or None)


def read(task: str, split: str, folder: Path) -> list[tuple]:
    rows, _ = read_examples(TASKS[task], split, "folder", folder)
    return [(row.first, row.second, row.label) for row in rows]


def test_the_suites_are_complete():
    assert tasks_of(glue(None)) == [
        "glue-cola",
        "glue-sst2",
        "glue-mrpc",
        "glue-stsb",
        "glue-qqp",
        "glue-mnli",
        "glue-qnli",
        "glue-rte",
        "glue-wnli",
    ]
    assert tasks_of(SuiteSettings("probes", "embedded", names=("rte", "cola"))) == ["probes-cola", "probes-rte"]
    assert names_of("superglue") == ["boolq", "cb", "copa", "multirc", "record", "rte", "wic", "wsc"]
    for name in names_of("glue"):
        ours, theirs = TASKS[f"probes-{name}"], TASKS[f"glue-{name}"]
        assert (ours.texts, ours.labels, ours.metrics, ours.range) == (
            theirs.texts,
            theirs.labels,
            theirs.metrics,
            theirs.range,
        )


def test_cola_has_no_header_and_quotes_mean_nothing(tmp_path):
    write_glue(tmp_path, "cola", 'gj04\t1\t\t"He left.\ngj04\t0\t*\tLeft he "so\n', "gj04\t1\t\tOne row.\n")
    assert read("glue-cola", "train", tmp_path) == [('"He left.', None, 1), ('Left he "so', None, 0)]
    assert read("glue-cola", "validation", tmp_path) == [("One row.", None, 1)]


def test_columns_are_found_by_name_and_unknown_values_elsewhere_do_not_matter(tmp_path):
    header = "index\tpromptID\tsentence1\tsentence2\tlabel1\tgold_label\n"
    row = "0\tn/a\tSalt kept the town fed.\tIt thrived.\tn/a\tneutral\n"
    write_glue(tmp_path, "mnli", header + row, header + row.replace("neutral", "contradiction"))
    assert read("glue-mnli", "train", tmp_path) == [("Salt kept the town fed.", "It thrived.", 1)]
    assert read("glue-mnli", "validation", tmp_path)[0][2] == 2


def test_a_few_broken_lines_are_left_out_and_many_are_an_error(tmp_path):
    header, row = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n", "0\t1\t2\tWhy?\tHow so?\t1\n"
    write_glue(tmp_path, "qqp", header + row + "7\t8\t9\tcut off\n" + row, header + row)
    rows, incomplete = read_examples(TASKS["glue-qqp"], "train", "folder", tmp_path)
    assert (len(rows), incomplete) == (2, 1)
    write_glue(tmp_path, "qqp", header + row + "7\t8\t9\tcut off\n" * 3, header + row)
    with pytest.raises(
        TaskError, match=r"train\.tsv, line 3: the column 'is_duplicate' is missing there, and in 2 more"
    ):
        read("glue-qqp", "train", tmp_path)


def test_mistakes_name_file_line_and_remedy(tmp_path):
    write_glue(tmp_path, "sst2", "sentence\tsentiment\ngood\t1\n", "sentence\tlabel\ngood\t1\nbad\t2\nworse\tx\n")
    with pytest.raises(
        TaskError, match=r"SST-2/train\.tsv, line 1: there is no column 'label' \(columns: sentence, senti"
    ):
        read("glue-sst2", "train", tmp_path)
    with pytest.raises(TaskError) as caught:
        read("glue-sst2", "validation", tmp_path)
    assert len(caught.value.problems) == 2
    assert "dev.tsv, line 3: the label '2' is not one of 0, 1" in caught.value.problems[0]
    write_glue(
        tmp_path, "stsb", "sentence1\tsentence2\tscore\na\tb\t5.5\nc\td\tmuch\n", "sentence1\tsentence2\tscore\n"
    )
    with pytest.raises(TaskError) as caught:
        read("glue-stsb", "train", tmp_path)
    assert "line 2: the label 5.5 is outside 0 to 5" in caught.value.problems[0]
    assert "line 3: the label 'much' is not a number from 0 to 5" in caught.value.problems[1]
    with pytest.raises(TaskError, match="no row could be read"):
        read("glue-stsb", "validation", tmp_path)


def test_a_folder_that_lacks_a_task_is_told_before_the_first_job(tmp_path):
    write_glue(tmp_path, "sst2", "sentence\tlabel\n", "sentence\tlabel\n")
    (tmp_path / "SST-2/dev.tsv").unlink()
    problems = check_tasks([glue(tmp_path, "sst2", "rte")])
    assert len(problems) == 2
    assert "lacks SST-2/dev.tsv;" in problems[0]
    assert "lacks RTE/train.tsv and RTE/dev.tsv" in problems[1]
    assert all("`names`" in problem for problem in problems)
    with pytest.raises(TaskError, match="lacks RTE"):
        read("glue-rte", "train", tmp_path)


def test_wrong_sections_are_told_all_at_once(tmp_path):
    suites = [
        glue(tmp_path / "nowhere"),
        SuiteSettings("probes", "folder", names=("colla",)),
        SuiteSettings("superglue", "embedded"),
        glue(None),
    ]
    problems = check_tasks(suites)
    for words in (
        "stands 2 times",
        "does not exist",
        "no task 'colla'",
        "only probes are embedded",
        "key 'folder' is missing; source 'folder' needs it",
    ):
        assert any(words in problem for problem in problems), words


def test_tasks_left_out_of_the_score_must_be_there_and_leave_some():
    probes = SuiteSettings("probes", "embedded", names=("cola", "wnli"))
    assert check_tasks([probes], ["probes-wnli"]) == []
    assert (
        "no task 'probes-wnl' in tasks.suites; did you mean 'probes-wnli'?" in check_tasks([probes], ["probes-wnl"])[0]
    )
    [problem] = check_tasks([probes], ["probes-cola", "probes-wnli"])
    assert "all tasks of suite probes are left out" in problem


def superglue_rows(tmp_path: Path, task: str, rows: list[dict]) -> list[Example]:
    spec = TASKS[f"superglue-{task}"]
    (tmp_path / spec.folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / spec.folder / "val.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return read_examples(spec, "validation", "folder", tmp_path)[0]


def test_copa_has_two_rows_a_question(tmp_path):
    row = {"premise": "He fell.", "choice1": "He slept.", "choice2": "Ice.", "question": "cause", "label": 1}
    rows = superglue_rows(tmp_path, "copa", [row, {**row, "question": "effect", "label": 0}])
    assert [(r.second, r.label, r.group) for r in rows] == [
        ("He slept.", 0, 0),
        ("Ice.", 1, 0),
        ("He slept.", 1, 1),
        ("Ice.", 0, 1),
    ]
    assert rows[0].first == "He fell. What was the cause?"


def test_multirc_groups_the_answers_of_a_question(tmp_path):
    answers = [{"text": "no", "label": 0}, {"text": "yes", "label": 1}]
    passage = {
        "text": "<b>Sent 1: </b>Text.<br>",
        "questions": [{"question": f"Q{n}?", "answers": answers} for n in (0, 1)],
    }
    rows = superglue_rows(tmp_path, "multirc", [{"passage": passage}, {"passage": passage}])
    assert [r.group for r in rows] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [r.label for r in rows] == [0, 1] * 4
    assert rows[2].first.split() == ["Q1?", "Sent", "1:", "Text."]
    hub = [
        {
            "paragraph": "P",
            "question": "Q",
            "answer": str(n),
            "idx": {"paragraph": 0, "question": n // 2, "answer": n},
            "label": 1,
        }
        for n in range(4)
    ]
    assert [r.group for r in superglue_rows(tmp_path, "multirc", hub)] == [0, 0, 1, 1]


def test_record_fills_candidates_in_and_knows_their_overlap(tmp_path):
    text = "New York and Paris"
    entities = [{"start": 0, "end": 7}, {"start": 13, "end": 17}, {"start": 13, "end": 17}]
    query = {"query": "He left @placeholder.", "answers": [{"text": "York"}]}
    rows = superglue_rows(
        tmp_path, "record", [{"passage": {"text": text, "entities": entities}, "qas": [query, query]}]
    )
    assert [(r.second, r.label, r.group) for r in rows[:3]] == [
        ("He left New York.", 0, 0),
        ("He left Paris.", 0, 0),
        ("He left New York.", 0, 1),
    ]
    assert rows[0].overlap == pytest.approx(2 / 3)
    assert token_f1("The U.S.", "us") == 1.0


def test_words_in_question_are_marked(tmp_path):
    wic = {"word": "place", "sentence1": "my place later", "sentence2": "no place", "label": True}
    rows = superglue_rows(tmp_path, "wic", [{**wic, "start1": 3, "end1": 8, "start2": 3, "end2": 8}])
    assert rows[0] == Example("my * place * later", "no * place *", 1, 0)
    target = {"span1_text": "Mark", "span1_index": 0, "span2_text": "him", "span2_index": 2}
    rows = superglue_rows(tmp_path, "wsc", [{"text": "Mark saw him there.", "target": target, "label": False}])
    assert rows[0] == Example("Mark saw * him * there.", "Mark", 0, 0)


@given(st.lists(st.integers(0, 9), max_size=40), st.lists(st.integers(0, 9), max_size=40), st.integers(2, 50))
def test_the_longer_text_gives_first(first, second, most):
    one, two = cut_pair(first, second, most)
    assert (one, two) == (first[: len(one)], second[: len(two)])
    assert len(one) + len(two) == min(most, len(first) + len(second))
    if len(one) < len(first):
        assert len(one) >= len(two) - 1
    if len(two) < len(second):
        assert len(two) >= len(one) - 1


@given(st.lists(st.integers(1, 6), min_size=1, max_size=30), st.integers(1, 60), st.integers(0, 9))
def test_sub_samples_keep_groups_whole(sizes, most, seed):
    examples = [Example(f"{group}-{row}", None, 0, group) for group, size in enumerate(sizes) for row in range(size)]
    chosen = sub_sample(examples, most, seed)
    assert chosen == sorted(chosen, key=examples.index)
    assert chosen
    assert len(chosen) <= max(most, max(sizes))
    for group in {e.group for e in chosen}:
        assert sum(e.group == group for e in chosen) == sizes[group]
    assert sub_sample(examples, None, seed) == examples


def test_prepared_rows_decode_to_the_texts(tmp_path, tokenizer):
    header = "index\tsentence1\tsentence2\tlabel\n"
    rows = "0\tlow\tnewest of all\tentailment\n1\tlower and lower still\tnew\tnot_entailment\n"
    write_glue(tmp_path, "rte", header + rows, header + rows)
    prepare_task("glue-rte", glue(tmp_path), SETTINGS, tokenizer, 1, tmp_path / "out")
    data = TaskData.load(tmp_path / "out", "train")
    assert data.labels.tolist() == [0, 1]
    assert data.facts["majority_share"] == 0.5
    ids, mask = data.batch(np.array([1, 0]))
    assert ids.shape == mask.shape
    decoder = load_tokenizer(tokenizer)
    assert decoder.decode(ids[1][mask[1]].tolist(), skip_special_tokens=False) == "[CLS] low[SEP] newest of all[SEP]"
    assert mask.sum(axis=1).max() <= SETTINGS.length
    assert (ids[~mask] == data.facts["pad"]).all()


def test_the_seed_decides_which_rows_are_used(tmp_path, tokenizer):
    rows = "".join(f"s\t{n % 2}\t\tsentence {n}\n" for n in range(60))
    write_glue(tmp_path, "cola", rows, rows)
    settings = replace(SETTINGS, train_rows=10, validation_rows=20)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        prepare_task("glue-cola", glue(tmp_path), settings, tokenizer, seed, tmp_path / name)
    files = [(tmp_path / name / "train.npz").read_bytes() for name in "abc"]
    assert files[0] == files[1] != files[2]
    data = TaskData.load(tmp_path / "a", "train")
    assert len(data) == 10
    assert len(TaskData.load(tmp_path / "a", "validation")) == 20


def test_splits_are_drawn_apart(tmp_path, tokenizer):
    """Equal files stand for both splits: the rows that are drawn of them differ."""
    rows = "".join(f"s\t{n % 2}\t\tsentence {n}\n" for n in range(60))
    write_glue(tmp_path, "cola", rows, rows)
    settings = replace(SETTINGS, train_rows=20, validation_rows=20)
    prepare_task("glue-cola", glue(tmp_path), settings, tokenizer, 1, tmp_path / "out")
    splits = [np.load(tmp_path / "out" / f"{split}.npz") for split in ("train", "validation")]
    assert not np.array_equal(*(arrays["input_ids"] for arrays in splits))


def test_a_task_from_the_hub_is_read_from_its_parquet_files(tmp_path, tokenizer):
    assert hub_source("glue-mnli") == {
        "name": "glue-mnli",
        "kind": "hub",
        "id": "nyu-mll/glue",
        "config": "mnli",
        "split": ["train", "validation_matched"],
    }
    table = pa.table({"premise": ["a", "b"], "hypothesis": ["c", "d"], "label": [2, 0], "idx": [0, 1]})
    for split in ("train", "validation_matched"):
        (tmp_path / split).mkdir()
        pq.write_table(table, tmp_path / split / "00000.parquet")
    suite = SuiteSettings("glue", "hub")
    prepare_task("glue-mnli", suite, SETTINGS, tokenizer, 1, tmp_path)
    assert TaskData.load(tmp_path, "validation").labels.tolist() == [2, 0]


def test_the_real_files_are_read_completely(shared_data):
    rows = {
        name: len(read(f"glue-{name}", "validation", shared_data / "glue")) for name in ("cola", "mrpc", "stsb", "rte")
    }
    assert rows == {"cola": 1043, "mrpc": 408, "stsb": 1500, "rte": 277}
    copa, _ = read_examples(TASKS["superglue-copa"], "validation", "folder", shared_data / "superglue")
    assert len({example.group for example in copa}) == 100
    genuine = (shared_data / "glue/MNLI/genuine_layout_sample.tsv").read_text(encoding="utf-8")
    assert genuine.count("\t") > 0
    wsc, _ = read_examples(TASKS["superglue-wsc"], "train", "folder", shared_data / "superglue")
    assert all(example.first.count("*") >= 2 for example in wsc)
