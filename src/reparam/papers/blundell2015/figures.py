"""Classification, its uncertainty, pruning and weights; regression; the bandit; what depends on what is not stated."""

from reparam.papers.blundell2015.drawing.bandit import regrets
from reparam.papers.blundell2015.drawing.networks import learning, pruning, rejection, scores, weights
from reparam.papers.blundell2015.drawing.posterior import fragility, regression
from reparam.report.figures import Figure

FIGURES = [
    Figure(
        "learning",
        "Test error along the training (Fig 2)",
        "Networks of two hidden layers with everything random at its mean; mean over seeds with a 95 % band.",
        learning,
        ("fig2-*", "closed-form-*", "geometric-*", "learned-prior-*"),
    ),
    Figure(
        "scores",
        "Errors, log scores and calibration (Table 1)",
        "Read where the validation error is least; mean over seeds with a 95 % interval. Sampled: of the "
        "mean of 10 samples' probabilities. A calibrated network is right as often as it is sure.",
        scores,
        ("fig2-*", "closed-form-*", "geometric-*", "learned-prior-*"),
    ),
    Figure(
        "rejection",
        "Accuracy when the least confident are rejected",
        "Test rows in the order of the predicted class's probability; dotted: the network at its mean. A line that "
        "rises soon belongs to a network that knows where it errs. Means over seeds.",
        rejection,
        ("fig2-*",),
    ),
    Figure(
        "pruning",
        "Taking weights out (Table 2)",
        "Test error after the weights with the least |μ|/σ, or |μ| where they are not random, are set to zero.",
        pruning,
        ("fig2-*",),
    ),
    Figure(
        "weights",
        "Weights, and how sure the network is of them (Figs 3, 4)",
        "One sample of all weights, and the density of |μ|/σ on a logarithmic scale, at the end of training. Of one "
        "seed.",
        weights,
        ("fig2-*",),
    ),
    Figure(
        "regression",
        "Regression, and where it has no data (Fig 5)",
        "Quantiles of the regression function over samples of the network; shaded: where the data are. Of one seed.",
        regression,
        ("regression-*",),
    ),
    Figure(
        "bandit",
        "Regret on the bandit (Fig 6)",
        "Expected cumulative regret beside who knows which rows are edible; mean over seeds with a 95 % band; dashed: "
        "eating by the toss of a coin, in closed form. The paper states neither the learning rate nor ρ at the start "
        "(−5 where no other is named).",
        regrets,
        ("bandit-*",),
    ),
    Figure(
        "fragility",
        "What the initial width of the posterior and the learning rate do",
        "Bayes by Backprop with a scale mixture, at the end of training, by ρ at the start (σ = ln(1 + e^ρ)), which "
        "the paper does not state; mean over seeds with a 95 % band.",
        fragility,
        ("fragility-*",),
    ),
]
