"""The package as others get it: a wheel with all its files, which runs in an environment of its own."""

import shutil
import subprocess
import sys
import sysconfig
import venv
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from flexibert import __version__

ROOT = Path(__file__).parents[1]


def called(*words: str | Path, folder: Path) -> str:
    """Output of a program that must succeed; nothing of this process's search path reaches it."""
    done = subprocess.run(
        list(map(str, words)),
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built offline from a copy of the sources, since a build leaves files beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    shutil.copytree(ROOT / "flexibert", sources / "flexibert", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    called(sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", folder, sources, folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def fresh(wheel, tmp_path_factory) -> Path:
    """A virtual environment with the wheel; the requirements are those of the running one, without this checkout."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder)
    python = folder / "bin/python"
    options = ("--no-deps", "--no-index", "--disable-pip-version-check")
    called(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel, folder=folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_wheel_holds_every_file_of_the_package(wheel):
    files = [path for path in (ROOT / "flexibert").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    packed = {name for name in ZipFile(wheel).namelist() if name.startswith("flexibert/")}
    assert packed == {str(path.relative_to(ROOT)) for path in files}


def test_the_wheel_says_what_it_is_and_under_which_licence(wheel):
    archive = ZipFile(wheel)
    (place,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
    said = Parser().parsestr(archive.read(place).decode())
    assert (said["Name"], said["Version"], said["License-Expression"]) == ("flexibert", __version__, "Apache-2.0")
    assert archive.read(place.replace("METADATA", "licenses/LICENSE")) == (ROOT / "LICENSE").read_bytes()
    assert set(said.get_all("Provides-Extra")) == {"gp", "tsne", "workflow", "develop"}


def test_the_installed_package_runs_without_the_checkout(fresh, tmp_path):
    where = called(fresh / "bin/python", "-c", "import flexibert; print(flexibert.__file__)", folder=tmp_path)
    assert Path(where.strip()).is_relative_to(fresh)
    assert "bench" in called(fresh / "bin/flexibert", "--help", folder=tmp_path)
    assert called(fresh / "bin/flexibert", "--version", folder=tmp_path).strip() == __version__
    assert '"total":' in called(fresh / "bin/flexibert", "params", "BERT-Tiny", folder=tmp_path)


def test_citation_and_changelog_are_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["cff-version"], citation["version"]) == ("1.2.0", __version__)
    assert {"message", "title", "authors"} <= set(citation)
    assert __version__ in (ROOT / "CHANGELOG.md").read_text()


def test_what_runs_on_a_push_is_what_runs_here():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    steps = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    assert steps == [".ci/run"]


def test_hooks_before_a_commit_are_the_tools_of_the_environment():
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    programs = [hook["entry"].split()[0] for hook in local["hooks"]]
    assert {Path(program).parent for program in programs} == {Path(".venv/bin")}
    assert [name for name in programs if not (Path(sys.executable).parent / Path(name).name).is_file()] == []
