"""The border to the engine: what it raises comes out as Failure with the engine's code."""

from collections.abc import Callable
from typing import Any

import chdb

from deploy.embedded.clickhouse.failure import failure_of

ENGINE_ERRORS = (RuntimeError, chdb.ChdbError)


def guarded(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Calls the engine."""
    try:
        return call(*arguments, **named)
    except ENGINE_ERRORS as error:
        raise failure_of(error) from None
