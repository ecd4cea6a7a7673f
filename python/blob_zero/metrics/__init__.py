"""The figures of a run: a row for each iteration and each optimizer step, and TensorBoard."""
