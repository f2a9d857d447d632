"""How a training step runs: eager, compiled, in a CUDA graph, or by torch's DataLoader."""
