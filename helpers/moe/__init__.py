"""Mixtures of experts: `from helpers.moe import MixtureOfExperts` is a scikit-learn classifier.

`MixtureOfExperts` learns a gate over classifiers that are given to it, `LogisticMixture` learns
logistic experts together with their gate, and `Gate` is a gate over given probabilities alone. The
math is in `likelihood`; `sparse`, the layer of language models, needs torch and is imported alone.
"""

from helpers.moe.gate import Gate
from helpers.moe.given_experts import MixtureOfExperts
from helpers.moe.logistic_experts import LogisticMixture

__all__ = ["Gate", "LogisticMixture", "MixtureOfExperts"]
