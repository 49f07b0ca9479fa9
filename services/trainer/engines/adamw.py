"""AdamW, element by element, so that no label's step depends on another's gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class AdamW:
    """Adam with decoupled weight decay on everything but biases.

    There is no clipping by a global norm: that would tie the labels to each other.
    """

    def __init__(
        self, parameters: Mapping[str, torch.nn.Parameter], *, weight_decay: float
    ) -> None:
        """Optimise these parameters, in place."""
        self._parameters = dict(parameters)
        self._weight_decay = weight_decay
        self._steps = 0
        self._means = {name: torch.zeros_like(p) for name, p in self._parameters.items()}
        self._squares = {name: torch.zeros_like(p) for name, p in self._parameters.items()}

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move each parameter by its gradient."""
        self._steps += 1
        first = 1.0 - _BETA1**self._steps
        second = 1.0 - _BETA2**self._steps
        for name, parameter in self._parameters.items():
            gradient = parameter.grad
            if gradient is None:
                continue
            mean, square = self._means[name], self._squares[name]
            mean.lerp_(gradient, 1.0 - _BETA1)
            square.mul_(_BETA2).addcmul_(gradient, gradient, value=1.0 - _BETA2)
            if not name.endswith(("_bias", ".bias")):
                parameter.mul_(1.0 - learning_rate * self._weight_decay)
            scale = (square / second).sqrt_().add_(_EPSILON)
            parameter.addcdiv_(mean, scale, value=-learning_rate / first)

    def narrow(self, parameters: Mapping[str, torch.nn.Parameter], places: Sequence[int]) -> None:
        """Go on with parameters that hold what stood at these places of the leading dimension."""
        self._parameters = dict(parameters)
        for running in (self._means, self._squares):
            for name, tensor in running.items():
                running[name] = tensor[list(places)]

    def state(self) -> dict[str, torch.Tensor]:
        """Return the running means, for a checkpoint."""
        means = {f"adam.mean.{name}": tensor for name, tensor in self._means.items()}
        squares = {f"adam.square.{name}": tensor for name, tensor in self._squares.items()}
        return {**means, **squares}

    def resume(self, steps: int) -> None:
        """Go on after `steps` steps; the tensors of ``state`` hold what they held then."""
        self._steps = steps

    def restore(self, tensors: Mapping[str, torch.Tensor], steps: int) -> None:
        """Take the running means back from a checkpoint made after `steps` steps."""
        self.resume(steps)
        for name, tensor in self.state().items():
            tensor.copy_(tensors[name])
