"""The tutorials' five pictures, redrawn with what our own runs measured, and the curves behind the claims."""

from reparam.papers.tutorials.drawing.curves import (
    baseline,
    bounds,
    gamma,
    ranks,
    rejection,
    scales,
    temperature,
    training,
    variance,
)
from reparam.papers.tutorials.drawing.pictures import chart, insight, simplex, structure, trick
from reparam.report.figures import Figure

FIGURES = [
    Figure(
        "trick",
        "The trick",
        "Left: a sample has no slope until a path is chosen. Middle: with the noise drawn first, the "
        "sample is a function. Right: evaluations of f until the mean of estimates of the "
        "gradient of E z² under N(1, 1) has a relative standard error of 5 %.",
        trick,
        ("constant", "laws"),
    ),
    Figure(
        "insight",
        "The insight",
        "Left: the same noise under two parameters. Right: draws of the run (μ = 0.4, σ = 1.3) with their "
        "slopes; each arrow is the move of that draw per unit of the parameter, shortened to 0.9.",
        insight,
        ("laws",),
    ),
    Figure(
        "chart",
        "Which estimator",
        "The decision chart with what this run measured; the first section of this page has each answer's "
        "claims.",
        chart,
        ("constant", "frequency", "temperature", "discrete-*", "step", "categorical-vae"),
    ),
    Figure(
        "structure",
        "Structure of a VAE",
        "Right: gradient variance of one minibatch, summed over a group's parameters. The decoder needs "
        "no path through z.",
        structure,
        ("vae",),
    ),
    Figure(
        "simplex",
        "Gumbel-max and its relaxation",
        "400 draws for π = (0.5, 0.3, 0.2), the same noise at each temperature; the cross is π. Beside a corner: its "
        "class, and the share of draws nearest to it, which is π's at every τ. At τ = 0.001 nearly all lie at the "
        "corners that Gumbel-max takes, at 1,000 all are uniform.",
        simplex,
        ("gumbel",),
    ),
    Figure(
        "variance",
        "Variance by the formulas and by draws",
        "f² drives the score function, f′ the path: a constant hurts the one (leave-one-out removes it), "
        "a steep f the other. Circles: the tutorial's formulas by quadrature.",
        variance,
        ("constant", "frequency"),
    ),
    Figure(
        "baseline",
        "The optimal baseline",
        "It differs from parameter to parameter, and is not E f.",
        baseline,
        ("baselines",),
    ),
    Figure(
        "temperature",
        "Temperature: bias against variance",
        "(w·z − x)² of four categories. At low temperatures Gumbel-Softmax has more variance than the "
        "score function that it is to improve on. Squares: a bias of more than 5.5 standard errors; open circles: "
        "what is left is the noise of the mean, which rises as τ falls.",
        temperature,
        ("temperature", "discrete-*"),
    ),
    Figure(
        "ranks",
        "Bias and variance of estimators of discrete variables",
        "Full: a bias of more than 5.5 standard errors. Open: what is left is noise. REBAR and RELAX with the control "
        "variates that they start with, and (half full) with trained ones.",
        ranks,
        ("discrete-*", "tuned-*"),
    ),
    Figure(
        "gamma",
        "A Gamma map that is none",
        "The tutorial's formula against the law. With α − 1/3 before the cube and a 1 inside, the mean is "
        "right at every α, and an acceptance step makes the law exact.",
        gamma,
        ("gamma",),
    ),
    Figure(
        "rejection",
        "What dropping the correction costs",
        "Accepted draws differentiated as if their noise had a law without parameters.",
        rejection,
        ("rejection",),
    ),
    Figure(
        "scales",
        "Very small scales and the three cures",
        "Single precision. A softplus alone is no cure: it is e^raw there, and rounds to 0. The pathwise "
        "gradient of a bound stays small, until σ or 1/σ leaves the range (values below 1e-12 are drawn there).",
        scales,
        ("small-scales",),
    ),
    Figure(
        "bounds",
        "Tighter bounds, and two sources of noise",
        "Linear-Gaussian model. Left: the gap closes as K grows. Right: more noise samples lower only "
        "their own part of the variance of a minibatch gradient; bars and points are shares of each seed's "
        "variance at L = 1.",
        bounds,
        ("weighted-bound", "two-noises"),
    ),
    Figure(
        "training",
        "Trained models",
        "Left: a VAE of digits (exercise 2), mean over seeds with a 95 % band. Right: the tutorial's "
        "other uses, as the share of each one's whole rise, so that all end at 100 %; crosses: the same steps "
        "with the laws' parameters held.",
        training,
        ("categorical-vae", "uses-*"),
    ),
]
