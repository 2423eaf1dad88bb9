"""Standard input, output and error as every command may rely on them, whatever a shell or a supervisor made of them."""

import io
import os
import sys


def made_sure_of() -> None:
    """Once, before anything is opened: a closed one would go to the next file or socket, and results into that.

    What is closed reads as empty and swallows what is written, as /dev/null does: so it was wanted. A character that the encoding of the
    output does not have is written as its escape; it ends nobody's command.
    """
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process lives
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
