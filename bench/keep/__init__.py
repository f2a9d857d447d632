"""What a run leaves beside its record: saved models, checkpoints, TensorBoard's files."""
