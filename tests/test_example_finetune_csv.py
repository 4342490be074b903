"""The example script learns a separable table and leaves a folder that a pipeline reads."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from test_encoder_export import make_results

from flexibert.encoder.export import export

SCRIPT = Path(__file__).parents[1] / "examples" / "finetune_csv.py"
LOAD = """
from transformers import pipeline
print(pipeline("text-classification", "out", trust_remote_code=True)("aaaa"))
"""


def read_rows():
    """The function of the script that reads the table."""
    return runpy.run_path(str(SCRIPT))["read_rows"]


def run(tmp_path, *arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    environment = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_table_is_learnt(tmp_path):
    export(make_results(tmp_path / "results"), tmp_path / "encoder")
    rows = [f"{'aa' if number % 2 else 'bb'} {number % 7},{'good' if number % 2 else 'bad'}" for number in range(160)]
    (tmp_path / "table.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    done = run(
        tmp_path, "encoder", "table.csv", "--to", "out", "--epochs", "4", "--batch", "16", "--learning-rate", "0.01"
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1].split()[3]) > 0.9
    command = [sys.executable, "-c", LOAD]
    answer = subprocess.run(
        command, env={"HF_HOME": str(tmp_path / "hf")}, cwd=tmp_path, capture_output=True, text=True
    )
    assert "good" in answer.stdout, answer.stderr
    again = run(tmp_path, "encoder", "table.csv", "--to", "out")
    assert again.returncode == 1
    assert "exists already" in again.stderr


WRONG = {
    "absent": (None, "no such file"),
    "empty": ("", "the column text and label is missing (found: nothing)"),
    "other columns": ("sentence,class\na,b\n", "the column text and label is missing (found: sentence, class)"),
    "no rows": ("text,label\n", "0 rows are too few"),
    "one class": ("text,label\na,x\nb,x\n", "every label is 'x'"),
    "short row": ("text,label\na,x\nb\n", "row 2 after the header has no label"),
    "not text": (b"text,label\n\xff\xfe,x\n", "not a CSV file in UTF-8"),
}


@pytest.mark.parametrize(("content", "told"), WRONG.values(), ids=WRONG)
def test_a_table_that_cannot_be_used_is_told_in_a_sentence(tmp_path, content, told):
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SystemExit) as ended:
        read_rows()(path, regression=False)
    assert told in str(ended.value)
    assert str(path) in str(ended.value)


def test_a_regression_wants_numbers(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("text,label\na,0.5\nb,good\n")
    with pytest.raises(SystemExit, match="row 2 after the header: --regression needs numbers, not 'good'"):
        read_rows()(path, regression=True)
    path.write_text("\ufefftext,label,text_pair\na,0.5,b\nb,0.25,\n")  # as spreadsheets write it
    assert [(row.label, row.pair) for row in read_rows()(path, regression=True)] == [("0.5", "b"), ("0.25", "")]


@pytest.mark.slow
def test_what_is_no_exported_model_is_told(tmp_path):
    done = run(tmp_path, "nowhere", "table.csv", "--to", "out")
    assert done.returncode == 1
    assert done.stderr == "nowhere: no exported model (it has no config.json); `flexibert export` makes one\n"
