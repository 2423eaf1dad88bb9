"""A past period as a file: its columns, its formats, where it goes, and the shares and scores of its tallies."""

from streams.export.column import CASES, INDICATORS, ExportColumn, Row
from streams.export.destination import destination
from streams.export.form import WRITERS, FileWriter, defused
from streams.export.indicators import Tallies, indicator_rows
from streams.export.period import MINUTE_MS, Period

__all__ = [
    "CASES",
    "INDICATORS",
    "MINUTE_MS",
    "WRITERS",
    "ExportColumn",
    "FileWriter",
    "Period",
    "Row",
    "Tallies",
    "defused",
    "destination",
    "indicator_rows",
]
