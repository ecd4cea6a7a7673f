"""BlobNet's answers to batches of positions, as fast as the device allows."""
