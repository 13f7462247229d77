"""Out-of-fold features, the mixture of given experts, and the mixture of trainable ones."""

import warnings
from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from experiments.classifiers import ScoreRule
from helpers.moe import Gate, GateDisplay, fixed_weights, stacking
from helpers.moe import given_experts as moe
from helpers.moe.likelihood import fit_gate, with_one
from helpers.moe.logistic_experts import LogisticMixture
from helpers.screening import asd


class FunctionRegressor(RegressorMixin, BaseEstimator):
    """An expert that learns nothing; predicts a column, as nets do."""

    def __init__(self, function):
        self.function = function

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.function(X)[:, None]


@pytest.fixture(scope="module")
def rows():
    table = asd.load()
    return table[asd.ITEMS].to_numpy(), table[asd.TARGET].to_numpy()


# Folds are drawn over rows, so a row that weighs two is not a row twice: as in scikit-learn's own
# LogisticRegressionCV and CalibratedClassifierCV, which are excused from the same two checks.
OVER_FOLDS = {
    f"check_sample_weight_equivalence_on_{kind}_data": "its folds are drawn over rows"
    for kind in ("dense", "sparse")
}


@parametrize_with_checks(
    [
        moe.MixtureOfExperts(),
        moe.MixtureOfExperts(solver="em"),
        moe.MixtureOfRegressions(),
        LogisticMixture(n_starts=1),
        LogisticMixture(C=1.0, n_starts=1, solver="em"),
    ],
    # A prior that is given needs no folds, so nothing of it is excused.
    expected_failed_checks=lambda model: {} if model.C == 1.0 else OVER_FOLDS,
)
def test_scikit_learns_own_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the inner experts say of the checks' odd data
        check(estimator)


def test_out_of_fold_never_sees_the_row():
    # Distinct rows, random labels: the nearest neighbour of a row that was seen is the row itself.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 3)), np.arange(200) % 2
    memory = {"memory": KNeighborsClassifier(1)}
    in_sample = stacking.meta_features(stacking.fit_all(memory, X, y), X)[:, 0]
    held_out = stacking.out_of_fold(memory, X, y, stacking.stratified_folds(y, 5, 0))[:, 0]
    assert np.mean(in_sample == y) == 1
    assert abs(np.mean(held_out == y) - 0.5) < 4 * 0.5 / np.sqrt(200)


def test_out_of_fold_is_the_loop_over_stratified_folds(rows):
    X, y = rows
    models = {"prior": DummyClassifier(), "LR": LogisticRegression()}
    expected = np.full((800, 2), np.nan)
    for train, test in StratifiedKFold(4, shuffle=True, random_state=1).split(X, y):
        expected[test, 0] = y[train].mean()
        expected[test, 1] = (
            LogisticRegression().fit(X[train], y[train]).predict_proba(X[test])[:, 1]
        )
    np.testing.assert_array_equal(
        stacking.out_of_fold(models, X, y, stacking.stratified_folds(y, 4, 1)), expected
    )


@pytest.fixture(scope="module")
def halves():
    """Two experts, each right where the other is not: (X, y, experts)."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(600, 2))
    y = (X[:, 0] * np.sign(X[:, 1]) + 0.3 * rng.normal(size=600) > 0).astype(int)

    def follows(sign):
        return make_pipeline(FunctionTransformer(lambda X: sign * X[:, :1]), SteadyExpert())

    return X, y, [("up", follows(1)), ("down", follows(-1))]


class SteadyExpert(ScoreRule):
    """P(class 1) = σ(3 · input), whatever the labels."""

    def predict_proba(self, X):
        p = expit(3 * np.asarray(X)[:, 0])
        return np.column_stack([1 - p, p])


def test_the_gate_finds_who_is_right_where(halves):
    X, y, experts = halves
    mixture = moe.MixtureOfExperts(experts, C=100.0, random_state=0).fit(X, y)
    weights = mixture.gate(X)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert weights[X[:, 1] > 0.5, 0].min() > 0.9
    assert weights[X[:, 1] < -0.5, 1].min() > 0.9
    assert mixture.score(X, y) > 0.85
    assert max(e.score(X, y) for e in mixture.experts_.values()) < 0.6


def test_its_gate_maximises_the_likelihood_of_out_of_fold_predictions(rows):
    X, y = rows
    experts = [("LR", LogisticRegression()), ("bayes", GaussianNB()), ("rule", ScoreRule())]
    mixture = moe.MixtureOfExperts(experts, C=0.5, n_splits=4, random_state=3).fit(X, y)
    meta = stacking.out_of_fold(dict(experts), X, y, stacking.stratified_folds(y, 4, 3))
    P = np.where(y[:, None] == 1, meta, 1 - meta)
    Z = with_one(StandardScaler().fit_transform(X))
    V, path = fit_gate(Z, P, C=0.5)
    np.testing.assert_allclose(mixture.gate_.V_, V, atol=1e-6)
    np.testing.assert_allclose(mixture.log_likelihood_, path)
    assert mixture.n_iter_ == len(path) - 1
    by_hand = np.sum(softmax(Z @ V, axis=1) * stacking.meta_features(mixture.experts_, X), axis=1)
    np.testing.assert_allclose(mixture.predict_proba(X)[:, 1], by_hand)
    np.testing.assert_array_equal(mixture.predict(X), by_hand > 0.5)
    for name, model in experts:  # fitted on all rows in the end
        np.testing.assert_array_equal(
            mixture.experts_[name].predict_proba(X), model.fit(X, y).predict_proba(X)
        )


def test_em_and_lbfgs_give_one_classifier(rows):
    X, y = rows
    experts = [("LR", LogisticRegression()), ("bayes", GaussianNB()), ("rule", ScoreRule())]
    em, lbfgs = (
        moe.MixtureOfExperts(experts, solver=solver, random_state=0).fit(X, y)
        for solver in ("em", "lbfgs")
    )
    assert abs(em.log_likelihood_[-1] - lbfgs.log_likelihood_[-1]) <= 1e-6
    assert np.all(np.diff(em.log_likelihood_) >= -1e-10)
    assert em.n_iter_ > lbfgs.n_iter_ > 1
    np.testing.assert_allclose(em.predict_proba(X), lbfgs.predict_proba(X), atol=1e-3)
    cut = moe.MixtureOfExperts(experts, solver="em", max_iter=2)
    with pytest.raises(ArithmeticError, match="after 2 iterations"):
        cut.fit(X, y)
    loose = moe.MixtureOfExperts(experts, solver="em", tol=1.0, random_state=0).fit(X, y)
    assert loose.n_iter_ < em.n_iter_


def test_an_expert_that_memorises_gets_no_trust(rows):
    X, y = rows
    rng = np.random.default_rng(0)
    noisy = np.column_stack([X, rng.normal(size=(800, 5))])  # distinct rows: a forest knows each
    experts = [("LR", LogisticRegression()), ("memory", RandomForestClassifier(50, random_state=0))]
    mixture = moe.MixtureOfExperts(experts, random_state=0).fit(noisy, y)
    assert mixture.experts_["memory"].score(noisy, y) > 0.99
    honest = mixture.gate(noisy)[:, 1].mean()
    P = [p[np.arange(800), y] for p in (e.predict_proba(noisy) for e in mixture.experts_.values())]
    Z = with_one(mixture.gate_.inputs_.transform(noisy))
    V, _ = fit_gate(Z, np.column_stack(P))
    assert honest < 0.45
    assert softmax(Z @ V, axis=1)[:, 1].mean() > 0.6


def test_three_named_classes_and_a_gate_input_of_ones_own(rows):
    X, y = rows
    label = np.array(["low", "middle", "high"])[(X.sum(axis=1) > 3) + 1 * (X.sum(axis=1) > 7)]
    score = make_pipeline(FunctionTransformer(np.sum, kw_args={"axis": 1, "keepdims": True}))
    experts = [("LR", LogisticRegression(max_iter=1000)), ("prior", DummyClassifier())]
    mixture = moe.MixtureOfExperts(experts, gate_input=score, random_state=0).fit(X, label)
    assert list(mixture.classes_) == ["high", "low", "middle"]
    assert mixture.gate_.V_.shape == (2, 2)
    np.testing.assert_allclose(mixture.predict_proba(X).sum(axis=1), 1)
    assert mixture.score(X, label) > 0.95
    same = mixture.gate(X[X.sum(axis=1) == 4])
    np.testing.assert_allclose(same, same[:1].repeat(len(same), axis=0))


def test_parameters_of_experts_have_names():
    mixture = moe.MixtureOfExperts([("LR", LogisticRegression())])
    mixture.set_params(LR__C=7, C=2)
    assert mixture.get_params()["LR__C"] == 7
    assert (mixture.experts[0][1].C, mixture.C) == (7, 2)
    assert "LR__C" not in mixture.get_params(deep=False)
    names = ["experts", "gate_input", "C", "solver", "tol", "max_iter", "n_splits", "random_state"]
    values = list(range(8))
    given = moe.MixtureOfExperts(*values)
    assert [getattr(given, name) for name in names] == values


def test_what_cannot_be_mixed_is_refused_in_a_sentence(rows):
    X, y = rows
    with pytest.raises(
        ValueError, match="^expert 'sure' has no predict_proba; the mixture needs it$"
    ):
        moe.MixtureOfExperts([("sure", Perceptron())]).fit(X, y)
    one = np.append(np.zeros(9), 1)
    with pytest.raises(ValueError, match="^a class has a single member; .* need two$"):
        moe.MixtureOfExperts().fit(X[:10], one)
    with pytest.raises(ValueError, match="two classes or more; y has one class, 0$"):
        moe.MixtureOfExperts().fit(X[:10], np.zeros(10, dtype=int))
    two = moe.MixtureOfExperts().fit(X[:12], np.repeat([0, 1], [10, 2]))  # folds: two, not five
    assert list(two.experts_) == ["logistic", "tree"]
    assert two.experts_["tree"][-1].max_depth == 3


LEFT, RIGHT, SWITCH = (6, 4), (-6, 4), (0, 4)  # intercepts and slopes


@pytest.fixture(scope="module")
def regimes():
    """2,000 rows of one input; y rises on the left, drops where the regime switches, rises."""
    rng = np.random.default_rng(11)
    X = rng.uniform(-3, 3, size=(2_000, 1))
    Z = with_one(X)
    right = rng.random(len(X)) < expit(Z @ SWITCH)
    p = np.where(right, expit(Z @ RIGHT), expit(Z @ LEFT))
    return X, (rng.random(len(X)) < p).astype(int)


def test_trainable_experts_recover_two_regimes(regimes):
    X, y = regimes
    mixture = LogisticMixture(C=100.0, n_starts=2, tol=1e-9, random_state=0).fit(X, y)
    estimate, error = (part.reshape(3, 2) for part in mixture.contrasts(X, y))
    if estimate[0, 1] < 0:  # expert 0 is the right one: swap the names
        estimate, error = estimate[[0, 2, 1]] * [[-1], [1], [1]], error[[0, 2, 1]]
    width = NormalDist().inv_cdf(1 - 0.05 / 12) * error  # all six at once: 1 − 5 %/6 each
    assert np.all(np.abs(estimate - [SWITCH, LEFT, RIGHT]) < width)
    assert np.all(width < 3)
    assert mixture.score(X, y) > LogisticRegression().fit(X, y).score(X, y) + 0.1
    assert np.all(np.diff(mixture.log_likelihood_) >= -1e-9)
    assert mixture.n_iter_ == len(mixture.log_likelihood_) - 1


def test_the_errors_are_those_of_a_logistic_regression_where_there_is_one_expert(rows):
    # statsmodels is not here: the textbook's (ZᵀWZ)⁻¹ is.
    X, y = rows
    mixture = LogisticMixture(n_experts=1, C=1e6, n_starts=1, tol=1e-10).fit(X, y)
    estimate, error = mixture.contrasts(X, y)
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X, y)
    Z, p = with_one(X), model.predict_proba(X)[:, 1]
    expected = np.sqrt(np.diag(np.linalg.inv(Z.T @ (Z * (p * (1 - p))[:, None]))))
    np.testing.assert_allclose(estimate, [*model.intercept_, *model.coef_[0]], atol=1e-3)
    np.testing.assert_allclose(error, expected, rtol=1e-3)


def test_the_trainable_mixture_predicts_its_formula(regimes):
    X, y = regimes
    names = np.array(["no", "yes"])[y]
    mixture = LogisticMixture(n_experts=3, n_starts=1, tol=1e-2, random_state=0).fit(X, names)
    assert mixture.expert_weights_.shape == (3, 2, 2)
    weights = mixture.gate(X)
    for row in (0, 17):
        z = np.append(1, X[row])
        np.testing.assert_allclose(weights[row], softmax(z @ mixture.gate_weights_))
        expected = sum(
            w * softmax(z @ W) for w, W in zip(weights[row], mixture.expert_weights_, strict=True)
        )
        np.testing.assert_allclose(mixture.predict_proba(X[[row]])[0], expected)
    np.testing.assert_array_equal(mixture.predict(X) == "yes", mixture.predict_proba(X)[:, 1] > 0.5)
    two = LogisticMixture(tol=1e-8, n_starts=1, random_state=0).fit(X, names)
    parts = two.contrasts(X, names)
    np.testing.assert_array_equal(parts, two.contrasts(X, names))
    assert parts[0].shape == parts[1].shape == (2 * 1 + 2 * 2,)
    barely = LogisticMixture(C=1e6, n_starts=1, solver="em", tol=1e9, random_state=0)
    barely.fit(X, names)
    assert barely.n_iter_ == 1
    with pytest.raises(ArithmeticError, match="no standard errors: fit with a smaller tol or C"):
        barely.contrasts(X, names)


def test_the_best_of_several_starts_is_kept(rows):
    X, y = rows
    settings = {"n_experts": 3, "C": 1.0, "tol": 0.1, "max_iter": 500}
    best = LogisticMixture(n_starts=4, random_state=1, **settings).fit(X, y)
    state = np.random.RandomState(1)
    singles = [LogisticMixture(n_starts=1, random_state=state, **settings) for _ in range(4)]
    ends = [single.fit(X, y).log_likelihood_[-1] for single in singles]
    assert best.log_likelihood_[-1] == max(ends) > min(ends)
    assert len(set(ends)) > 1
    with pytest.raises(ArithmeticError, match="after 3 iterations"):
        LogisticMixture(solver="em", max_iter=3).fit(X, y)
    with pytest.raises(ArithmeticError, match="L-BFGS did not converge"):
        LogisticMixture(max_iter=3).fit(X, y)
    given = LogisticMixture(*range(8))
    names = ["n_experts", "C", "n_starts", "solver", "tol", "max_iter", "random_state", "n_jobs"]
    assert [getattr(given, name) for name in names] == list(range(8))


def test_a_data_frame_reaches_experts_that_choose_columns_by_name():
    table = asd.load()
    y = table[asd.TARGET]

    def on(columns, model):
        return make_pipeline(ColumnTransformer([("chosen", "passthrough", columns)]), model)

    words = make_pipeline(
        ColumnTransformer([("words", OneHotEncoder(handle_unknown="ignore"), ["gender"])]),
        LogisticRegression(),
    )
    experts = [("items", on(asd.ITEMS, LogisticRegression())), ("words", words)]
    gate_input = ColumnTransformer([("age", StandardScaler(), ["age"])])
    mixture = moe.MixtureOfExperts(experts, gate_input, random_state=0).fit(table, y)
    assert mixture.predict_proba(table).shape == (800, 2)
    assert mixture.feature_names_in_.tolist() == list(table)
    alone = on(asd.ITEMS, LogisticRegression()).fit(table, y)
    np.testing.assert_allclose(
        mixture.experts_["items"].predict_proba(table), alone.predict_proba(table)
    )
    with pytest.raises(ValueError, match="(?s)feature names.*A1_Score"):
        mixture.predict(table.drop(columns="A1_Score"))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        mixture.fit(table, y[:-1])


def test_missing_values_and_sparse_rows_pass_where_every_expert_takes_them(rows):
    X, y = rows
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    trees = [("tree", DecisionTreeClassifier(max_depth=3)), ("forest", RandomForestClassifier(10))]
    mixture = moe.MixtureOfExperts(trees, random_state=0).fit(holes, y)
    np.testing.assert_allclose(mixture.gate(holes).sum(axis=1), 1)
    assert mixture.score(holes, y) > 0.8
    assert moe.MixtureOfExperts(random_state=0).fit(holes, y).score(holes, y) > 0.8
    with pytest.raises(ValueError, match="contains NaN"):  # a logistic regression takes none
        moe.MixtureOfExperts([("LR", LogisticRegression())]).fit(holes, y)
    filled = [
        (f"C = {C}", make_pipeline(SimpleImputer(), LogisticRegression(C=C))) for C in (0.01, 1)
    ]
    for rows_ in (holes, sparse.csr_array(holes)):
        both = moe.MixtureOfExperts(filled, random_state=0).fit(rows_, y)
        assert both.score(rows_, y) > 0.8
    with pytest.raises(ValueError, match="^the gate's input, or what an expert predicts, is"):
        moe.MixtureOfExperts(trees, gate_input=StandardScaler()).fit(holes, y)
    pair = [("LR", LogisticRegression()), trees[0]]
    dense = moe.MixtureOfExperts(pair, random_state=0, gate_input=MaxAbsScaler()).fit(X, y)
    for solver in ("lbfgs", "em"):
        thin = moe.MixtureOfExperts(pair, random_state=0, solver=solver)
        thin.fit(sparse.csr_matrix(X), y)
        np.testing.assert_allclose(
            thin.predict_proba(sparse.csc_array(X)), dense.predict_proba(X), atol=1e-4
        )
    plain = moe.MixtureOfExperts(random_state=0).fit(X, y)
    np.testing.assert_allclose(plain.gate(sparse.csr_array(X)), plain.gate(X))
    by_itself = moe.MixtureOfExperts(random_state=0).fit(sparse.csr_array(X), y)
    assert by_itself.score(sparse.csr_array(X), y) > 0.8


def test_weights_reach_experts_folds_and_gate(rows):
    X, y = rows
    weight = np.where(y == 1, 5.0, 1.0)
    plain = moe.MixtureOfExperts(random_state=0).fit(X, y)
    mixture = moe.MixtureOfExperts(random_state=0).fit(X, y, sample_weight=weight)
    scaled = StandardScaler().fit(X, sample_weight=weight).transform(X)
    expected = LogisticRegression().fit(scaled, y, sample_weight=weight)
    np.testing.assert_allclose(
        mixture.experts_["logistic"].predict_proba(X), expected.predict_proba(scaled)
    )
    odd = np.where(y == 1, 0.0, 1.0)
    for model in (moe.MixtureOfExperts(), LogisticMixture()):
        with pytest.raises(ValueError, match="^every row of class 1 has a sample_weight of 0"):
            model.fit(X, y, sample_weight=odd)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    P = [
        stacking.held_out(e, X, y, folds, weight)[np.arange(800), y]
        for e in plain.experts_.values()
    ]
    Z = with_one(scaled)
    V, path = fit_gate(Z, np.column_stack(P), weight=weight)
    np.testing.assert_allclose(mixture.gate_.V_, V, atol=1e-6)
    np.testing.assert_allclose(mixture.log_likelihood_, path)
    assert mixture.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.05


def test_the_intercept_of_the_gate_is_free(rows):
    """A narrow prior makes trust the same everywhere; it must not make it the same for all."""
    X, y = rows
    rng = np.random.default_rng(0)
    good, bad = np.where(rng.random(800) < 0.9, 0.9, 0.1), np.full(800, 0.2)
    P = np.column_stack([good, bad, bad])
    believed = Gate(C=1e-4).fit(X, P).weights(X)
    np.testing.assert_allclose(believed, np.tile(fixed_weights(P), (800, 1)), atol=0.01)
    assert fixed_weights(P)[0] > 0.8
    # With two experts the likelihood of one weight can be looked at from end to end.
    grid = np.linspace(0.001, 0.999, 999)
    total = [np.log(w * P[:, 0] + (1 - w) * P[:, 1]).sum() for w in grid]
    assert fixed_weights(P[:, :2])[0] == pytest.approx(grid[np.argmax(total)], abs=0.002)


def test_copies_of_a_person_are_never_on_both_sides(rows):
    """A lookup table knows every label of the rows it has seen: copies would buy it all trust."""
    X, y = rows
    rng = np.random.default_rng(1)
    own = rng.normal(size=(100, 3)).repeat(8, axis=0)
    coin, who = rng.integers(0, 2, 100).repeat(8), np.arange(100).repeat(8)
    experts = [
        ("memory", KNeighborsClassifier(1)),
        ("constant", DummyClassifier(strategy="prior")),
    ]
    apart = moe.MixtureOfExperts(experts, random_state=0).fit(own, coin, groups=who)
    mixed = moe.MixtureOfExperts(experts, random_state=0).fit(own, coin)
    assert mixed.gate(own)[:, 0].mean() > 0.99
    assert apart.gate(own)[:, 0].mean() < 0.3
    for train, test in stacking.stratified_folds(coin, 4, 0, who):
        assert not set(who[train]) & set(who[test])
        assert abs(coin[test].mean() - coin.mean()) < 0.05


def test_groups_that_cannot_be_are_refused_in_a_sentence(rows):
    X, y = rows[0][:120], rows[1][:120]
    assert len(moe.MixtureOfExperts().fit(X, y, groups=np.arange(120) % 3).experts_) == 2
    for groups, said in [
        (y, "^a class is in a single group; out-of-fold predictions need two$"),
        (np.append(np.arange(120), 0), "inconsistent numbers of samples"),
        ([None, *"ab" * 59, "a"], "^groups has a missing value; say of every row whose it is$"),
    ]:
        with pytest.raises(ValueError, match=said):
            moe.MixtureOfExperts().fit(X, y, groups=groups)
    own = np.random.default_rng(0).normal(size=(60, 5)).repeat(8, axis=0)
    coin, who = np.random.default_rng(1).integers(0, 2, 60).repeat(8), np.arange(60).repeat(8)
    with pytest.warns(UserWarning, match="no C does better"):  # copies hide that nothing is there
        LogisticMixture(n_starts=1, random_state=0).fit(own, coin, groups=who)


def test_rows_of_no_weight_are_not_there(rows):
    """Also for the scale of the columns, which a single row a million away would decide."""
    X, y = rows[0].astype(float), rows[1]
    far, none = X.copy(), np.ones(800)
    far[0, 1], none[0] = 1e6, 0
    P = np.random.default_rng(0).uniform(0.2, 0.8, (800, 2))
    scaler = Gate().fit(far, P, none).inputs_[0]
    np.testing.assert_allclose(scaler.mean_, X[1:].mean(axis=0))
    mixture = moe.MixtureOfExperts(random_state=0).fit(far, y, sample_weight=none)
    np.testing.assert_allclose(mixture.experts_["logistic"][0][0].mean_, X[1:].mean(axis=0))
    weighted = make_pipeline(
        StandardScaler(), make_pipeline(StandardScaler(), LogisticRegression())
    )
    assert stacking.takes_weights(weighted)
    assert len(stacking.weighted_steps(weighted)) == 3


def test_units_and_far_origins_change_nothing():
    X, y = load_breast_cancer(return_X_y=True)
    first = moe.MixtureOfExperts(random_state=0).fit(X, y).score(X, y)
    assert first > 0.95
    for moved in (X * 1e-12, X + 1e8):
        assert moe.MixtureOfExperts(random_state=0).fit(moved, y).score(moved, y) > first - 0.02


def test_experts_can_be_dropped_and_weights_carry_their_names(rows):
    X, y = rows
    table = pd.DataFrame(X, columns=asd.ITEMS).set_index(np.arange(800) + 5)
    experts = [("LR", LogisticRegression()), ("NB", GaussianNB()), ("near", KNeighborsClassifier())]
    mixture = moe.MixtureOfExperts(experts, random_state=0, n_jobs=2).set_params(near="drop")
    weights = mixture.fit(table, y).gate_weights(table)
    assert list(weights) == list(mixture.experts_) == ["LR", "NB"]
    assert weights.index.equals(table.index)
    np.testing.assert_allclose(weights, mixture.gate(table))
    np.testing.assert_allclose(
        np.exp(mixture.predict_log_proba(table)), mixture.predict_proba(table)
    )
    drawn = GateDisplay.from_estimator(mixture, table, "A1_Score")
    np.testing.assert_allclose(drawn.values, [0, 1])
    np.testing.assert_allclose(drawn.weights.loc[1], weights[table["A1_Score"] == 1].mean())
    assert len(GateDisplay.from_estimator(mixture, table, "A1_Score", bins=1).values) == 1
    plt.close("all")
    mixture.set_params(LR="drop", NB="drop")
    with pytest.raises(ValueError, match="^every expert is 'drop'; keep one or more$"):
        mixture.fit(table, y)


def test_regressions_are_mixed_where_each_is_right():
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, size=(600, 1))
    y = np.where(x[:, 0] > 0, 3 * x[:, 0], 0.0) + rng.normal(scale=0.3, size=600)

    def only(side):
        return FunctionTransformer(lambda X: np.where(side * X > 0, X, 0.0))

    experts = [
        ("left", make_pipeline(only(-1), LinearRegression(fit_intercept=False))),
        ("right", make_pipeline(only(1), LinearRegression(fit_intercept=False))),
    ]
    mixture = moe.MixtureOfRegressions(experts, C=10.0, random_state=0).fit(x, y)
    assert mixture.gate(np.array([[1.5]]))[0, 1] > 0.9
    np.testing.assert_allclose(mixture.sigma_, 0.3, atol=0.05)
    new = rng.uniform(-2, 2, size=(600, 1))
    error = mixture.predict(new) - np.maximum(3 * new[:, 0], 0)
    assert np.sqrt(np.mean(error**2)) < 0.2
    # An expert that errs by 10 on one side is still the one to believe on the other.
    lopsided = [
        ("here", FunctionRegressor(lambda X: np.where(X[:, 0] < 0, 0.0, 10.0))),
        ("nowhere", DummyRegressor()),
    ]
    trust = moe.MixtureOfRegressions(lopsided, C=10.0, random_state=0).fit(x, y).gate(new)
    assert trust[new[:, 0] < -0.5, 0].min() > 0.8
    units = moe.MixtureOfRegressions(experts, C=10.0, random_state=0).fit(x, 1e6 * y)
    np.testing.assert_allclose(units.predict(new), 1e6 * mixture.predict(new), rtol=1e-4, atol=1)


def test_a_prior_is_chosen_where_none_is_given():
    """With C = 1 ten experts learn a coin by heart: a log loss of 1.1, where a constant has 0.69"""
    rng = np.random.default_rng(0)
    X, coin = rng.normal(size=(400, 20)), rng.integers(0, 2, 400)
    with pytest.warns(UserWarning, match="^on rows that were held out, no C does better than"):
        mixture = LogisticMixture(6, n_starts=1, random_state=0).fit(X, coin)
    assert min(LogisticMixture.PRIORS) == mixture.C_
    new = rng.normal(size=(2000, 20))
    assert log_loss(rng.integers(0, 2, 2000), mixture.predict_proba(new)) < 0.75
    sides = (rng.random(400) < expit(3 * X[:, 0] * np.sign(X[:, 1]))).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert LogisticMixture(n_starts=1, random_state=0).fit(X[:, :2], sides).C_ > 0.01


def test_parameters_that_cannot_be_are_refused_in_a_sentence(rows):
    X, y = rows
    twins = [("a", LogisticRegression()), ("a", GaussianNB())]
    with pytest.raises(
        ValueError, match="^two experts are called 'a'; give each a name of its own$"
    ):
        moe.MixtureOfExperts(twins).fit(X, y)
    for model in (moe.MixtureOfExperts, LogisticMixture):
        for C in (0, -1, np.inf, np.nan, "1"):
            with pytest.raises(ValueError, match="^C is a variance: a finite number above 0, not"):
                model(C=C).fit(X, y)
        with pytest.raises(ValueError, match="solver must be 'em' or 'lbfgs', not 'sgd'"):
            model(solver="sgd").fit(X, y)
    for name in ("n_experts", "n_starts"):
        with pytest.raises(ValueError, match=f"^{name} must be a whole number, 1 or more, not 0$"):
            LogisticMixture(**{name: 0}).fit(X, y)
    for name, value in [("max_iter", 0), ("max_iter", True), ("tol", -1.0), ("tol", np.nan)]:
        for model in (moe.MixtureOfExperts, LogisticMixture):
            with pytest.raises(ValueError, match=f"^{name} must be a .*, not {value!r}$"):
                model(**{name: value}).fit(X, y)
    with pytest.raises(ArithmeticError, match="after 1 iterations"):  # both are allowed
        LogisticMixture(solver="em", tol=0, max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match="^n_splits must be a whole number, 2 or more, not 1$"):
        moe.MixtureOfExperts(n_splits=1).fit(X, y)
    for experts in ([], {"a": GaussianNB()}, [GaussianNB()], GaussianNB()):
        with pytest.raises(ValueError, match=r"^experts is a list of \(name, model\), one"):
            moe.MixtureOfExperts(experts).fit(X, y)
    for name in ("C", "a__b"):
        with pytest.raises(ValueError, match="names"):
            moe.MixtureOfExperts([(name, GaussianNB())]).fit(X, y)
    for model in (moe.MixtureOfExperts, LogisticMixture):
        with pytest.raises(ValueError, match="Negative values"):
            model().fit(X, y, sample_weight=-np.ones(800))
    text = asd.load()[["gender", *asd.ITEMS]]
    with pytest.raises(ValueError, match="^the gate needs numbers, and column 'gender' is not "):
        moe.MixtureOfExperts().fit(text, y)
    with pytest.raises(ValueError, match="^there are no rows to fit on$"):
        moe.MixtureOfExperts().fit(asd.load()[asd.ITEMS].head(0), [])
    near = [("near", KNeighborsClassifier())]
    with pytest.raises(ValueError, match="^expert 'near' takes no sample_weight; fit without, or"):
        moe.MixtureOfExperts(near).fit(X, y, sample_weight=np.ones(800))


@pytest.mark.parametrize("names", [(1, 2), ("n", "j")])
def test_experts_know_the_labels_by_name_in_every_fold(rows, names):
    """Folds that rename the labels 0 and 1 give the weight to another class, or to none."""
    X, y = rows
    heavy = {name: LogisticRegression(class_weight={label: 9}) for name, label in [("a", names[1])]}
    named = np.array(names)[y]
    folds = list(StratifiedKFold(4, shuffle=True, random_state=0).split(X, y))
    (model,) = heavy.values()
    p = stacking.held_out(model, X, named, folds)
    as_numbers = stacking.held_out(LogisticRegression(class_weight={1: 9}), X, y, folds)
    order = np.argsort(np.argsort(names))
    np.testing.assert_allclose(p[:, order], as_numbers, atol=1e-6)


def test_errors_are_refused_where_it_is_no_maximum(rows):
    X, y = rows
    cut = LogisticMixture(C=0.1, n_starts=1, solver="em", tol=1e9, random_state=0).fit(X, y)
    with pytest.raises(ArithmeticError, match="^this is no maximum of the likelihood at X and y"):
        cut.contrasts(X, y)
    whole = LogisticMixture(C=0.1, n_starts=1, random_state=0).fit(X, y)
    assert np.all(whole.contrasts(X, y)[1] > 0)
    # What is still to be gained decides: errors are given up to about a twentieth of a nat.
    top, seen = whole.log_likelihood_[-1], {"given": [], "refused": []}
    for tol in (1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3):
        cut = LogisticMixture(C=0.1, n_starts=1, solver="em", tol=tol, random_state=0).fit(X, y)
        try:
            cut.contrasts(X, y)
            seen["given"].append(top - cut.log_likelihood_[-1])
        except ArithmeticError:
            seen["refused"].append(top - cut.log_likelihood_[-1])
    assert 0.01 < max(seen["given"]) < 0.05 < min(seen["refused"]) < 0.1
    with pytest.raises(ValueError, match="^y holds a label that was not there when"):
        whole.contrasts(X, 2 * y - 1)
