"""What docs/results.md tells a person to type does what it says."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from flexibert.cli import main
from flexibert.report.figures import FIGURES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands(name: str) -> list[str]:
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    return [line for line in lines if line.startswith(f"flexibert {name} ")]


def test_commands_and_script_work_on_results(half_results, tmp_path, monkeypatch, capsys):
    shutil.copytree(half_results, tmp_path / "results" / "default")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.sleep", interrupt)
    typed = [*commands("status"), *commands("report")]
    assert len(typed) == 3
    for line in typed:
        assert main(shlex.split(line)[1:]) == 0
    (script,) = blocks("python")
    exec(compile(script, "docs/results.md", "exec"), {})
    assert "True" in capsys.readouterr().out


def interrupt(seconds: float) -> None:
    raise KeyboardInterrupt


@pytest.mark.workflow
def test_dag_of_the_default_experiment_can_be_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (line,) = commands("dag")
    assert main([*shlex.split(line)[1:], "--out", str(tmp_path)]) == 0
    assert "flowchart" in (tmp_path / "jobs.mmd").read_text(encoding="utf-8")


def test_every_figure_is_explained():
    told = re.findall(r"^\| ([^|]+) \|", PAGE, re.MULTILINE)
    for drawing in FIGURES.values():
        assert any(drawing.title.startswith(part) for part in told), drawing.title
