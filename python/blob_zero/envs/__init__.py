"""Blob as an environment of other libraries: PettingZoo and OpenSpiel."""
