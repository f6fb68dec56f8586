"""What can be asked of an instrument, importable without pyo: arguments, commands, and actions of computer keys."""
