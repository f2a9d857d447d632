"""Which plans cannot execute a recipe, and why: the one place that knows.

Everything else can: a step at a time, eager or with forward and backward compiled.
"""

from bench.spec.plan import Plan
from bench.spec.recipe import Recipe

WITHOUT_RULE = frozenset({"muon"})  # optimizers that `update_rules.py` does not have
ASKS_THE_HOST = frozenset({"rmsprop"})  # in fp16, whether to take the step; fused kernels do not


def why_not(plan: Plan, recipe: Recipe) -> str | None:
    """Why a plan cannot train by a recipe, in one line with the remedy; None where it can."""
    reason = why_no_whole_step(recipe) if plan.mode == "step" else None
    if reason is None and plan.graph_steps is not None:
        reason = why_no_graph(recipe)
    return reason


def why_no_whole_step(recipe: Recipe) -> str | None:
    """Why compiled whole steps cannot train by a recipe; None where they can."""
    if recipe.precision == "fp16":
        return (
            "plan step has no place for the gradient scaler that fp16 needs; "
            "use --precision bf16, or plan compile"
        )
    if recipe.optimizer in WITHOUT_RULE:
        return f"plan step cannot compile optimizer {recipe.optimizer}; use plan compile"
    if recipe.base_momentum is not None:
        return "plan step would freeze the momentum that base_momentum cycles; use plan compile"
    return None


def why_no_graph(recipe: Recipe) -> str | None:
    """Why CUDA graphs of steps cannot train by a recipe, whatever the mode; None where they can."""
    if recipe.optimizer in WITHOUT_RULE:
        return (
            f"plan graph:N would freeze the rate of optimizer {recipe.optimizer}; leave graph:N out"
        )
    if recipe.base_momentum is not None:
        return "plan graph:N would freeze the momentum that base_momentum cycles; leave graph:N out"
    if recipe.precision == "fp16" and recipe.optimizer in ASKS_THE_HOST:
        return (
            f"plan graph:N cannot skip a step of optimizer {recipe.optimizer}, as fp16 may need; "
            "use --precision bf16, or leave graph:N out"
        )
    return None
