"""What is asked for: model, recipe, budget, plan."""
