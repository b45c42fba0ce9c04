"""Generated faults that no test can see, and why: the code means the same with them.

The key names the file, the function, the expression and the fault.
"""

SURVIVORS: dict[str, str] = {
    "base.sample_bound: values.detach(): detach dropped": "the maximum is added and taken out again, and so is its "
    "derivative",
    "arm.estimate: signal - signal[0]: sign flipped": "the contrasts of z have sum 0: no constant matters",
    "arm.estimate: signal - signal[0]: second term dropped": "the contrasts of z have sum 0: no constant matters",
    "running.remember: old + 1: sign flipped": "all weights change their sign, and `kept`, a ratio, does not",
    "score_function._slopes: parameter.detach(): detach dropped": "they are coefficients, which nobody differentiates",
}
