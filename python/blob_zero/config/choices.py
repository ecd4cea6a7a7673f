"""Choices that several settings share."""

from typing import Literal

Dtype = Literal["auto", "fp32", "bf16", "fp16"]
"""Number format of a computation; `auto` chooses by device."""

Switch = Literal["auto"] | bool
"""On, off, or chosen by device."""
