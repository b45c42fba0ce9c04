"""Moments of draws that come in chunks, without ever holding them all."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Estimates = Mapping[str, Tensor]
Sums = dict[str, tuple[Tensor, Tensor]]
MERGED = 128
"""Draws whose sums are held in the estimates' own precision before they are merged in double precision."""


def sums(estimates: Estimates, pivot: Estimates) -> Sums:
    """Σ d and Σ d² over the first axis, for deviations d of the estimates [C, …] from the pivot […]."""
    found = {}
    for name, entries in estimates.items():
        deviations = entries - pivot[name]
        total = deviations.sum(0)
        found[name] = total, deviations.square_().sum(0)
    return found


class Running:
    """Means and variances by name, in double precision, merged chunk by chunk (Chan, Golub & LeVeque 1983).

    `pivot` is what the next chunk's `sums` are to be taken about: the mean so far in the estimates' own precision, so
    that neither a large mean nor a constant entry costs digits. It starts at `first`, a draw like the others; with no
    chunk added the mean is that draw and the variance 0.
    """

    def __init__(self, first: Estimates) -> None:
        self.count = 0
        self.pivot = dict(first)
        self._mean = {name: entry.to(torch.float64, copy=True) for name, entry in first.items()}
        self._squares = {name: torch.zeros_like(entry) for name, entry in self._mean.items()}
        self._waiting = 0
        self._sums = {
            name: (torch.zeros_like(entry), torch.zeros_like(entry)) for name, entry in first.items()
        }

    def add(self, chunk: Sums, count: int) -> None:
        """Take in the sums, about `pivot`, of `count` more draws."""
        for name, parts in chunk.items():
            total, squares = self._sums[name]
            self._sums[name] = total + parts[0], squares + parts[1]
        self.count, self._waiting = self.count + count, self._waiting + count
        if self._waiting >= MERGED:
            self._merge()

    def _merge(self) -> None:
        before, self._waiting = self.count - self._waiting, 0
        if self.count == before:
            return
        for name, (total, squares) in self._sums.items():
            mean, deviations = self._mean[name], self._squares[name]
            off = mean - self.pivot[name]
            shift = total.double().add_(off, alpha=before)
            deviations.add_(squares).addcmul_(off, off, value=before)
            deviations.addcmul_(shift, shift, value=-1 / self.count)
            mean.copy_(shift.div_(self.count).add_(self.pivot[name]))
            self.pivot[name] = mean.to(self.pivot[name].dtype, copy=True)
            self._sums[name] = torch.zeros_like(self.pivot[name]), torch.zeros_like(self.pivot[name])

    @property
    def mean(self) -> dict[str, Tensor]:
        self._merge()
        return dict(self._mean)

    @property
    def variance(self) -> dict[str, Tensor]:
        """The unbiased sample variance of each entry; 0 before two draws."""
        self._merge()
        least = max(1, self.count - 1)
        return {name: entry.clamp(min=0) / least for name, entry in self._squares.items()}
