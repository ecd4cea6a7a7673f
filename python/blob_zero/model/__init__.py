"""BlobNet, and the symmetry of the suits."""
