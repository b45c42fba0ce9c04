"""Generated faults that no test can see, and why: the code means the same with them.

The key names the file, the expression and the fault.
"""

SURVIVORS: dict[str, str] = {
    "base: values.detach(): detach dropped": "in sample_bound: the maximum is added and taken out again, and so is its "
    "derivative",
}
