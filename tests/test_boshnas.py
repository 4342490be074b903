"""Our BOSHNAS: its parts against slow references, and its behaviour where scores are scarce, failed or repeated."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from flexibert.search.boshnas.acquisition import log_expected_improvement, log_improvement
from flexibert.search.boshnas.ascent import acquisition_gradient, ascend, trend_map
from flexibert.search.boshnas.gaussian_process import JITTER, GaussianProcess, Posterior
from flexibert.search.boshnas.kernel import Coordinates, matern, relate, shared_category_counts, views_of_pool
from flexibert.search.boshnas.method import Boshnas, GaussianSurrogate, mixture
from flexibert.search.boshnas.score_warp import ScoreWarp
from flexibert.search.interface import Observations, Pool
from flexibert.space.architecture import Architecture


def plane(count=80, dimensions=3, seed=0):
    points = np.random.default_rng(seed).normal(size=(count, dimensions))
    return Pool([f"c{k}" for k in range(count)], points, points, np.arange(count))


def hill(pool):
    return 60 + 5 * pool.embedding[:, 0] - 2 * np.square(pool.embedding[:, 1:]).sum(axis=1)


@pytest.fixture
def surrogate():
    pool = plane()
    rows = np.arange(20)
    return GaussianSurrogate.fit(Observations(rows, hill(pool)[rows]), pool)


@pytest.fixture
def view(surrogate):
    return surrogate.views[0]


def test_posterior_equals_the_textbook(view):
    process, points = view.process, view.coordinates.take(np.arange(30, 37))
    for hypothesis, posterior in zip(process.hypotheses, process.posteriors(points), strict=True):

        def covariance(a, b, hypothesis=hypothesis):
            distances = np.linalg.norm(a.embedding[:, None] - b.embedding, axis=2)
            smooth = matern(distances / hypothesis.length)
            return hypothesis.trend * a.trend @ b.trend.T + (1 - hypothesis.trend) * smooth

        inverse = np.linalg.inv(
            covariance(process.observed, process.observed) + (hypothesis.noise + JITTER) * np.eye(len(process.scores))
        )
        cross, ones = covariance(process.observed, points), np.ones(len(process.scores))
        level = ones @ inverse @ process.scores / (ones @ inverse @ ones)  # Rasmussen and Williams, eq. 2.42
        unsure = 1 - ones @ inverse @ cross
        variance = np.diag(covariance(points, points) - cross.T @ inverse @ cross) + unsure**2 / (ones @ inverse @ ones)
        np.testing.assert_allclose(posterior.mean, level + cross.T @ inverse @ (process.scores - level), atol=1e-8)
        np.testing.assert_allclose(posterior.epistemic, hypothesis.scale * variance, atol=1e-8)


def test_weights_sum_to_one_and_fall(view):
    weights = [hypothesis.weight for hypothesis in view.process.hypotheses]
    assert sum(weights) == pytest.approx(1)
    assert weights == sorted(weights, reverse=True)


def test_noise_is_learned():
    pool = plane(200)
    generator = np.random.default_rng(1)
    rows = np.repeat(np.arange(60), 2)
    exact = hill(pool)[rows]
    quiet = GaussianSurrogate.fit(Observations(rows, exact), pool).views[0].process
    loud = GaussianSurrogate.fit(Observations(rows, exact + generator.normal(0, 8, len(rows))), pool).views[0].process
    assert loud.hypotheses[0].noise > quiet.hypotheses[0].noise


def test_uncertainties_are_calibrated():
    inside = []
    for seed in range(20):
        pool = plane(300, 2, seed)
        generator = np.random.default_rng(seed)
        truth = np.sin(2 * pool.embedding).sum(axis=1)
        noisy = truth + generator.normal(0, 0.1, len(pool))
        rows = np.arange(40)
        process = GaussianProcess.fit(Coordinates.of_pool(pool).take(rows), noisy[rows])
        mean, epistemic, aleatoric = mixture(process.posteriors(Coordinates.of_pool(pool).take(np.arange(40, 300))))
        inside.append(np.mean(np.abs(noisy[40:] - mean) < 1.645 * np.sqrt(epistemic + aleatoric)))
    assert 0.8 < np.mean(inside) < 0.98  # nominal 0.9


def test_the_variance_of_a_mixture_is_split_by_the_law_of_total_variance():
    posteriors = [
        Posterior(0.25, np.array([1.0, 2.0]), np.array([0.5, 0.1]), 0.2),
        Posterior(0.75, np.array([1.0, -2.0]), np.array([0.1, 0.3]), 0.4),
    ]
    mean, epistemic, aleatoric = mixture(posteriors)
    np.testing.assert_allclose(mean, [1.0, -1.0])
    np.testing.assert_allclose(epistemic, [0.2, 0.25 + 0.25 * 9 + 0.75 * 1])  # within, and between, the hypotheses
    np.testing.assert_allclose(aleatoric, [0.35, 0.35])


def test_believing_keeps_the_mean_and_takes_the_doubt(surrogate, view):
    rows, others = np.array([40, 41]), np.arange(50, 60)
    before = view.process.posteriors(view.coordinates.take(others))
    believing = surrogate.believing(rows)
    for old, new in zip(before, believing.views[0].process.posteriors(view.coordinates.take(others)), strict=True):
        np.testing.assert_allclose(new.mean, old.mean, atol=1e-6)
        assert (new.epistemic <= old.epistemic + 1e-9).all()
    own = believing.views[0].process.posteriors(view.coordinates.take(rows))
    first = view.process.posteriors(view.coordinates.take(rows))
    assert (own[0].epistemic < first[0].epistemic).all()


def test_one_evaluation_at_a_time_equals_all_at_once(surrogate, view):
    others = view.coordinates.take(np.arange(50, 60))
    together = surrogate.believing(np.array([40, 41])).views[0].process.posteriors(others)
    apart = surrogate.believing(np.array([40])).believing(np.array([41])).views[0].process.posteriors(others)
    np.testing.assert_allclose(together[0].epistemic, apart[0].epistemic, rtol=1e-6)


@pytest.mark.parametrize("standard", [-12.0, -3.0, -1.001, -0.999, 0.0, 2.5])
def test_log_improvement_against_integration(standard):
    value, _ = quad(lambda x: (x + standard) * np.exp(-0.5 * x * x), -standard, -standard + 30, epsabs=0, epsrel=1e-10)
    assert log_improvement(standard) == pytest.approx(np.log(value / np.sqrt(2 * np.pi)), abs=1e-6)


@given(st.lists(st.floats(-1e6, 50), min_size=2, max_size=20))
def test_log_improvement_rises_and_is_finite(standard):
    values = log_improvement(np.sort(standard))
    assert np.isfinite(values).all()
    assert (np.diff(values) >= -1e-9 * np.abs(values[:-1])).all()


def test_gradient_of_the_acquisition_against_differences(surrogate, view):
    to_trend = trend_map(view.coordinates)
    point = np.array([0.3, -0.2, 0.1])
    _, gradient = acquisition_gradient(view.process, point, to_trend, surrogate.best)
    for axis in range(3):
        step = 1e-5 * np.eye(3)[axis]
        ahead, _ = acquisition_gradient(view.process, point + step, to_trend, surrogate.best)
        behind, _ = acquisition_gradient(view.process, point - step, to_trend, surrogate.best)
        assert gradient[axis] == pytest.approx((ahead - behind) / 2e-5, rel=1e-4, abs=1e-6)


def test_gradient_value_is_the_acquisition_of_the_pool(surrogate, view):
    value, _ = acquisition_gradient(
        view.process,
        view.coordinates.embedding[33],
        trend_map(view.coordinates),
        surrogate.best,
    )
    assert value == pytest.approx(surrogate.acquisition(np.array([33]))[0], rel=1e-6)


def test_ascent_never_goes_down(surrogate, view):
    starts = view.coordinates.embedding[30:34]
    to_trend = trend_map(view.coordinates)
    ends = ascend(view.process, view.coordinates, starts, surrogate.best)

    def value(point):
        return acquisition_gradient(view.process, point, to_trend, surrogate.best)[0]

    assert all(value(end) >= value(start) - 1e-9 for start, end in zip(starts, ends, strict=True))
    assert any(value(end) > value(start) + 0.1 for start, end in zip(starts, ends, strict=True))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_warp_is_monotone_and_returns(scores):
    scores = np.round(scores, 3)
    warp = ScoreWarp.learn(scores)
    warped = warp.warp(scores)
    order = np.argsort(scores)
    assert (np.diff(warped[order]) >= 0).all()
    np.testing.assert_allclose(warp.score(warped), scores, atol=1e-6)


def test_warp_of_failures_and_scale():
    scores = np.array([1.0, 2.0, 3.0, np.nan, 10.0])
    warp = ScoreWarp.learn(scores)
    assert warp.warp(np.array([np.nan])) == warp.warp(np.array([1.0]))
    np.testing.assert_allclose(ScoreWarp.learn(100 * scores - 7).warp(100 * scores - 7), warp.warp(scores))


def test_one_disaster_does_not_hide_the_differences():
    scores = np.append(np.linspace(60, 70, 20), -1e6)
    warped = ScoreWarp.learn(scores).warp(scores)
    assert np.ptp(warped[:20]) > 2


def run(scores, pool, budget, initial=5, batch=1, seed=0, method=None):
    method = method or Boshnas()
    chosen = list(np.random.default_rng(seed).permutation(len(pool))[:initial])
    while len(chosen) < budget:
        observations = Observations(np.array(chosen), scores[chosen])
        chosen += [proposal.index for proposal in method.propose(observations, pool, batch, seed)]
    return chosen


def test_finds_the_top_of_a_hill():
    pool = plane(400)
    ranks = [np.sum(hill(pool) > hill(pool)[run(hill(pool), pool, 25, seed=seed)].max()) for seed in range(5)]
    assert np.mean(ranks) < 2  # chance leaves about fifteen better ones


def test_never_twice_and_never_isomorphic():
    pool = plane(60)
    pool = Pool(pool.ids, pool.embedding, pool.features, np.arange(60) // 3)
    chosen = run(hill(pool), pool, 19, initial=1, batch=3)
    assert len(set(pool.identity[chosen])) == len(chosen) == 19


def test_pending_candidates_repel():
    pool = plane(200)
    rows = np.arange(15)
    observations = Observations(rows, hill(pool)[rows])
    first = Boshnas().propose(observations, pool, 1, 0)[0].index
    waiting = Observations(rows, hill(pool)[rows], np.array([first]))
    assert Boshnas().propose(waiting, pool, 1, 0)[0].index not in {first, *rows}


def test_a_pending_candidate_counts_as_one_chosen_before(surrogate):
    pool = plane()
    rows, pending = np.arange(20), np.array([40, 41])
    waiting = GaussianSurrogate.fit(Observations(rows, hill(pool)[rows], pending), pool)
    others = np.arange(50, 60)
    np.testing.assert_allclose(waiting.acquisition(others), surrogate.believing(pending).acquisition(others))
    assert not np.allclose(waiting.acquisition(others), surrogate.acquisition(others))


def test_equal_arguments_equal_proposals_and_any_scale():
    pool = plane(100)
    rows = np.arange(12)
    scores = hill(pool)[rows]
    again = [Boshnas().propose(Observations(rows, scores), pool, 3, 7) for _ in range(2)]
    assert again[0] == again[1]
    scaled = Boshnas().propose(Observations(rows, 1e-6 * scores + 3), pool, 3, 7)
    assert [p.index for p in scaled] == [p.index for p in again[0]]


@pytest.mark.parametrize("scores", [[np.nan] * 4, [1.0] * 4, [np.nan, 1.0, np.nan, 2.0], [5.0]])
def test_failed_and_constant_scores(scores):
    pool = plane(30)
    observations = Observations(np.arange(len(scores)), np.array(scores))
    proposals = Boshnas().propose(observations, pool, 2, 0)
    assert len({proposal.index for proposal in proposals} - set(range(len(scores)))) == 2
    prediction = Boshnas().predict(observations, pool, 0)
    assert np.isfinite([prediction.mean, prediction.aleatoric, prediction.epistemic]).all()


def test_nothing_observed():
    pool = plane(30)
    nothing = Observations(np.empty(0, int), np.empty(0))
    assert [proposal.reason for proposal in Boshnas().propose(nothing, pool, 2, 0)] == ["initial"] * 2
    assert Boshnas().predict(nothing, pool, 0) is None


def test_repeats_shrink_the_doubt():
    pool = plane(60)
    generator = np.random.default_rng(0)
    rows = np.arange(15)
    noisy = hill(pool)[rows] + generator.normal(0, 3, 15)
    often = np.concatenate([rows, np.full(10, 3)])
    repeated = np.concatenate([noisy, hill(pool)[3] + generator.normal(0, 3, 10)])
    once = Boshnas().predict(Observations(rows, noisy), pool, 0)
    many = Boshnas().predict(Observations(often, repeated), pool, 0)
    assert many.epistemic[3] < once.epistemic[3]


def test_predictions_follow_the_scores():
    pool = plane(100)
    rows = np.arange(40)
    prediction = Boshnas().predict(Observations(rows, hill(pool)[rows]), pool, 0)
    assert np.corrcoef(prediction.mean[40:], hill(pool)[40:])[0, 1] > 0.9
    assert (prediction.aleatoric > 0).all()
    assert (prediction.epistemic > 0).all()


def test_reasons_of_the_paper():
    pool = plane(50)
    observations = Observations(np.arange(10), hill(pool)[:10])
    assert Boshnas(uncertainty=1.0).propose(observations, pool, 1, 0)[0].reason == "uncertainty"
    assert Boshnas(diversity=1.0).propose(observations, pool, 1, 0)[0].reason == "diversity"


def test_counts_of_shared_categories():
    features = np.array([[1, 0, 1, 0, 3.0], [1, 0, 0, 1, 4.0]])
    pool = Pool(
        ["a", "b"],
        features,
        features,
        np.arange(2),
        groups=np.array([0, 0, 1, 1, 2]),
        levels=np.array([0, 1, 0, 1, -1]),
    )
    assert shared_category_counts(pool).tolist() == [[2, 0], [1, 1]]


def test_models_are_seen_by_their_graphs_and_by_their_layers_too():
    generator = np.random.default_rng(0)
    graphs, layers = generator.normal(size=(60, 4)), 100 * generator.normal(size=(60, 3))
    pool = Pool([f"c{k}" for k in range(60)], graphs, layers, np.arange(60), architectures=[Architecture(())] * 60)
    alone, both = views_of_pool(pool)
    np.testing.assert_array_equal(alone.embedding, Coordinates.of_pool(pool).embedding)
    assert both.embedding.shape == (60, 7)
    between = [np.median(np.linalg.norm(part[:30] - part[30:], axis=1)) for part in np.hsplit(both.embedding, [4])]
    assert between[0] == pytest.approx(between[1], rel=0.3)  # neither drowns the other, whatever their units
    assert len(views_of_pool(plane())) == 1
    assert len(views_of_pool(replace(pool, embedding=layers))) == 1


def test_views_count_alike():
    generator = np.random.default_rng(0)
    points = generator.normal(size=(80, 4))
    pool = Pool(
        [f"c{k}" for k in range(80)], points[:, :2], points[:, 2:], np.arange(80), architectures=[Architecture(())] * 80
    )
    scores = 60 + 5 * points[:, 2]  # in the features alone
    rows = np.arange(25)
    surrogate = GaussianSurrogate.fit(Observations(rows, scores[rows]), pool)
    posteriors = surrogate.posteriors(np.arange(25, 80))
    assert sum(posterior.weight for posterior in posteriors) == pytest.approx(1)
    assert sum(
        posterior.weight for posterior in posteriors[: len(surrogate.views[0].process.hypotheses)]
    ) == pytest.approx(0.5)
    assert np.corrcoef(surrogate.predict(np.arange(25, 80)).mean, scores[25:])[0, 1] > 0.8


def test_coinciding_points():
    pool = Pool(["a", "b", "c"], np.zeros((3, 2)), np.zeros((3, 2)), np.arange(3))
    assert len(Boshnas().propose(Observations(np.array([0]), np.array([1.0])), pool, 2, 0)) == 2
    relation = relate(Coordinates.of_pool(pool), Coordinates.of_pool(pool))
    assert (relation.distances == 0).all()


def test_acquisition_prefers_promise_and_doubt(surrogate, view):
    posteriors = view.process.posteriors(view.coordinates.take(np.arange(20, 80)))
    values = log_expected_improvement(posteriors, surrogate.best)
    mean, epistemic, aleatoric = mixture(posteriors)
    best = int(np.argmax(values))
    better = (mean > mean[best]) & (epistemic + aleatoric > epistemic[best] + aleatoric[best])
    assert not better.any()
