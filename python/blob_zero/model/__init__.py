"""BlobNet, and the symmetry of the game that its rows may be renamed by."""
