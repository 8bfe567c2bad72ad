"""Logistic regression in loops over observations and features, for scikit-learn's breast-cancer data."""

import math

import numpy as np

from zygopy.demo.optimisers import l_bfgs_b
from zygopy.demo.problem import Problem

PENALTY = 1e-3


def log1p_exp(z):
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def score(weights, features):
    z = weights[-1]
    for j in range(len(features)):
        z += weights[j] * features[j]
    return z


def logistic_loss(weights, features, labels, penalty):
    loss = 0.0
    for i in range(len(labels)):
        z = score(weights, features[i])
        loss += log1p_exp(z) - labels[i] * z
    size = 0.0
    for j in range(len(weights) - 1):
        size += weights[j] ** 2
    return loss / len(labels) + 0.5 * penalty * size


def problem(small: bool) -> Problem:
    """The breast-cancer data, standardised: 30 weights and an intercept."""
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer()
    count = 120 if small else len(table.target)
    features = table.data[:count]
    features = np.ascontiguousarray((features - features.mean(axis=0)) / features.std(axis=0))
    labels = table.target[:count].astype(float)
    wide = np.column_stack([features, np.ones(count)])

    def report(weights):
        right = np.mean((wide @ weights > 0.0) == (labels == 1.0))
        order = np.argsort(-np.abs(weights[:-1]))[:3]
        strongest = ", ".join(f"{table.feature_names[j]} {weights[j]:+.2f}" for j in order)
        apart = np.max(np.abs(weights - _by_scikit_learn(features, labels)))
        return [
            ("tumours classified right", f"{right:.1%} of {count}"),
            ("strongest weights", strongest),
            ("scikit-learn's own fit", f"the same weights to {apart:.0e}"),
        ]

    def draw(axes, weights):
        scores = wide @ weights
        bins = np.linspace(scores.min(), scores.max(), 41)
        axes.hist(scores[labels == 0.0], bins, alpha=0.7, label="malignant")
        axes.hist(scores[labels == 1.0], bins, alpha=0.7, label="benign")
        axes.axvline(0.0, color="black", linewidth=1)
        axes.set(title="Logistic regression: two classes of tumours", xlabel="score", ylabel="tumours")
        axes.legend()

    return Problem(
        title="Logistic regression, written as loops",
        story=f"{count} tumours x {features.shape[1]} features from scikit-learn's breast-cancer data, standardised.",
        programs=(log1p_exp, score, logistic_loss),
        loss=logistic_loss,
        start=np.zeros(features.shape[1] + 1),
        data=(features, labels, PENALTY),
        minimise=l_bfgs_b,
        step="L-BFGS-B iteration",
        report=report,
        draw=draw,
    )


def _by_scikit_learn(features, labels) -> np.ndarray:
    """The minimum of the same loss, found without zygopy."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0 / (PENALTY * len(labels)), tol=1e-10, max_iter=10_000)
    model.fit(features, labels)
    return np.append(model.coef_[0], model.intercept_)
