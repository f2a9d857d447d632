"""The architectures that fmnist-bench compares, and the registry that finds them by name.

Importing this package loads no torch: names and facts about models are read from source text, and a
model's own module is imported only when the model is built.
"""

from fmnist_models.catalogue import ModelError, ModelInfo
from fmnist_models.registry import build_model, list_models, model_info, register, resolve_names

__all__ = [
    "ModelError",
    "ModelInfo",
    "build_model",
    "list_models",
    "model_info",
    "register",
    "resolve_names",
]
