"""The toys beside the paper's digitised points, policy gradients, and the auto-encoders."""

from reparam.papers.grathwohl2018.drawing.control import linear_quadratic, policy_gradients, solving
from reparam.papers.grathwohl2018.drawing.networks import shifted, table, training, work
from reparam.papers.grathwohl2018.drawing.toys import companion, exact_gradient, shapes, toy
from reparam.report.curves import AUTO_ENCODERS
from reparam.report.figures import Figure

FIGURES = [
    Figure(
        "toy",
        "One bit, t = 0.499 (Fig 1)",
        "Mean over seeds with a 95 % band; open circles: the paper's one seed. The dotted line is the least expected "
        "loss, below which the paper's curves of REBAR and REINFORCE dip. Triangles: some seeds' draws were all "
        "0 and their variance has no logarithm; the thin line is the median of all seeds there.",
        toy,
        ("toy", "exact-gradient"),
    ),
    Figure(
        "companion",
        "One bit, t = 0.45",
        "The same with a gradient fifty times as large (a figure of the authors' repository, open circles).",
        companion,
        ("toy-companion",),
    ),
    Figure(
        "shapes",
        "What REBAR and RELAX learn to subtract (Fig 3)",
        "The control variate as a function of the perturbed logit after training it at a fixed logit; one line a "
        "seed. For one bit anything with the right difference between the two sides will do.",
        shapes,
        ("shapes",),
    ),
    Figure(
        "exact-gradient",
        "Two exact gradients (Fig 1, exact)",
        "Adam along the derivative of the expected loss, and along that of the released code, which lacks 1 − p. The "
        "paper's points at 500 and 1,000 steps lie on the latter; later ones are within the width of its line.",
        exact_gradient,
        ("exact-gradient",),
    ),
    Figure(
        "policy-gradients",
        "A2C and RELAX on CartPole (RL figures)",
        "Left: the mean of the last 100 returns; 195 (dotted) counts as solved, and the paper's A2C solves it after "
        "1152 ± 90 episodes. Right: ln variance of one episode's gradient, from 100 further episodes with each one's "
        "own policy; dotted, the bare score function on the same episodes, so that the distance is what the learned "
        "control variate takes away. A policy that has fallen to one action has hardly any variance: a low curve is no "
        "merit by itself. Open circles: the paper's means with the range of its curves.",
        policy_gradients,
        ("variance",),
    ),
    Figure(
        "solving",
        "Episodes until a task is solved (Table 2)",
        "Mean of the last 100 returns, with the learning rates that one seed chose. Open circles: the paper's episodes "
        "± over 5 seeds. The paper's LunarLander column holds other numbers and is not drawn; cartpole force is ours.",
        solving,
        ("discrete-*", "continuous-*"),
    ),
    Figure(
        "linear-quadratic",
        "Reparameterized and score-function policy gradients where both are possible",
        "Linear dynamics, quadratic cost, a Gaussian policy with gain k: the standard deviation of one estimate for k "
        "over the exact gradient, which has a closed form, against the number of steps. Left a closed loop that "
        "decays, right one that grows. Leave-one-out (loo) averages two samples, at twice the cost.",
        linear_quadratic,
        ("linear-quadratic-*",),
    ),
    Figure(
        "work",
        "What REBAR and RELAX buy, for equal steps, evaluations and time",
        "One linear layer: the bound of hard samples on training rows, mean over seeds with a 95 % band. An "
        "evaluation is one of f for one datum; rebar and relax take two, one of which is differentiated in the "
        "relaxed sample, and relax tunes its network first. Seconds are those of the training steps of this "
        "machine, measurements left out.",
        work,
        ("linear-1",),
    ),
    Figure(
        "training",
        "REBAR and RELAX on training and validation rows (training curves, appendix)",
        "ELBO of hard samples, mean over seeds with a 95 % band; the start is cut off. Pale: validation. Open "
        "circles, where the data are the paper's: its curves.",
        training,
        tuple(AUTO_ENCODERS),
    ),
    Figure(
        "table-1",
        "Highest training ELBO (Table 1)",
        "Dots: ours, with 95 % intervals over seeds, the best on top. Open circles, where the data are the "
        "paper's: its linear rows. concrete is at temperature 0.5.",
        table,
        tuple(AUTO_ENCODERS),
    ),
    Figure(
        "shifted",
        "Table 1's non-linear rows are shifted by one column",
        "The coloured cells stand under the wrong headers: a draft prints the same numbers under those of the "
        "third row. The paper's own training curves do not reach the last two columns either (best about −93.4 "
        "and −83.5 on MNIST).",
        shifted,
        ("nonlinear", "omniglot-nonlinear"),
    ),
]
