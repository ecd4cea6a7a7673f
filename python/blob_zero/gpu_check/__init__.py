"""`python -m blob_zero.gpu_check`: everything that needs a GPU, in one command that runs from an installed wheel."""
