"""Mixtures of experts: `from helpers.moe import MixtureOfExperts` is a scikit-learn classifier.

`MixtureOfExperts` learns a gate over classifiers that are given to it (`MixtureOfRegressions`, over
regressions; `GateDisplay` draws whom it believes), `LogisticMixture` learns
logistic experts together with their gate, and `Gate` is a gate over given probabilities alone;
`fixed_weights` are what it has to beat. The math is in `likelihood`; `sparse`, the layer of
language models, needs torch and is imported alone.
"""

from helpers.moe.display import GateDisplay
from helpers.moe.gate import Gate, fixed_weights
from helpers.moe.given_experts import MixtureOfExperts, MixtureOfRegressions
from helpers.moe.logistic_experts import LogisticMixture

__all__ = [
    "Gate",
    "GateDisplay",
    "LogisticMixture",
    "MixtureOfExperts",
    "MixtureOfRegressions",
    "fixed_weights",
]
