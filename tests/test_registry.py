"""Plug-ins by name: what an entry point may be, and one clear line for what it may not."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from reparam import estimators, registry
from reparam.errors import ReparamError
from reparam.estimators.base import Estimator, _require_card
from reparam.estimators.base import registry as estimator_registry
from reparam.registry import Registry

PLUGIN = """
from dataclasses import dataclass
from reparam.estimators import register
from reparam.estimators.pathwise import Pathwise

@dataclass(frozen=True)
class Plain(Pathwise):
    pass

@register("decorated")
@dataclass(frozen=True)
class Decorated(Pathwise):
    pass

class Cardless(Pathwise):
    card = None

def function(): ...
"""


@pytest.fixture
def registry_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Makes a registry that knows one plug-in and nothing else."""

    def make(name: str, value: str, code: str = PLUGIN) -> Registry[type[Estimator]]:
        module = f"plugin_{tmp_path.name}"
        (tmp_path / f"{module}.py").write_text(code)
        (tmp_path / "empty_package").mkdir()
        (tmp_path / "empty_package" / "__init__.py").touch()
        monkeypatch.syspath_prepend(str(tmp_path))
        fresh: Registry[type[Estimator]] = Registry("estimator", "empty_package", "group", _require_card)
        monkeypatch.setattr(estimators, "register", fresh.register)
        plugin = EntryPoint(name, value.replace("plugin", module), "group")
        monkeypatch.setattr(registry, "entry_points", lambda group: [plugin])
        return fresh

    return make


@pytest.mark.parametrize(("name", "kind"), [("mine", "Plain"), ("decorated", "Decorated")])
def test_an_entry_point_is_enough_and_a_decorator_does_no_harm(registry_of, name: str, kind: str) -> None:
    known = registry_of(name, f"plugin:{kind}")
    assert name in known.names() and known.get(name).__name__ == kind


@pytest.mark.parametrize(
    ("name", "value", "code", "said"),
    [
        (
            "mine",
            "plugin:Missing",
            PLUGIN,
            r"cannot be imported: AttributeError: .*'Missing'; mend or uninstall",
        ),
        ("mine", "no_such_module:X", PLUGIN, "cannot be imported: ModuleNotFoundError: No module named"),
        ("mine", "plugin:X", "def broken(", "cannot be imported: SyntaxError"),
        (
            "mine",
            "plugin:X",
            "raise ValueError('two\\nlines')",
            "cannot be imported: ValueError: two lines; mend",
        ),
        ("mine", "plugin:Cardless", PLUGIN, "estimator 'mine' has no card: give Cardless `card = "),
        ("mine", "plugin:function", PLUGIN, "estimator 'mine' must be a subclass of reparam.Estimator"),
        (
            "other",
            "plugin:Decorated",
            PLUGIN,
            "registers itself as 'decorated': give the entry point that name",
        ),
    ],
)
def test_a_faulty_plug_in_is_one_line_that_names_it(
    registry_of, name: str, value: str, code: str, said: str
) -> None:
    known = registry_of(name, value, code)
    for look in (known.names, known.names):  # the second look must not find the half that was there
        with pytest.raises(ReparamError, match=said) as error:
            look()
        assert str(error.value).startswith(f"the plug-in {name!r} (") and "\n" not in str(error.value)


def test_a_plug_in_cannot_take_the_name_of_an_estimator() -> None:
    with pytest.raises(ReparamError, match="the estimator 'pathwise' is registered twice"):
        estimator_registry.register("pathwise")(estimators.get("exact"))


BROKEN = {
    "syntax": (
        "x = 1\ndef broken(\n",
        r"empty_package/mine.py:2 cannot be imported: SyntaxError: '\(' was never closed",
    ),
    "an import": (
        "\nimport no_such_thing\n",
        "mine.py:2 cannot be imported: ModuleNotFoundError: No module named",
    ),
    "a card's field": (
        "from reparam.estimators.card import Card\ncard = Card(title='t')\n",
        r"mine.py:2 cannot be imported: TypeError: .*__init__\(\) missing 8 required positional arguments",
    ),
    "no card": (
        "from reparam.estimators import register\n\n@register('mine')\nclass Mine: ...\n",
        "mine.py:3 cannot be imported: estimator 'mine' must be a subclass of reparam.Estimator",
    ),
    "after it is registered": (
        PLUGIN + "\nraise ValueError('two\\nlines')\n",
        r"ValueError: two lines; mend or remove",
    ),
}


@pytest.mark.parametrize(("code", "said"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_imported_is_named_with_its_line(
    registry_of, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, said: str
) -> None:
    known = registry_of("mine", "plugin:Plain")
    for name in [name for name in sys.modules if name.startswith("empty_package")]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "empty_package" / "mine.py").write_text(code)
    for look in (known.names, known.names):
        with pytest.raises(ReparamError, match=said) as error:
            look()
        assert "\n" not in str(error.value)
