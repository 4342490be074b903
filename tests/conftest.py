"""Fixtures shared by all tests."""

from pathlib import Path

import pytest
from toy import Done, run

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


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
