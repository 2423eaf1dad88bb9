"""Stands in for the suite's own tests/log.py, which its source distribution leaves out."""

import logging


def configure(level: str) -> None:
    logging.getLogger().setLevel(level)
