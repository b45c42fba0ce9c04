"""W&B settings under which a run says nothing about the machine and the account it was written on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import wandb


def private_settings(folder: Path) -> wandb.Settings:
    """Settings that keep host, user, paths, git, code, packages, console and hardware out of a run.

    Runs are written below `folder`/wandb. Every switch named here exists in wandb ≥ 0.28; a test greps
    the written files.
    """
    import wandb

    return wandb.Settings(
        root_dir=str(folder.absolute()),
        reinit="create_new",
        symlink=False,
        silent=True,
        console="off",
        host="",
        username="",
        email="",
        program="",
        x_executable="",
        disable_git=True,
        disable_code=True,
        save_code=False,
        disable_job_creation=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )
