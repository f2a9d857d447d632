"""Hooks of all kinds: on modules before and after, forward and backward, on tensors, on states."""

import torch
from torch import nn


class Hooks(nn.Module):
    """Forward, pre-forward and full backward hooks, one each, that keep what they see."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, stride=2)
        self.relu = nn.ReLU()
        self.head = nn.Linear(8 * 13 * 13, 10)
        self.activations, self.gradients = {}, {}
        self.conv.register_forward_pre_hook(self.shift)
        self.conv.register_forward_hook(self.keep)
        self.conv.register_full_backward_hook(self.keep_gradient)
        self.head.register_full_backward_pre_hook(lambda m, g: None)

    def shift(self, module, args):
        return (args[0] - 0.28,)

    def keep(self, module, args, output):
        self.activations["conv"] = output

    def keep_gradient(self, module, grad_input, grad_output):
        self.gradients["conv"] = grad_output[0]

    def forward(self, x):
        return self.head(self.relu(self.conv(x)).flatten(1))


class GradCam(nn.Module):
    """Grad-CAM: keeps the feature map, and its gradient by a hook on the tensor."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4))
        self.head = nn.Linear(8 * 49, 10)
        self.feature_map, self.gradient = None, None

    def save_gradient(self, gradient):
        self.gradient = gradient

    def forward(self, x):
        x = self.features(x)
        if x.requires_grad:
            x.register_hook(self.save_gradient)
            x.retain_grad()
        self.feature_map = x
        return self.head(x.flatten(1))


class ClipsGradients(nn.Module):
    """Scales and clips gradients by hooks on its parameters."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
        for p in self.net.parameters():
            p.register_hook(lambda grad: grad.clamp(-0.05, 0.05))

    def forward(self, x):
        return self.net(x)


class AfterAccumulation(nn.Module):
    """Counts what its gradients were by hooks that run when they have been accumulated."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
        self.norms = []
        for p in self.net.parameters():
            p.register_post_accumulate_grad_hook(lambda q: self.norms.append(q.grad.norm()))

    def forward(self, x):
        self.norms.clear()
        return self.net(x)


class StateHooks(nn.Module):
    """Writes a prefix into its state dict and takes it off again: a checkpoint's compatibility."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
        self.register_state_dict_post_hook(self.rename)
        self.register_load_state_dict_pre_hook(self.rename_back)

    @staticmethod
    def rename(module, state, prefix, metadata):
        for key in [key for key in state if key.startswith(prefix + "net.")]:
            state[prefix + "model." + key[len(prefix) + 4 :]] = state.pop(key)

    @staticmethod
    def rename_back(module, state, prefix, *args):
        for key in [key for key in state if key.startswith(prefix + "model.")]:
            state[prefix + "net." + key[len(prefix) + 6 :]] = state.pop(key)

    def forward(self, x):
        return self.net(x)


class ExtraState(nn.Module):
    """Puts a dict of its own into the state dict, by torch's get_extra_state."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        self.calls = 0

    def get_extra_state(self):
        return {"calls": self.calls, "version": "2"}

    def set_extra_state(self, state):
        self.calls = state["calls"]

    def forward(self, x):
        self.calls += 1
        return self.net(x)


class MultiGrad(nn.Module):
    """A hook over several tensors' gradients at once, set anew in each forward pass."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(784, 16), nn.Linear(784, 16)
        self.head = nn.Linear(32, 10)
        self.handle, self.seen = None, 0

    def count(self, gradients):
        self.seen += sum(g is not None for g in gradients)

    def forward(self, x):
        x = x.flatten(1)
        a, b = torch.relu(self.left(x)), torch.relu(self.right(x))
        if self.handle is not None:
            self.handle.remove()
            self.handle = None
        if a.requires_grad:
            self.handle = torch.autograd.graph.register_multi_grad_hook((a, b), self.count)
        return self.head(torch.cat([a, b], 1))
