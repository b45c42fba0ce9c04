"""GPUs are counted without torch, asked for honestly and lent to one cell at a time."""

import os
import subprocess
import sys

import pytest

from reparam.errors import ReparamError
from reparam.plan import gpus


@pytest.fixture
def machine(monkeypatch):
    def make(count, visible=None, cuda=True):
        monkeypatch.setattr(gpus, "_count", lambda: count)
        monkeypatch.setattr(gpus, "_torch_has_cuda", lambda: cuda)
        monkeypatch.delenv(gpus.VISIBLE, raising=False)
        if visible is not None:
            monkeypatch.setenv(gpus.VISIBLE, visible)

    return make


@pytest.mark.parametrize(
    ("count", "visible", "cuda", "found"),
    [
        (2, None, True, ["0", "1"]),
        (2, "1", True, ["1"]),
        (2, "", True, []),
        (2, "-1", True, []),
        (1, "GPU-ab", True, ["GPU-ab"]),
        (0, "0", True, []),
        (2, None, False, []),
    ],
)
def test_what_torch_could_use(machine, count, visible, cuda, found):
    machine(count, visible, cuda)
    assert gpus.gpus() == found


def test_slots_follow_the_device(machine):
    machine(2)
    assert [gpus.slots(device) for device in ("auto", "cuda", "cpu")] == [2, 2, 0]
    assert gpus.slots("auto", declared=8) == 8
    machine(0)
    assert gpus.slots("auto") == 0
    assert [gpus.slots("cuda", declared=1), gpus.slots("cpu", declared=1)] == [1, 0]
    with pytest.raises(ReparamError, match="no GPU"):
        gpus.slots("cuda")


OTHER = (
    "import sys; from pathlib import Path; from reparam.plan import gpus\n"
    "gpus.gpus = lambda: ['0', '1']\n"
    "with gpus.lease(Path(sys.argv[1])):\n    print('ready', flush=True); sys.stdin.read()"
)


def test_two_cells_never_share_a_gpu(machine, tmp_path, monkeypatch):
    machine(2)
    monkeypatch.setenv(gpus.VISIBLE, "0,1")
    command = [sys.executable, "-c", OTHER, str(tmp_path)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"ready\n"
    with gpus.lease(tmp_path):
        assert os.environ[gpus.VISIBLE] == "1"
    other.kill()
    other.communicate()
    monkeypatch.setenv(gpus.VISIBLE, "0,1")
    with gpus.lease(tmp_path):
        assert os.environ[gpus.VISIBLE] == "0"
