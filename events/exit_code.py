"""What the shell sees of a command's end. Every exception of Frontdesk says which of these it means, where it is defined.

So an exception that is renamed takes its code along, and a new one without a code is seen by a test. It stands here because this is
the layer that all others may import.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """`SIGTERM` and a closed pipe end with 128 + the signal, as usual; `AWAY` is EX_SOFTWARE of sysexits.h.

    An exception that never leaves the program (it is caught, or answered over the network) means MISTAKE: should it get out after
    all, that is what it is.
    """

    OK = 0
    DIFFERENCE = 1
    USAGE = 2
    UNAVAILABLE = 3
    REFUSED = 4
    AWAY = 70
    MISTAKE = 99
    INTERRUPTED = 130
    CLOSED_PIPE = 141
    TERMINATED = 143
