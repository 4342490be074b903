"""`.ci/bare` hides what a newcomer's machine need not have, and tells of what is left in the home."""

import subprocess
import sys

import pytest
from toy import ROOT


def bare(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", ROOT / ".ci" / "bare", *command], capture_output=True, text=True, check=False)


def test_only_base_tools_are_found_and_of_the_environment_only_what_pip_needs(tmp_path, monkeypatch):
    for name in ("sinfo", "chromium", "dot", "conda"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path))
    monkeypatch.setenv("PIP_RETRIES", "7")
    look = (
        "command -v sinfo chromium dot conda; ls -A ~; echo $CONDA_PREFIX $PIP_RETRIES; git --version && make --version"
    )
    done = bare("bash", "-c", look)
    assert done.stdout.startswith("7\ngit version"), done.stdout + done.stderr
    assert done.returncode == 0
    assert bare("python3", "-c", "import sys; print(sys.version)").stdout == sys.version + "\n"


@pytest.mark.parametrize(("command", "status"), [("exit 3", 3), ("mkdir -p ~/.cache/hub", 1), ("true", 0)])
def test_it_fails_as_its_command_does_and_where_something_is_left_in_the_home(command, status):
    done = bare("sh", "-c", command)
    assert done.returncode == status
    assert ("left in the home" in done.stdout) == (".cache" in command)
