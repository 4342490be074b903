"""The example script learns a separable table and leaves a folder that a pipeline reads."""

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


@pytest.mark.slow
def test_table_without_its_columns_is_told(tmp_path):
    (tmp_path / "table.csv").write_text("sentence,class\na,b\n")
    done = run(tmp_path, "encoder", "table.csv", "--to", "out")
    assert done.returncode == 1
    assert "the column text and label is missing (found: sentence, class)" in done.stderr
