"""Directory files: the one that the settings name, or any other, told plainly where one cannot be used."""

from pathlib import Path

from events.directory import DEFAULT, Directory
from events.directory_mistake import DirectoryError
from streams.settings import Settings


def directory_of(settings: Settings) -> Directory:
    """The built-in one where none is named. Raises as `parsed` does."""
    return DEFAULT if settings.directory is None else parsed(settings.directory)


def parsed(file: Path) -> Directory:
    """The directory in a file. Raises `DirectoryError` with the file's name, or OSError when it cannot be read."""
    try:
        return Directory.parse(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise DirectoryError(f"{file}: is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8 text") from error
    except DirectoryError as error:
        raise DirectoryError(f"{file}: {error}") from error
