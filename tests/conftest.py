"""Fixtures shared by all tests."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from toy import SHARED_DATA, Done, run

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SERVICES = ("browser", "graphviz", "slurm")  # fixtures that skip where the machine does not have them
OWN_CLUSTER = "dev"  # name of the Slurm that stands on loopback for the tests; jobs go to no other


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test with the services that it asks for, so that `make test-services` leaves out none."""
    for item in items:
        for service in set(SERVICES).intersection(getattr(item, "fixturenames", [])):
            item.add_marker(service)


@pytest.fixture(scope="session")
def browser() -> str:
    """Path of a browser that knows `--dump-dom`."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser is installed (looked for {', '.join(BROWSERS)})")
    return found


@pytest.fixture(scope="session")
def graphviz() -> None:
    """Graphviz is installed."""
    if shutil.which("dot") is None:
        pytest.skip("graphviz is not installed (looked for dot)")


@pytest.fixture(scope="session")
def slurm() -> None:
    """The tests' own Slurm answers and has a node ready. A site's cluster is left alone."""
    absent = [name for name in ("sinfo", "scontrol") if shutil.which(name) is None]
    if absent:
        pytest.skip(f"no Slurm is installed (looked for {absent[0]})")
    settings = answer("scontrol", "show", "config")
    name = re.search(r"^ClusterName\s*=\s*(\S+)", settings, re.MULTILINE)
    if name is None:
        pytest.skip(f"Slurm is installed, but does not answer: {settings}")
    if name[1] != OWN_CLUSTER:
        pytest.skip(f"this Slurm is the cluster {name[1]}; the tests send jobs only to one named {OWN_CLUSTER}")
    states = answer("sinfo", "--noheader", "--format", "%t")
    if "idle" not in states and "mix" not in states:
        pytest.skip(f"no Slurm node is ready: {states}")


def answer(*command: str) -> str:
    """What a program says, be it an error."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired as silent:
        return str(silent)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the checkout (GLUE, text, fixtures), which the project does not ship."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real data at {SHARED_DATA.name}/ beside the checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One finished toy search; tests look at it and never change it."""
    done = run(folder=tmp_path_factory.mktemp("toy"))
    assert done.ok, done.text
    return done


@pytest.fixture(scope="session")
def finished_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with made-up numbers, complete but for its report; never to be changed."""
    from results_folder import finished_experiment

    return finished_experiment(tmp_path_factory.mktemp("results") / "finished")


@pytest.fixture(scope="session")
def half_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder of a search in its third round; never to be changed."""
    from results_folder import half_finished_experiment

    return half_finished_experiment(tmp_path_factory.mktemp("results") / "half")


@pytest.fixture(scope="session")
def unconfirmed_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder of a search that has converged, its confirmation half done; never to be changed."""
    from results_folder import unconfirmed_experiment

    return unconfirmed_experiment(tmp_path_factory.mktemp("results") / "unconfirmed")
