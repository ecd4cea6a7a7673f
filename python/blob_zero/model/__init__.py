"""BlobNet, the network."""
