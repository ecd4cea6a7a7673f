"""The settings of a run: their schema, schedules, presets, and how they are read and written."""
