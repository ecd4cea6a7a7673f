"""The machine: what it is, how much memory there is, and how busy its GPU is."""
