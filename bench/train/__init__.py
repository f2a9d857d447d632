"""One training: data, model, schedule, loop, evaluation."""
