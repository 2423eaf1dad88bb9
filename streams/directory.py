"""Directory files: the one that the settings name, or any other, told plainly where one cannot be used."""

from pathlib import Path

from events.directory import DEFAULT, Directory
from events.directory_mistake import DirectoryError
from events.yaml_text import MOST_BYTES
from streams.files import FileRefused, read_bytes
from streams.settings import Settings


def directory_of(settings: Settings) -> Directory:
    """The built-in one where none is named. Raises as `parsed` does."""
    return DEFAULT if settings.directory is None else parsed(settings.directory)


def parsed(file: Path) -> Directory:
    """The directory in a file. Raises `DirectoryError` with the file's name, or OSError when it cannot be read."""
    try:
        return Directory.parse(read_bytes(file, MOST_BYTES).decode())
    except UnicodeDecodeError as error:
        raise DirectoryError(f"{file}: is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8 text") from error
    except FileRefused as error:
        raise DirectoryError(str(error)) from error
    except DirectoryError as error:
        raise DirectoryError(f"{file}: {error}") from error
