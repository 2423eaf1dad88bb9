"""Where the commands meet a person or a script: options, settings, what is printed, how it ends."""

__all__ = ["causes", "configuration", "options", "outcome", "screen", "standard_streams"]
"""Modules, not what is in them: `--help` loads neither settings nor screen."""
