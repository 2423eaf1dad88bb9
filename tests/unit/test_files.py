"""Files that people name: YAML that says too much, secrets that others can read, links in the place of a lock."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from events import yaml_text
from events.directory_mistake import DirectoryError
from events.yaml_text import DEEPEST, MOST_BYTES, PLAIN, TooMuch, UnreadableYaml, loaded, said
from streams.directory import parsed
from streams.files import FileRefused, read_secret
from streams.intake.hook import hooks_of
from streams.intake.register import register_of
from streams.intake.token_file import TokenFileError, rewriting
from streams.mapping.expression import MappingError, key_of
from streams.mapping.mapping import read_mapping
from streams.settings import Settings

ROOT = Path(__file__).parents[2]


def bomb(levels: int, times: int = 9) -> str:
    """Lists of the list before, each `times` times: `times` to the power of `levels` texts."""
    lines = ["a0: &a0 [" + ", ".join(["lol"] * times) + "]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * times) + "]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def merges(levels: int) -> str:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    return "\n".join(lines + [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}, *a{n - 1}]}}" for n in range(1, levels)]) + "\n"


TOO_MUCH = {
    "a bomb": bomb(9),
    "a small bomb": bomb(5),
    "merges of merges": merges(30),
    "one long text again and again": "a: &a " + "x" * 1_000_000 + "\nb: [" + ", ".join(["*a"] * 10_000) + "]\n",
    "brackets": "[" * 200_000,
    "braces": "{a: " * 200_000,
    "dashes": "- " * 5_000 + "x",
    "as deep as can be closed": "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
    "megabytes": "# " + "x" * MOST_BYTES,
}


@pytest.mark.parametrize("loader", [PLAIN, yaml_text.TYPED, yaml.BaseLoader], ids=["directory", "others", "slow"])
@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_text_that_says_too_much_is_refused_at_once(name: str, loader: object) -> None:
    begun = time.process_time()
    with pytest.raises((TooMuch, UnreadableYaml)):
        loaded(TOO_MUCH[name], loader)
    assert time.process_time() - begun < 5


READERS: dict[str, tuple[Callable[[Path], object], type[Exception]]] = {
    "directory": (parsed, DirectoryError),
    "mapping": (read_mapping, MappingError),
    "tokens": (register_of, TokenFileError),
    "hooks": (lambda file: hooks_of(Settings(intake_hooks=file.parent)), MappingError),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", ["a bomb", "brackets", "merges of merges"])
def test_every_file_of_yaml_is_read_within_bounds(name: str, reader: str, tmp_path: Path) -> None:
    (file := tmp_path / "x.yaml").write_text(TOO_MUCH[name], "utf-8")
    file.chmod(0o600)
    read, wrong = READERS[reader]
    begun = time.process_time()
    with pytest.raises(wrong):
        read(file)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("reader", ["directory", "mapping", "tokens"])
def test_a_file_without_end_is_not_read_to_its_end(reader: str, tmp_path: Path) -> None:
    (file := tmp_path / "x.yaml").touch(0o600)
    os.truncate(file, MOST_BYTES << 10)  # holes: of no size on the disk
    read, wrong = READERS[reader]
    with pytest.raises((wrong, FileRefused), match="bytes"):
        read(file)


@pytest.mark.parametrize(
    "odd", ["a: 2026-13-45", "a: 1" + "0" * 5_000, "a: 2026-01-01T99:99:99Z", "a: !!int x", "? [a]\n: b", "a: \x00", "a: 0x", "a: 1:99"]
)
def test_a_value_that_is_not_what_it_looks_like_is_told(odd: str, tmp_path: Path) -> None:
    (file := tmp_path / "x.yaml").write_text(odd, "utf-8")
    file.chmod(0o600)
    for read, wrong in READERS.values():
        with pytest.raises(wrong):
            read(file)


def test_hours_that_are_written_once_may_be_meant_often() -> None:
    week = "week: &week\n" + "".join(f"  {day}: [08:00-12:00, 13:00-16:00]\n" for day in ("monday", "tuesday", "wednesday"))
    told = said(week + "schools:\n" + "".join(f"  s{n}: {{name: School {n}, hours: *week}}\n" for n in range(1_000)))
    assert told["schools"]["s999"]["hours"] == told["week"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("aé1-:#'\"[]{}&*! ", max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc ", max_size=5), inner, max_size=3),
        max_leaves=30,
    )
)
def test_what_was_written_is_what_is_said(content: object) -> None:
    assert said(yaml.safe_dump(content, allow_unicode=True)) == content


def test_yaml_is_read_in_one_place() -> None:
    readers = {
        str(file.relative_to(ROOT))
        for room in ("events", "projections", "sinks", "streams", "deploy")
        for file in (ROOT / room).rglob("*.py")
        if any(
            word in file.read_text("utf-8")
            for word in ("yaml.safe_load", "yaml.load", "yaml.compose", "get_single_node", "construct_document")
        )
    }
    assert readers == {"events/yaml_text.py"}


def test_check_of_a_bomb_is_over_in_seconds(tmp_path: Path) -> None:
    (file := tmp_path / "bomb.yaml").write_text(bomb(9), "utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "streams.cli", "directory", "check", file], capture_output=True, text=True, timeout=60, check=False
    )
    assert checked.returncode == 2
    assert f"{file}: line 1: says by aliases over 10 times as much as is written; write less" in checked.stderr


# -- secrets -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o666, 0o601])
def test_a_secret_that_others_have_rights_for_is_refused(mode: int, tmp_path: Path) -> None:
    (file := tmp_path / "key").write_bytes(b"an invented key, 32 bytes long..")
    (link := tmp_path / "link").symlink_to(file)
    file.chmod(mode)
    for read in (key_of, read_secret, lambda each: hooks_of(Settings(intake_hooks=tmp_path, pseudonym_key=each))):
        for each in (file, link):
            with pytest.raises(FileRefused, match=f"chmod 600 {each}"):
                read(each)
    file.chmod(0o600)
    assert key_of(link) == read_secret(file)
    file.chmod(0o400)
    assert key_of(file)


def test_a_secret_is_small(tmp_path: Path) -> None:
    (file := tmp_path / "key").touch(0o600)
    os.truncate(file, 1 << 30)
    with pytest.raises(FileRefused, match="bytes"):
        key_of(file)


def test_the_lock_of_the_tokens_empties_nothing_that_a_link_leads_to(tmp_path: Path) -> None:
    (victim := tmp_path / "victim").write_text("of somebody")
    (tmp_path / ".tokens.yaml.lock").symlink_to(victim)
    with pytest.raises(TokenFileError, match="is a link"), rewriting(tmp_path / "tokens.yaml"):
        pass
    assert victim.read_text() == "of somebody"
    assert not (tmp_path / "tokens.yaml").exists()


def test_the_lock_is_of_its_owner(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with rewriting(tmp_path / "tokens.yaml"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / ".tokens.yaml.lock").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "tokens.yaml").stat().st_mode & 0o777 == 0o600
