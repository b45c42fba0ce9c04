"""The one kind of error that a user is meant to read."""


class ReparamError(Exception):
    """A mistake in what the user gave, said in one line: what, where, how to mend it.

    The command line prints it without a traceback and exits with status 2.
    """


class NumericalError(ReparamError):
    """Parameters outside their support, or an estimate that is not finite. In a training that is no mistake: the seed
    has diverged, or a measurement's reading is NaN."""


class OutputError(ReparamError):
    """The machine refused a write (disk full, folder not writable). The command line exits with 3."""
