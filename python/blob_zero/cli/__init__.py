"""The command line: commands, the live screen, tables."""
