"""What a gate found: pairs of processes, the rule they are judged by, the verdict and its text."""
