#!/usr/bin/env python3
"""Golden values of the statistics of loci-eval.

    pip install numpy scipy statsmodels scikit-learn krippendorff
    python3 scripts/golden/eval_statistics.py      writes crates/loci-eval/tests/fixtures/statistics.json

What draws random numbers takes them from splitmix64 in the order in which the Rust code does, so that its results are
the same to the last digits; the rest is by the packages, or by a second way of writing the definition where no package
has it.
"""

import itertools
import json
from pathlib import Path

import krippendorff
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, linregress, permutation_test
from sklearn.metrics import brier_score_loss, cohen_kappa_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from layer_stream import splitmix64

FIXTURE = Path(__file__).parents[2] / "crates/loci-eval/tests/fixtures/statistics.json"


def units(seed):
    return ((raw >> 11) / 2**53 for raw in splitmix64(seed))


def made(seed, n, shift=0.0, places=3):
    """Scores with few decimals, so that there are ties."""
    return [round(next_ + shift, places) for next_, _ in zip(units(seed), range(n))]


DIFFERENCES = [
    [0.5],
    [0.0, 0.0, 0.1],
    [1.0, -1.0, 1.0, 1.0, 0.0, 1.0],
    made(1, 10, -0.3),
    made(2, 17, -0.5, 1),
    made(3, 20, -0.45, 1),
    made(4, 21, -0.4),
    made(5, 60, -0.42, 2),
    [0.0] * 24 + [1.0],
]

PS = [
    [0.01, 0.04, 0.03, 0.005],
    [0.5],
    [0.04, 0.04, 0.04],
    [0.0, 1.0, 0.2, 0.2, 0.9, 0.001],
    made(6, 12),
]

UNITS = [
    [[1, 1], [2, 2], [3, 3], [1, 2]],
    [[1, 2, 3], [2, 2], [3], [1, 1, 1, 2], [4, 4]],
    [[5, 1], [1, 5], [3, 3], [2, 4, 4, 2]],
    [[1, 1, 1], [1, 1], [2, 2, 1], [10, 9, 10]],
]

CONFIDENCES = [
    [(0.9, True), (0.8, False), (0.8, True), (0.3, False), (0.1, False)],
    [(0.5, True), (0.5, False), (0.5, True)],
    [(1.0, False), (0.0, True)],
    [(c, u < c) for c, u in zip(made(7, 30, 0, 1), made(8, 30))],
]

POINTS = [
    [(1, 0.9), (2, 0.8), (4, 0.55), (8, 0.2)],
    [(0, 1.0), (1, 0.4), (2, 0.3), (3, 0.0), (4, 0.1)],
    [(1000, 0.71), (2000, 0.7), (4000, 0.69), (8000, 0.7)],
    [(1, 1.0), (1, 0.8), (2, 0.5), (2, 0.7), (5, 0.2)],
]


def wilson(right, n):
    low, high = proportion_confint(right, n, 0.05, "wilson")
    return [right, n, max(0.0, float(low)), min(1.0, float(high))]


def bootstrap(values, resamples, seed):
    draw, n = units(seed), len(values)
    means = [np.mean([values[min(int(next(draw) * n), n - 1)] for _ in range(n)]) for _ in range(resamples)]
    return [float(q) for q in np.quantile(means, [0.025, 0.975])]


def permutation(differences, draws, seed):
    others = [d for d in differences if d != 0]
    found = abs(sum(differences)) - 1e-12 * sum(map(abs, differences))
    if len(differences) <= 20:
        signs = itertools.product((1, -1), repeat=len(others))
        return sum(abs(np.dot(s, others)) >= found for s in signs) / 2 ** len(others)
    draw = units(seed)
    far = sum(abs(sum(d if next(draw) < 0.5 else -d for d in others)) >= found for _ in range(draws))
    return (1 + far) / (draws + 1)


def checked_permutation(differences, draws, seed):
    """Exact values also by scipy, where it is quick."""
    ours = permutation(differences, draws, seed)
    if 2 <= len(differences) <= 13:
        result = permutation_test(
            (np.array(differences),), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
        )
        assert abs(result.pvalue - ours) < 1e-12, (differences, result.pvalue, ours)
    return ours


def half_life(points):
    x, y = np.array(points, dtype=float).T

    def rest(log_h):
        fall = 2 ** (-(x - x.min()) / np.exp(log_h))
        return np.sum((y - fall * (fall @ y) / (fall @ fall)) ** 2)

    grid = np.linspace(np.log(1e-3), np.log(1e9), 4000)
    best = grid[np.argmin([rest(g) for g in grid])]
    found = minimize_scalar(rest, bracket=(best - 0.01, best, best + 0.01), tol=1e-12)
    return float(np.exp(found.x))


def cliff(a, b):
    return float(np.mean(np.sign(np.subtract.outer(a, b))))


def aurc(answers):
    wrong = [not right for _, right in sorted(answers, key=lambda answer: -answer[0])]
    return float(np.mean(np.cumsum(wrong) / np.arange(1, len(wrong) + 1)))


def alpha(ratings, level):
    most = max(map(len, ratings))
    table = [[unit[i] if i < len(unit) else np.nan for unit in ratings] for i in range(most)]
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement=level))


def mcnemar_p(b, c):
    p = float(mcnemar([[0, b], [c, 0]], exact=True).pvalue) if b + c else 1.0
    assert b + c == 0 or abs(p - binomtest(b, b + c).pvalue) < 1e-9
    return [b, c, p]


if __name__ == "__main__":
    draws, seed = 500, 42
    pairs = list(zip(made(9, 25, 0, 0), made(10, 25, 0, 0))) + [(2, 2), (2, 1), (0, 2)]
    samples = [(made(11, 9, 0, 1), made(12, 14, 0.1, 1)), ([1, 2], [3]), ([1.5], [1.5, 1.5])]
    lines = [linregress(*zip(*points)) for points in POINTS]
    fixture = {
        "_": "By scripts/golden/eval_statistics.py.",
        "draws": draws,
        "seed": seed,
        "wilson": [wilson(*case) for case in [(0, 1), (1, 1), (0, 40), (37, 40), (500, 1000), (1, 100000)]],
        "differences": [
            {
                "values": values,
                "interval": bootstrap(values, draws, seed),
                "p": checked_permutation(values, draws, seed),
                "d": float(np.mean(values) / np.std(values, ddof=1)) if len(values) > 1 else None,
            }
            for values in DIFFERENCES
        ],
        "mcnemar": [mcnemar_p(*case) for case in [(0, 0), (0, 1), (1, 5), (7, 7), (12, 30), (400, 500), (1500, 1400)]],
        "corrections": [
            [ps, *(multipletests(ps, method=method)[1].tolist() for method in ("holm", "fdr_bh"))] for ps in PS
        ],
        "cliff": [[a, b, cliff(a, b)] for a, b in samples],
        "kappa": [pairs, float(cohen_kappa_score(*zip(*pairs)))],
        "alpha": [[ratings, alpha(ratings, "nominal"), alpha(ratings, "interval")] for ratings in UNITS],
        "confidence": [
            [answers, brier_score_loss([right for _, right in answers], [sure for sure, _ in answers]), aurc(answers)]
            for answers in CONFIDENCES
        ],
        "trends": [
            [points, float(line.slope), float(line.intercept), half_life(points)] for points, line in zip(POINTS, lines)
        ],
    }
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    FIXTURE.write_text(json.dumps(fixture, indent=0) + "\n")
