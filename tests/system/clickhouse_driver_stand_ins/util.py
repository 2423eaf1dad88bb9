"""Stands in for the suite's own tests/util.py, which its source distribution leaves out."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from io import StringIO
from typing import Any
from unittest.mock import patch


def skip_by_server_version(case: Any, required: tuple[int, ...]) -> None:
    case.skipTest(f"needs server {required}")


def require_server_version(*required: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorated(test: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(test)
        def wrapper(case: Any, *arguments: Any) -> Any:
            if case.server_version < required:
                skip_by_server_version(case, required)
            return test(case, *arguments)

        return wrapper

    return decorated


@contextmanager
def capture_logging(name: str, level: str) -> Iterator[StringIO]:
    buffer, logger = StringIO(), logging.getLogger(name)
    handler, before = logging.StreamHandler(buffer), logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield buffer
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


@contextmanager
def patch_env_tz(zone: str) -> Iterator[None]:
    try:
        with patch.dict(os.environ, {"TZ": zone}):
            time.tzset()
            yield
    finally:
        time.tzset()
