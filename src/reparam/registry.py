"""Plug-ins found by name: one file with one decorated class or function, and no central list."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from reparam.errors import ReparamError, place, reason

T = TypeVar("T")


class Registry(Generic[T]):
    """Names of one kind, filled by the modules of one package and by installed entry points.

    The package's modules are imported on the first look-up, never at import time: one plug-in's
    source is not part of what another plug-in's results depend on.
    """

    def __init__(
        self,
        kind: str,
        package: str,
        group: str | None = None,
        check: Callable[[str, T], None] = lambda name, entry: None,
    ) -> None:
        """`check(name, entry)` raises ReparamError for an entry that is not what the registry holds."""
        self.kind, self.package, self.group, self.check = kind, package, group, check
        self._entries: dict[str, T] = {}
        self._discovered = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: make the class or function known as `name`."""

        def add(entry: T) -> T:
            self.check(name, entry)
            if name in self._entries:
                raise ReparamError(f"the {self.kind} {name!r} is registered twice: rename one of them")
            self._entries[name] = entry
            return entry

        return add

    def names(self) -> list[str]:
        """All known names, sorted."""
        self._discover()
        return sorted(self._entries)

    def get(self, name: str) -> T:
        """The entry called `name`; ReparamError with the nearest name when there is none."""
        self._discover()
        if name not in self._entries:
            raise ReparamError(f"unknown {self.kind} {name!r}{nearest(name, self._entries)}")
        return self._entries[name]

    def _discover(self) -> None:
        if self._discovered:
            return
        self._discovered = True
        try:
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__):
                self._import(f"{self.package}.{module.name}", package.__path__[0])
            for plugin in entry_points(group=self.group) if self.group else ():
                self._load(plugin)
        except BaseException:
            self._discovered = False  # the next look-up must fail as well, not find half of the names
            raise

    def _import(self, module: str, folder: str) -> None:
        """Import a module of the package; ReparamError, naming file and line, for one that cannot be."""
        try:
            importlib.import_module(module)
        except Exception as error:  # a plug-in's module may fail in any way at all
            half = [name for name, entry in self._entries.items() if entry.__module__ == module]
            for name in half:  # else the next look-up would find the name taken
                del self._entries[name]
            where = place(error, folder) or module
            raise ReparamError(f"{where} cannot be imported: {reason(error)}; mend or remove it") from error

    def _load(self, plugin: EntryPoint) -> None:
        """Register what an installed package's entry point names, unless its own decorator did.

        Raises ReparamError, in one line, for what cannot be imported and for a name that is not the decorator's.
        """
        owner = f" of the package {plugin.dist.name!r}" if plugin.dist else ""
        what = f"the plug-in {plugin.name!r}{owner} ({plugin.value})"
        try:
            entry = plugin.load()
            known = [name for name, other in self._entries.items() if other is entry]
            if not known:
                self.register(plugin.name)(entry)
        except ReparamError as error:
            raise ReparamError(f"{what}: {error}") from error
        except Exception as error:  # a plug-in's module may fail in any way at all
            raise ReparamError(f"{what} cannot be imported: {reason(error)}; mend or uninstall it") from error
        if known and plugin.name not in known:
            raise ReparamError(f"{what} registers itself as {known[0]!r}: give the entry point that name")


def nearest(name: str, known: object) -> str:
    """'; did you mean …?' or '; known: …' for an unknown name."""
    names = sorted(str(entry) for entry in known)  # type: ignore[attr-defined]
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(names)}"
