"""The Normal law with a full covariance, along the path that moves the least (Jankowiak & Obermeyer 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reparam.distributions.multivariate_normal import MultivariateNormal


class OMTMultivariateNormal(MultivariateNormal):
    """MultivariateNormal with the optimal-transport derivative (Jankowiak & Obermeyer 2018, arXiv:1806.01851).

    The samples, loc + L ε, are those of MultivariateNormal; their derivative in the covariance Σ = L Lᵀ is another one
    with the same expectations: dz = A (z − loc) with the symmetric A that solves A Σ + Σ A = dΣ, where the Cholesky
    path has A = dL L⁻¹. Of all velocities that turn one Normal law into the next it is the smallest in mean square,
    which tends to lower the variance of the gradient. It costs a singular value decomposition of L per law.
    """

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        centred = (self.scale_tril.detach() @ noise["normal"].unsqueeze(-1)).squeeze(-1)
        factor = self.scale_tril.expand(*centred.shape, centred.shape[-1])
        return self.loc + _transported(factor, centred)


def _transported(factor: Tensor, centred: Tensor) -> Tensor:
    """The constant vectors `centred` [..., D], with the derivative A · centred in L = `factor` [..., D, D].

    Derivatives of every order in eager mode and traced, the first within a bare torch.compile, which would drop those
    of custom functions (see `reparam.distributions.implicit.attach`).
    """
    if torch.compiler.is_compiling():
        start = factor.detach()
        change = (factor - start) @ start.mT
        return centred + _apply(_solve(start, change + change.mT), centred)
    return _Transported.apply(factor, centred.detach())  # type: ignore[no-untyped-call]


def _apply(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def _solve(factor: Tensor, right: Tensor) -> Tensor:
    """The X [..., D, D] with X Σ + Σ X = `right`, Σ = L Lᵀ for L = `factor`."""
    u, s, _ = torch.linalg.svd(factor)
    d = s.square()
    return u @ ((u.mT @ right @ u) / (d.unsqueeze(-1) + d.unsqueeze(-2))) @ u.mT


class _Transported(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(factor: Tensor, centred: Tensor) -> Tensor:
        return centred.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)
        ctx.save_for_forward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        # ⟨g, A z⟩ = ⟨S, dΣ⟩ with S Σ + Σ S = the symmetric part of g zᵀ, and dΣ = dL Lᵀ + L dLᵀ.
        factor, centred = ctx.saved_tensors
        outer = gradient.unsqueeze(-1) * centred.unsqueeze(-2)
        return _Solved.apply(factor, outer + outer.mT) @ factor, None  # type: ignore[no-untyped-call]

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _centred: None) -> Tensor:  # type: ignore[override]
        factor, centred = ctx.saved_tensors
        change = tangent @ factor.mT
        return _apply(_Solved.apply(factor, change + change.mT), centred)  # type: ignore[no-untyped-call]


class _Solved(torch.autograd.Function):
    """`_solve`, with derivatives that do not divide by the distance of two singular values, which may be 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(factor: Tensor, right: Tensor) -> Tensor:
        return _solve(factor, right)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output)
        ctx.save_for_forward(inputs[0], output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        factor, solution = ctx.saved_tensors
        adjoint = _Solved.apply(factor, gradient)  # type: ignore[no-untyped-call]
        by_covariance = -(adjoint @ solution.mT + solution.mT @ adjoint)
        return (by_covariance + by_covariance.mT) @ factor, adjoint

    @staticmethod
    def jvp(ctx: Any, by_factor: Tensor | None, by_right: Tensor | None) -> Tensor:  # type: ignore[override]
        factor, solution = ctx.saved_tensors
        change = torch.zeros_like(solution) if by_right is None else by_right
        if by_factor is not None:
            half = by_factor @ factor.mT
            covariance = half + half.mT
            change = change - covariance @ solution - solution @ covariance
        return _Solved.apply(factor, change)  # type: ignore[no-untyped-call]
