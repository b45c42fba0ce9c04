"""Table 1: negative log-likelihoods on MNIST in nats, by 1,000 samples of the proposal; by label of ours."""

TABLE1 = {
    "nvil_1": 95.2,
    "vimco_2": 93.5,
    "nvil_2": 93.6,
    "rws_2": 94.6,
    "vimco_5": 92.8,
    "nvil_5": 93.7,
    "rws_5": 93.4,
    "vimco_10": 92.6,
    "nvil_10": 93.4,
    "rws_10": 93.0,
    "vimco_50": 91.9,
    "nvil_50": 96.2,
    "rws_50": 92.5,
}
