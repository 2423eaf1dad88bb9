"""The directory that the settings name, read from its file once and told plainly where that cannot be done."""

from events.directory import DEFAULT, Directory
from events.directory_mistake import DirectoryError
from streams.settings import Settings


def directory_of(settings: Settings) -> Directory:
    """The built-in one where none is named. Raises `DirectoryError` with the file's name, or OSError when it cannot be read."""
    file = settings.directory
    if file is None:
        return DEFAULT
    try:
        return Directory.parse(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise DirectoryError(f"{file}: is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8 text") from error
    except DirectoryError as error:
        raise DirectoryError(f"{file}: {error}") from error
