"""What a run found: counts of a step, speed, energy, accuracy, how near the machine's limits."""
