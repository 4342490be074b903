"""The worth of evaluating a candidate: how much it is expected to improve on the best score so far."""

from collections.abc import Sequence

import numpy as np
from scipy.special import erfcx, ndtr

from flexibert.search.boshnas.gaussian_process import Posterior


def log_expected_improvement(posteriors: Sequence[Posterior], best: float) -> np.ndarray:
    """Logarithm of the expected improvement of one evaluation over `best`, averaged over the hypotheses.

    The improvement of the *evaluated score* is meant, epistemic and aleatoric variance together: the trained model is
    kept with the luck of its training, so among equally good candidates each is one more draw. (The bound of the
    paper, Algorithm 1, likewise adds both uncertainties.)

    Returns:
        Higher is better; shape (candidates,).
    """
    values = []
    for posterior in posteriors:
        deviation = np.sqrt(posterior.epistemic + posterior.aleatoric)
        standard = (posterior.mean - best) / deviation
        values.append(np.log(posterior.weight) + np.log(deviation) + log_improvement(standard))
    return np.logaddexp.reduce(values, axis=0)


def log_improvement(standard: np.ndarray) -> np.ndarray:
    """log(phi(z) + z Phi(z)), accurate however hopeless z is (Ament et al., NeurIPS 2023, eq. 9)."""
    standard = np.asarray(standard, dtype=float)
    density = np.exp(-0.5 * standard**2) / np.sqrt(2 * np.pi)
    far = np.minimum(standard, -1.0)
    ratio = np.sqrt(np.pi / 2) * erfcx(-far / np.sqrt(2)) * -far  # 1 - ratio is h(z) / phi(z)
    very_far = np.minimum(standard, -1e3)
    with np.errstate(divide="ignore"):
        tail = np.where(standard > -1e3, np.log1p(-ratio), -2 * np.log(-very_far))
    near = np.log(np.maximum(density + standard * ndtr(standard), 1e-300))
    return np.where(standard > -1.0, near, -0.5 * far**2 - 0.5 * np.log(2 * np.pi) + tail)
