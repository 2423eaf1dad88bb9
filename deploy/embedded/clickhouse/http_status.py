"""Which HTTP status goes with which of ClickHouse's error codes.

After exceptionCodeToHTTPStatus in ClickHouse's own HTTP handler, for the codes that clients of this door can meet.
"""

UNAUTHORIZED = (194,)
FORBIDDEN = (192, 193, 497, 512, 516)
NOT_FOUND = (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 336)
BAD_REQUEST = (6, 25, 26, 27, 28, 36, 38, 41, 42, 43, 44, 53, 62, 69, 72, 117, 131, 321, 372, 373, 374, 427, 456)
STATUSES = {
    **dict.fromkeys(UNAUTHORIZED, 401),
    **dict.fromkeys(FORBIDDEN, 403),
    **dict.fromkeys(NOT_FOUND, 404),
    **dict.fromkeys(BAD_REQUEST, 400),
    48: 501,
    159: 408,
    202: 503,
    209: 503,
}


def status_of(code: int) -> int:
    """The status; 500 for every code that has none of its own."""
    return STATUSES.get(code, 500)
