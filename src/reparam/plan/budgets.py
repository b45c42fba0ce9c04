"""How long each paper may take at each scale: one table, config/budgets.yaml."""

from __future__ import annotations

from pathlib import Path

from reparam.plan import yaml_file

FILE = Path("config/budgets.yaml")


def budgets(file: Path = FILE) -> dict[str, dict[str, int]]:
    """scale → paper → seconds on two CPU cores; ReparamError when the file cannot be read."""
    table: dict[str, dict[str, int]] = yaml_file.read(file, file.name)
    return table
