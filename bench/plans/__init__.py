"""`--plan auto`: plans are tried on the real step, and the best for the budget is taken."""
