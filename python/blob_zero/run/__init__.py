"""A run's folder: checkpoints, atomic files, lock, and signals that wait for a commit."""
