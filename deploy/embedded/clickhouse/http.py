"""The HTTP door."""

from typing import Any


class HttpDoor:
    port = 0

    def __init__(self, *a: Any) -> None: ...
    def start(self) -> None: ...
    def stop(self, deadline_s: float) -> bool:
        return True
