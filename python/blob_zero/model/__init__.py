"""The networks: BlobNet, and OutcomeNet."""
