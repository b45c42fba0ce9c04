"""YAML files, read strictly: a key given twice is an error and 1e-3 is a number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from reparam.errors import ReparamError

# The parser written in C is ten times as fast; a PyYAML built without it has only the other.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """PyYAML reads `1e-3` as text and lets the last of two equal keys win: silent changes of results."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.value != "<<"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", node.start_mark
                )
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read(file: Path, where: str) -> Any:
    """The content of a YAML file; ReparamError, beginning with `where`, when it is missing or not valid."""
    try:
        return yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise ReparamError(f"{where}: cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ReparamError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None
