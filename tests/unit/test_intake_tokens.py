"""Who may publish what: the token file, grants, rates, signatures, and the commands that keep them."""

import base64
import hashlib
import hmac
import re
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from events.contact import Contact
from events.event import Contacted, Event
from streams.cli import run
from streams.intake import register as register_module
from streams.intake.grant import Grant
from streams.intake.problem import Problem, Refusal
from streams.intake.rate_limiter import BURST_S, RateLimiter
from streams.intake.register import Register, register_of
from streams.intake.signature import MOST_IDS, SCHEMES, WINDOW_S, Deliveries, signature, verified
from streams.intake.token_file import TokenFileError, new_token, read
from streams.terminal.outcome import ExitCode

CONTACT = Contacted(0, "/riverside/helpdesk", "1")
KEY = b"k" * 32
SIGNER = Grant("abcdefgh", signing_key=KEY)
NOW_S = 1_795_442_602


def refusal_of(work: object) -> Refusal:
    with pytest.raises(Problem) as caught:
        work()  # type: ignore[operator]
    return caught.value.refusal


# -- grants ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("grant", "path"),
    [
        (Grant("a"), None),
        (Grant("a", types=("org.frontdesk.reply.v1",)), "$.type"),
        (Grant("a", sources=("/riverside/phone",)), "$.source"),
        (Grant("a", sources=("/riverside/phone", "/riverside/helpdesk")), None),
        (Grant("a", sources=("/riverside/*",)), None),
        (Grant("a", sources=("/river*",)), "$.source"),
        (Grant("a", districts=("lakeside",)), "$.data.district"),
        (Grant("a", districts=("lakeside", "riverside")), None),
    ],
)
def test_a_grant_covers_what_it_names(grant: Grant, path: str | None) -> None:
    assert grant.forbids("riverside", CONTACT) == path


@pytest.mark.parametrize(
    "source",
    [
        "/riverside/../lakeside/helpdesk",
        "/riverside/..",
        "/riverside/./x",
        "/riverside/",
        "/riverside//lakeside",
        "/riverside/%2e%2e/lakeside",
        "/riverside/x/..",
        "/riverside/a\\..\\b",
        "/riverside/a?b",
        "/riverside",
        "/riversidelakeside",
        "//riverside/x",
        "/Riverside/x",
    ],
)
def test_a_path_trick_is_not_below_a_source(source: str) -> None:
    event: Event = Contacted(0, source, "1")
    assert Grant("a", sources=("/riverside/*",)).forbids("riverside", event) == "$.source"


@pytest.mark.parametrize("source", ["/riverside/x", "/riverside/x/y.z", "/riverside/...", "/riverside/.x"])
def test_a_plain_path_is_below_a_source(source: str) -> None:
    assert Grant("a", sources=("/riverside/*",)).forbids("riverside", Contacted(0, source, "1")) is None


# -- the register ------------------------------------------------------------------------------------------------------
def test_a_token_is_found_by_its_secret_only() -> None:
    (token_id, token, sha256), (other_id, other, _) = new_token(), new_token()
    register = Register({token_id: Grant(token_id, digest=bytes.fromhex(sha256)), "zzzzzzzz": Grant("zzzzzzzz", signing_key=KEY)})
    assert register.of_token(token) == register.grants[token_id]
    secret = token.split("_", 2)[2]
    wrong = [
        other,
        f"fd_{token_id}_",
        f"fd_{token_id}",
        f"fd_{token_id}_{sha256}",
        f"fd_{other_id}_{secret}",
        f"FD_{token_id}_{secret}",
        token[:-1],
        f"{token} ",
        "fd_zzzzzzzz_",
        "fd__",
        "",
        "\udcff",
    ]
    assert [text for text in wrong if register.of_token(text)] == []


def test_a_wrong_token_is_compared_like_a_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One comparison of two digests, in constant time, whether or not there is such an id, and whatever it may do."""
    compared: list[tuple[int, int]] = []

    def digests(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(register_module, "hmac", SimpleNamespace(compare_digest=digests))
    token_id, token, sha256 = new_token()
    register = Register({token_id: Grant(token_id, digest=bytes.fromhex(sha256)), "zzzzzzzz": Grant("zzzzzzzz", signing_key=KEY)})
    for given in (token, f"fd_{token_id}_guess", new_token()[1], "fd_zzzzzzzz_guess", "nonsense", ""):
        register.of_token(given)
    assert compared == [(32, 32)] * 6


def test_only_who_has_a_key_signs() -> None:
    register = Register({"a": Grant("a", digest=b"x"), "b": Grant("b", signing_key=KEY)})
    assert register.of_signer("a") is None
    assert register.of_signer("b") == register.grants["b"]
    assert register.of_signer("c") is None


def test_a_grant_ends() -> None:
    grant = Grant("a", expires_at=1000)
    assert not grant.is_over(999)
    assert grant.is_over(1000)
    assert Grant("a", revoked=True).is_over(0)


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("tokens: [", "is no YAML"),
        ("tokens: [{id: abcdefgh}]", "neither sha256 nor signing_key"),
        ("tokens: [{id: Abc, sha256: HASH}]", "tokens.0.id"),
        ("tokens: [{id: abcdefgh, sha256: HASH, source: x}]", "tokens.0.source"),
        ("tokens: [{id: abcdefgh, sha256: HASH, types: [x]}]", "must be one of org.frontdesk"),
        ("tokens: [{id: abcdefgh, sha256: HASH, sources: ['/*/x']}]", "a star stands alone"),
        ("tokens: [{id: abcdefgh, sha256: HASH, expires: 2026-01-01T00:00:00}]", "timezone"),
        ("tokens: [{id: abcdefgh, sha256: HASH}, {id: abcdefgh, sha256: HASH}]", "stands twice"),
    ],
)
def test_a_file_with_a_mistake_says_where(content: str, hint: str, tmp_path: Path) -> None:
    file = tmp_path / "tokens.yaml"
    file.touch(0o600)
    file.write_text(content.replace("HASH", "a" * 64))
    with pytest.raises(TokenFileError, match=re.escape(hint)):
        register_of(file)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tokens.yaml"
    file.write_text("tokens: []")
    file.chmod(0o640)
    with pytest.raises(TokenFileError, match="chmod 600"):
        read(file)


def test_a_file_that_is_not_there_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(TokenFileError, match="frontdesk token create --file"):
        read(tmp_path / "tokens.yaml")


# -- rates -------------------------------------------------------------------------------------------------------------
def test_a_rate_holds_over_time_and_lets_bursts_pass() -> None:
    clock = [0.0]
    rate_limiter, grant = RateLimiter(lambda: clock[0]), Grant("a", rate=10)
    rate_limiter.ask(grant)
    rate_limiter.charge(grant, int(10 * BURST_S) + 50)
    with pytest.raises(Problem) as caught:
        rate_limiter.ask(grant)
    assert caught.value.headers["Retry-After"] == "6"
    clock[0] = 4.9
    assert refusal_of(lambda: rate_limiter.ask(grant)) is Refusal.TOO_FAST
    clock[0] = 6.0
    rate_limiter.ask(grant)
    rate_limiter.ask(Grant("b", rate=1))


def test_no_rate_is_no_limit() -> None:
    rate_limiter = RateLimiter(lambda: 0.0)
    for _ in range(1000):
        rate_limiter.ask(Grant("a"))
        rate_limiter.charge(Grant("a"), 1_000_000)


# -- signatures --------------------------------------------------------------------------------------------------------
def signed(body: bytes = b"{}", at: int = NOW_S, delivery: str = "msg-1") -> dict[str, str]:
    return {"webhook-id": delivery, "webhook-timestamp": str(at), "webhook-signature": signature(KEY, delivery, str(at), body)}


def test_a_signature_is_that_of_standard_webhooks() -> None:
    expected = base64.b64encode(hmac.new(KEY, b"msg-1.1795442602.{}", hashlib.sha256).digest()).decode()
    assert signed()["webhook-signature"] == f"v1,{expected}"
    assert verified(SIGNER, signed(), b"{}", NOW_S) == "msg-1"


def test_one_of_several_signatures_is_enough() -> None:
    headers = signed()
    assert verified(SIGNER, headers | {"webhook-signature": "v1a,xx v1,AAAA " + headers["webhook-signature"]}, b"{}", NOW_S)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg-2"},
        {"webhook-id": ""},
        {"webhook-timestamp": str(NOW_S + 1)},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "²"},
        {"webhook-timestamp": "1" * 11},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,no base64"},
        {"webhook-signature": signature(b"other" * 8, "msg-1", str(NOW_S), b"{}")},
    ],
)
def test_a_signature_of_something_else_is_bad(change: dict[str, str]) -> None:
    assert refusal_of(lambda: verified(SIGNER, signed() | change, b"{}", NOW_S)) is Refusal.BAD_SIGNATURE


def test_a_signature_of_another_body_or_time_or_without_a_key_is_bad() -> None:
    assert refusal_of(lambda: verified(SIGNER, signed(), b"{ }", NOW_S)) is Refusal.BAD_SIGNATURE
    for seconds in (WINDOW_S + 1, -WINDOW_S - 1):
        assert refusal_of(lambda: verified(SIGNER, signed(), b"{}", NOW_S + seconds)) is Refusal.BAD_SIGNATURE  # noqa: B023
    empty = {**signed(), "webhook-signature": signature(b"", "msg-1", str(NOW_S), b"{}")}
    assert refusal_of(lambda: verified(Grant("a"), empty, b"{}", NOW_S)) is Refusal.BAD_SIGNATURE


@pytest.mark.parametrize("scheme", SCHEMES)
def test_headers_that_are_no_text_are_a_bad_signature(scheme: str) -> None:
    """As aiohttp hands over bytes that are no UTF-8."""
    headers = Everything({"webhook-timestamp": str(NOW_S), "webhook-signature": "v1,AAAA"})
    assert refusal_of(lambda: SCHEMES[scheme](SIGNER, headers, b"{}", NOW_S)) is Refusal.BAD_SIGNATURE


class Everything(dict[str, str]):
    """Has a header of every name."""

    def get(self, name: str, _default: Any = "") -> Any:
        return super().get(name, "\udcff")


def test_a_delivery_is_taken_once_as_long_as_its_signature_lives() -> None:
    deliveries = Deliveries()
    assert deliveries.begin(SIGNER, "msg-1", NOW_S)
    assert refusal_of(lambda: deliveries.begin(SIGNER, "msg-1", NOW_S + 2 * WINDOW_S)) is Refusal.UNDER_WAY
    deliveries.accepted(SIGNER, "msg-1")
    assert not deliveries.begin(SIGNER, "msg-1", NOW_S + 2 * WINDOW_S)
    assert deliveries.begin(Grant("other"), "msg-1", NOW_S)
    deliveries.forget(SIGNER, "msg-1")
    assert deliveries.begin(SIGNER, "msg-1", NOW_S)


def test_the_memory_of_deliveries_has_an_end() -> None:
    deliveries = Deliveries()
    for number in range(MOST_IDS):
        deliveries.begin(SIGNER, str(number), NOW_S)
    assert refusal_of(lambda: deliveries.begin(SIGNER, "one more", NOW_S)) is Refusal.CROWDED
    deliveries.begin(SIGNER, "one more", NOW_S + 2 * WINDOW_S + 1)


# -- the commands ------------------------------------------------------------------------------------------------------
@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRONTDESK_INTAKE_TOKENS", str(tmp_path / "tokens.yaml"))
    return tmp_path / "tokens.yaml"


def test_a_token_is_made_shown_and_taken_back(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = ["token", "create", "--name", "help desk", "--source", "/riverside/*", "--district", "riverside", "--rate", "50"]
    assert run(made) == ExitCode.OK
    token = capsys.readouterr().out.strip()
    assert token.split("_", 2)[2] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    grant = register_of(file).of_token(token)
    assert grant is not None
    assert (grant.sources, grant.districts, grant.rate, grant.reads_metrics) == (("/riverside/*",), ("riverside",), 50.0, False)
    assert grant.forbids("riverside", CONTACT) is None

    assert run(["token", "list"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "help desk" in shown
    assert "in force" in shown

    assert run(["token", "create"]) == ExitCode.OK
    assert run(["token", "revoke", token]) == ExitCode.OK
    over = register_of(file).of_token(token)
    assert over is not None
    assert over.revoked
    assert len(register_of(file).grants) == 2


def test_a_signing_key_is_made(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["token", "create", "--signed", "--type", Contact.model_fields["type"].default]) == ExitCode.OK
    told = capsys.readouterr()
    [grant] = register_of(file).grants.values()
    assert base64.b64decode(told.out.strip().removeprefix("whsec_")) == grant.signing_key
    assert f"/events/signed?signer={grant.id}" in told.err.replace("\n", "")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["revoke", "aaaaaaaa"], "there is no token aaaaaaaa"),
        (["create", "--type", "x"], "must be one of"),
        (["create", "--source", "a b"], "sources"),
        (["create", "--days", "0"], "--days"),
    ],
)
def test_a_wrong_command_changes_nothing(arguments: list[str], hint: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["token", "create"])
    before = file.read_text()
    assert run(["token", *arguments]) == ExitCode.USAGE
    assert hint in capsys.readouterr().err
    assert file.read_text() == before


def test_no_file_is_a_mistake(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("FRONTDESK_INTAKE_TOKENS", raising=False)
    assert run(["token", "list"]) == ExitCode.USAGE
    assert "FRONTDESK_INTAKE_TOKENS" in capsys.readouterr().err


def test_without_tokens_the_intake_does_not_listen_to_others(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("FRONTDESK_INTAKE_TOKENS", raising=False)
    monkeypatch.setenv("FRONTDESK_INTAKE_HOST", "0.0.0.0")  # noqa: S104 - to see it refused
    assert run(["intake"]) == ExitCode.USAGE
    assert "listens on this machine only" in capsys.readouterr().err
