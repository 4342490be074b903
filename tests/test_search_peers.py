"""One suite that every search method must pass; a new one joins by its name in METHODS."""

from dataclasses import replace

import numpy as np
import pytest

from flexibert.errors import SearchError
from flexibert.search.bench.pool import pool_of_models
from flexibert.search.candidates import nearest_open, open_rows, proposal_generator
from flexibert.search.interface import Observations, Pool, Proposal
from flexibert.search.methods import METHODS, method_named
from flexibert.search.peers.bananas import Bananas
from flexibert.search.peers.evolution import RegularisedEvolution
from flexibert.search.peers.tpe import choices_of

REASONS = {"initial", "optimisation", "uncertainty", "diversity", "aleatoric", "baseline"}


@pytest.fixture(scope="module")
def pool() -> Pool:
    """All 4 * 4 * 3 combinations of three categories, some of them there twice."""
    generator = np.random.default_rng(0)
    codes = np.stack(np.meshgrid(range(4), range(4), range(3), indexing="ij"), axis=-1).reshape(-1, 3)
    codes = np.concatenate([codes, codes[:8]])
    columns = [codes[:, [choice]] == np.arange(levels) for choice, levels in enumerate((4, 4, 3))]
    features = np.concatenate(columns, axis=1).astype(float)
    order = generator.permutation(len(codes))
    return Pool(
        ids=[f"model-{place:02d}" for place in range(len(codes))],
        embedding=features[order] @ generator.normal(size=(11, 6)),
        features=features[order],
        identity=np.unique(codes[order], axis=0, return_inverse=True)[1].reshape(-1),
        sizes=codes[order].sum(axis=1) * 1000,
        groups=np.repeat([0, 1, 2], [4, 4, 3]),
        levels=np.array([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2]),
    )


def true_scores(pool: Pool) -> np.ndarray:
    """A smooth score of each candidate, in 64ths, so that sums and shifts of them are exact in binary numbers."""
    worth = np.array([0, 3, 1, 4, 2, 0, 5, 1, 0, 2, 4])
    return np.round(64 * (pool.features @ worth + 0.5 * pool.embedding[:, 0])) / 64


def seen(pool: Pool, count: int = 16) -> Observations:
    """The first networks of the pool in a random order, evaluated, and two more pending."""
    order = np.random.default_rng(1).permutation(len(pool))
    rows = order[np.sort(np.unique(pool.identity[order], return_index=True)[1])]
    return Observations(rows[:count], true_scores(pool)[rows[:count]], rows[count : count + 2])


def propose(name: str, observations: Observations, pool: Pool, count: int = 3, seed: int = 5) -> list[Proposal]:
    return method_named(name).propose(observations, pool, count, seed)


def names(proposals: list[Proposal], pool: Pool) -> list[str]:
    return [pool.ids[proposal.index] for proposal in proposals]


@pytest.mark.parametrize("name", METHODS)
class TestEveryMethod:
    def test_proposes_new_networks_only_and_explains_them(self, name, pool):
        observations = seen(pool)
        proposals = propose(name, observations, pool, count=6)
        known = pool.identity[np.concatenate([observations.indices, observations.pending])]
        networks = pool.identity[[proposal.index for proposal in proposals]]
        assert len(proposals) == len(set(networks)) == 6
        assert not set(networks) & set(known)
        assert {proposal.reason for proposal in proposals} <= REASONS

    def test_equal_arguments_give_equal_proposals(self, name, pool):
        assert propose(name, seen(pool), pool) == propose(name, seen(pool), pool)

    def test_returns_what_is_left_and_then_nothing(self, name, pool):
        first = np.unique(pool.identity, return_index=True)[1]
        nearly = Observations(first[:-4], true_scores(pool)[first[:-4]], first[-4:-2])
        left = propose(name, nearly, pool, count=10)
        assert sorted(pool.identity[[p.index for p in left]]) == sorted(pool.identity[first[-2:]])
        everything = Observations(first, true_scores(pool)[first])
        assert propose(name, everything, pool, count=2) == []

    def test_starts_with_nothing_known(self, name, pool):
        nothing = Observations(np.empty(0, dtype=int), np.empty(0))
        assert len({p.index for p in propose(name, nothing, pool)}) == 3
        assert method_named(name).predict(nothing, pool, 0) is None

    @pytest.mark.parametrize("failed", ["some", "all"])
    def test_goes_on_after_failed_candidates(self, name, failed, pool):
        observations = seen(pool)
        lost = np.arange(16) % 3 == 0 if failed == "some" else np.ones(16, dtype=bool)
        scores = np.where(lost, np.nan, observations.scores)
        proposals = propose(name, replace(observations, scores=scores), pool)
        figures = [(p.mean, p.aleatoric, p.epistemic, p.acquisition) for p in proposals]
        assert len(proposals) == 3
        assert all(np.isfinite(figure) for row in figures for figure in row if figure is not None)

    def test_goes_on_when_all_scores_are_equal(self, name, pool):
        assert len(propose(name, replace(seen(pool), scores=np.full(16, 71.3)), pool)) == 3

    def test_takes_repeated_evaluations_with_different_scores(self, name, pool):
        observations = seen(pool)
        indices = np.concatenate([observations.indices, observations.indices[:5]])
        scores = np.concatenate([observations.scores, observations.scores[:5] + 0.5])
        proposals = propose(name, replace(observations, indices=indices, scores=scores), pool)
        assert not set(pool.identity[[p.index for p in proposals]]) & set(pool.identity[indices])

    @pytest.mark.parametrize(("scale", "shift"), [(2.0**-20, 0.0), (2.0**20, 0.0), (1.0, 4096.0), (4.0, -8192.0)])
    def test_scale_and_shift_of_the_scores_do_not_matter(self, name, scale, shift, pool):
        observations = seen(pool)
        moved = replace(observations, scores=observations.scores * scale + shift)
        assert names(propose(name, moved, pool), pool) == names(propose(name, observations, pool), pool)

    def test_ties_do_not_depend_on_the_order_of_the_pool(self, name, pool):
        """Without scores and sizes to tell candidates apart all that is left is chance, which must follow the names."""
        pool = replace(pool, sizes=np.zeros(len(pool)))
        observations = replace(seen(pool), scores=np.zeros(16))
        order = np.random.default_rng(2).permutation(len(pool))
        place = np.argsort(order)
        moved = replace(observations, indices=place[observations.indices], pending=place[observations.pending])
        shuffled = pool.take(order)
        assert names(propose(name, moved, shuffled), shuffled) == names(propose(name, observations, pool), pool)

    def test_predictions_are_on_the_scale_of_the_scores(self, name, pool):
        observations = replace(seen(pool), scores=seen(pool).scores * 1000 + 1e5)
        prediction = method_named(name).predict(observations, pool, 0)
        if prediction is None:
            pytest.skip("has no surrogate")
        assert prediction.mean.shape == prediction.aleatoric.shape == prediction.epistemic.shape == (len(pool),)
        assert np.corrcoef(prediction.mean, true_scores(pool))[0, 1] > 0.6
        assert abs(prediction.mean - (true_scores(pool) * 1000 + 1e5)).mean() < 2000  # their deviation is about 3000
        assert (prediction.aleatoric >= 0).all()
        assert (prediction.epistemic > 0).all()
        assert prediction.epistemic.max() < 30_000


def regret(name: str, pool: Pool, seed: int, evaluations: int, batch: int) -> float:
    """Distance to the best score after a search that began with eight random networks."""
    scores = true_scores(pool)
    order = np.random.default_rng(seed).permutation(len(pool))
    rows = order[np.sort(np.unique(pool.identity[order], return_index=True)[1])][:8].tolist()
    while len(rows) < evaluations:
        observations = Observations(np.array(rows), scores[rows])
        rows += [p.index for p in propose(name, observations, pool, min(batch, evaluations - len(rows)), seed)]
    return float(scores.max() - scores[rows].max())


@pytest.fixture(scope="module")
def chance(pool: Pool) -> float:
    return float(np.mean([regret("random", pool, seed, 20, 3) for seed in range(100)]))


CONTROLS = ("random", "largest", "largest-group")
LEARNERS = [name for name in METHODS if name not in CONTROLS and not name.startswith("boshnas-paper-")]


@pytest.mark.parametrize("name", LEARNERS)
def test_learns_from_what_it_saw(name, pool, chance):
    seeds = range(12) if name in ("evolution", "local", "reinforce") else range(4)
    assert np.mean([regret(name, pool, seed, 20, 3) for seed in seeds]) < 0.75 * chance


def test_evolution_mutates_the_best_of_the_living(pool):
    """The best of all was evaluated first and has died."""
    rows = seen(pool, 6).indices
    observations = Observations(rows, np.array([9.0, 1.0, 1.0, 1.0, 2.0, 3.0]))
    method = RegularisedEvolution(population=3, sample=3, mutations=4)
    open_ = open_rows(observations, pool, np.random.default_rng(0))
    near = {place: set(pool.identity[nearest_open(rows[place], open_, pool, 12)]) for place in (0, 5)}
    children = {pool.identity[method.propose(observations, pool, 1, seed)[0].index] for seed in range(20)}
    assert children <= near[5]
    assert not children <= near[0]


def test_bananas_draws_among_the_neighbours_of_the_best(pool):
    rows = seen(pool, 6).indices
    observations = Observations(rows, np.array([9.0, 1.0, 1.5, 2.0, 2.5, 3.0]))
    method = Bananas(parents=1, mutations=4)
    open_ = open_rows(observations, pool, proposal_generator("bananas", observations, 0))
    proposed = {proposal.index for proposal in method.propose(observations, pool, 4, 0)}
    assert proposed == set(nearest_open(rows[0], open_, pool, 4))


def test_tpe_chooses_the_properties_of_models():
    shallow = {"l": 1, "o": ["sa"], "h": [128], "n": [2], "f": [[256]], "p": ["sdp"]}
    deep = {"l": 2, "o": ["sa", "l"], "h": [128, 128], "n": [2, 2], "f": [[256], [256]], "p": ["wma", "dft"]}
    other = deep | {"o": ["sa", "c"], "p": ["sdp", 5], "f": [[512], [256]]}
    choices = choices_of(pool_of_models(["a", "b", "c"], [shallow, deep, other]))
    assert choices.categorical.all()
    # depth, operation and width of layer 1; of layer 2 the operation, or that there is none, and all that it brings
    assert sorted(choices.levels.tolist()) == [2, 2, 2, 2, 2, 2, 2, 3]


def test_largest_takes_the_models_by_size(pool):
    proposals = propose("largest", Observations(np.empty(0, dtype=int), np.empty(0)), pool, 4)
    first = np.unique(pool.identity, return_index=True)[1]
    assert pool.sizes[[p.index for p in proposals]].tolist() == sorted(pool.sizes[first])[::-1][:4]


def test_largest_group_draws_among_the_widest_and_deepest():
    models = [
        {"l": layers, "o": ["sa"] * layers, "h": [hidden] * layers, "n": [2] * layers, "f": [[width]] * layers}
        | {"p": [parameter] * layers}
        for layers in (2, 4)
        for hidden in (32, 64)
        for width in (64, 128)
        for parameter in ("sdp", "wma")
    ]
    pool = pool_of_models([f"model-{k:02d}" for k in range(len(models))], models, "naive")
    nothing = Observations(np.empty(0, dtype=int), np.empty(0))
    drawn = [[p.index for p in propose("largest-group", nothing, pool, 5, seed)] for seed in range(8)]
    assert all(set(rows[:4]) == {12, 13, 14, 15} for rows in drawn)  # 4 layers of 64; then 4 x 32 and 2 x 64 are equal
    assert {rows[4] for rows in drawn} <= {4, 5, 6, 7, 8, 9, 10, 11}
    assert len({tuple(rows) for rows in drawn}) > 4


@pytest.mark.parametrize("name", ["largest", "largest-group"])
def test_controls_by_size_need_sizes(name, pool):
    with pytest.raises(SearchError, match=f"'{name}' needs models with a size"):
        propose(name, seen(pool), replace(pool, sizes=None))
