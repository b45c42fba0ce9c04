"""An experiment's options: what nothing reads is a mistake, and so is what is missing."""

import pytest

from reparam.cells.procedures import Options
from reparam.errors import ReparamError


def test_an_option_that_nothing_reads_is_named_with_the_one_that_was_meant() -> None:
    options = Options({"alon": True, "draws": 10, "points": None}, "here")
    assert options["draws"] == 10 and options.get("alone") is None
    with pytest.raises(ReparamError, match="here: nothing reads the option 'alon'; did you mean 'alone'"):
        options.require_all_read()


def test_all_that_is_read_is_right_and_null_asks_for_nothing() -> None:
    options = Options({"alone": True, "draws": 10, "points": None}, "here")
    assert options["draws"] and options.get("alone")
    options.require_all_read()
    assert dict(options) == {"alone": True, "draws": 10, "points": None}


def test_an_option_that_is_missing_is_named_beside_those_that_are_given() -> None:
    options = Options({"draw": 10, "alone": True}, "here")
    assert "draws" not in options and options.get("draws", 5) == 5
    with pytest.raises(ReparamError, match="here: the option 'draws' is missing \\(given: draw, alone\\)"):
        options["draws"]
