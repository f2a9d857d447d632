"""Muon for the hidden matrices of a model and AdamW for all else, as one optimizer.

Muon makes the momentum of a matrix orthogonal before it is a step. By its author's practice
(https://kellerjordan.github.io/posts/muon/) it takes hidden matrices, and convolution kernels as
matrices (out, rest); first layer, embeddings, head, biases and norms are left to AdamW. Torch's own
(https://docs.pytorch.org/docs/stable/generated/torch.optim.Muon.html) takes two dimensions alone,
and scales its steps to the size of AdamW's, so that one learning rate fits both (Moonshot,
arXiv 2502.16982).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn, optim

Parameters = list[nn.Parameter]


class MuonAndAdamW(optim.Optimizer):
    """Torch's Muon, with its own momentum of 0.95, and torch's fused AdamW behind one face.

    All state is this optimizer's; the two inside borrow it for a step. So whoever saves, loads or
    puts back state and groups has to know no other. Either list of parameters may be empty; the
    weight decay is decoupled.
    """

    def __init__(
        self,
        matrices: Sequence[nn.Parameter],
        others: Sequence[nn.Parameter],
        *,
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        # `fused` makes `load_state_dict` put AdamW's count of steps on the device
        groups: list[dict[str, Any]] = [
            {"params": list(matrices)},
            {"params": list(others), "fused": True},
        ]
        super().__init__(groups, {"lr": learning_rate, "weight_decay": weight_decay})
        # each step has matrices of its own, but torch makes no optimizer of nothing
        self._muon = optim.Muon([torch.empty(0, 0)], adjust_lr_fn="match_rms_adamw")
        self._adamw = optim.AdamW(others, fused=True) if others else None

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient; takes no closure."""
        of_muon, of_adamw = self.param_groups
        self._step_muon(of_muon)
        if self._adamw is not None:
            _take_over(of_adamw, self._adamw)
            self._adamw.state = self.state
            self._adamw.step()

    def _step_muon(self, group: dict[str, Any]) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        # views, where strides allow: channels_last kernels are copied, and written back
        matrices = [parameter.detach().flatten(1) for parameter in parameters]
        for parameter, matrix in zip(parameters, matrices, strict=True):
            matrix.grad = parameter.grad.flatten(1)
            self._muon.state[matrix] = self.state[parameter]
        _take_over(group, self._muon)
        self._muon.param_groups[0]["params"] = matrices
        self._muon.step()
        for parameter, matrix in zip(parameters, matrices, strict=True):
            if matrix.data_ptr() != parameter.data_ptr():
                parameter.copy_(matrix.view_as(parameter))
        self._muon.param_groups[0]["params"] = []  # they would keep the gradients alive
        self._muon.state.clear()


def split_parameters(model: nn.Module) -> tuple[Parameters, Parameters]:
    """Return the trainable parameters of a model: those for Muon, and those for AdamW.

    A net with no hidden matrix, such as `v0`, has nothing for Muon and trains by AdamW alone.
    """
    hidden = {id(kernel) for kernel in hidden_kernels(model)}
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trainable if id(parameter) in hidden]
    return matrices, [parameter for parameter in trainable if id(parameter) not in hidden]


def hidden_kernels(model: nn.Module) -> Parameters:
    """Return the weights (out, in, ...) between the first layer and the head, in their order.

    The head is the last linear layer or, in a net without, the last kernel. Class tokens and
    positions of a transformer are no weights by name, and thus none here.
    """
    modules = list(model.modules())
    embeddings = {id(m.weight) for m in modules if isinstance(m, nn.Embedding | nn.EmbeddingBag)}
    kernels = [
        parameter
        for name, parameter in model.named_parameters()
        if name.endswith("weight") and parameter.ndim >= 2 and id(parameter) not in embeddings
    ]
    linear = [module.weight for module in modules if isinstance(module, nn.Linear)]
    outer = {id(kernel) for kernel in (*kernels[:1], *(linear or kernels)[-1:])}
    return [kernel for kernel in kernels if id(kernel) not in outer]


def _take_over(group: dict[str, Any], inner: optim.Optimizer) -> None:
    for name in ("lr", "weight_decay"):
        inner.param_groups[0][name] = group[name]
