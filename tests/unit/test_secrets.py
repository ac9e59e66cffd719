"""Secrets at rest: both ciphers, the key file, and what must not open."""

from __future__ import annotations

import copy
import json
import pickle
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from core.secrets import KeyMissing, Keyring, Secret, add_key, drop_old_keys, open_keyring

PLAIN = b"senha do assinante"
CONTEXT = b"ujoao"
RING = Keyring([Fernet.generate_key().decode()])
STRANGER = Keyring([Fernet.generate_key().decode()])


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param("{}".format, id="format"),
        pytest.param(lambda secret: f"{secret} {secret!r}", id="f-string"),
        pytest.param(lambda secret: "%s %r" % (secret, secret), id="percent"),  # noqa: UP031
        pytest.param(lambda secret: repr([secret, {"of": secret}]), id="inside other things"),
        pytest.param(lambda secret: json.dumps(secret, default=repr), id="json with a default"),
        pytest.param(lambda secret: repr(copy.deepcopy(secret)), id="copied"),
        pytest.param(lambda secret: repr(pickle.loads(pickle.dumps(secret))), id="pickled and back"),
    ],
)
def test_a_secret_shows_itself_nowhere(shown: object) -> None:
    assert callable(shown)
    text = shown(Secret("canary"))
    assert "canary" not in text
    assert "***" in text


def test_a_secret_is_revealed_on_request_and_compares_by_value() -> None:
    assert Secret("a").reveal() == "a"
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_a_keyring_shows_no_key(tmp_path: Path) -> None:
    ring = open_keyring(tmp_path / "keys")
    key = (tmp_path / "keys").read_text().strip()
    assert key not in repr(ring)
    assert "1 keys" in repr(ring)


@given(st.binary(max_size=300))
def test_encrypted_columns_come_back(plain: bytes) -> None:
    token = RING.encrypt(plain)
    assert RING.decrypt(token) == plain
    assert RING.encrypt(plain) != token, "equal values must not look equal in the database"


@given(st.binary(max_size=300), st.binary(max_size=64))
def test_sealed_values_come_back(plain: bytes, context: bytes) -> None:
    blob = RING.seal(plain, context)
    assert RING.unseal(blob, context) == plain
    assert RING.seal(plain, context) != blob
    assert len(blob) == 4 + 12 + len(plain) + 16


@given(st.data())
def test_a_sealed_value_that_was_changed_does_not_open(data: st.DataObject) -> None:
    blob = bytearray(RING.seal(PLAIN, CONTEXT))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(KeyMissing):
        RING.unseal(bytes(blob), CONTEXT)


@pytest.mark.parametrize("length", range(36))  # 4 + 12 + 4 + 16 are whole
def test_a_sealed_value_that_was_cut_off_does_not_open(length: int) -> None:
    with pytest.raises(KeyMissing):
        RING.unseal(RING.seal(b"1234", CONTEXT)[:length], CONTEXT)


@pytest.mark.parametrize(
    ("opener", "context", "reason"),
    [
        pytest.param(RING, b"umaria", "another record", id="moved to another record"),
        pytest.param(RING, b"", "another record", id="without its context"),
        pytest.param(STRANGER, CONTEXT, "no key", id="of another installation"),
    ],
)
def test_a_sealed_value_opens_only_where_it_belongs(opener: Keyring, context: bytes, reason: str) -> None:
    with pytest.raises(KeyMissing, match=reason):
        opener.unseal(RING.seal(PLAIN, CONTEXT), context)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(STRANGER.encrypt(PLAIN), id="of another installation"),
        pytest.param(RING.encrypt(PLAIN)[:-1], id="cut off"),
        pytest.param(b"", id="empty"),
        pytest.param(b"senha em claro", id="never encrypted"),
    ],
)
def test_a_token_of_no_key_is_refused(token: bytes) -> None:
    with pytest.raises(KeyMissing):
        RING.decrypt(token)
    with pytest.raises(KeyMissing):
        RING.rotate(token)


def test_the_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "made" / "keys"
    draft = tmp_path / "made" / "keys.new"
    draft.parent.mkdir()
    draft.touch(mode=0o644)  # left behind by somebody
    for step in (open_keyring, add_key, drop_old_keys):
        step(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, step.__name__
    assert [entry.name for entry in path.parent.iterdir()] == ["keys"]


def test_opening_again_gives_the_same_key(tmp_path: Path) -> None:
    token = open_keyring(tmp_path / "keys").encrypt(PLAIN)
    assert open_keyring(tmp_path / "keys").decrypt(token) == PLAIN


def test_a_new_key_encrypts_and_the_old_one_still_opens(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    before = open_keyring(path)
    token, blob = before.encrypt(PLAIN), before.seal(PLAIN, CONTEXT)
    old_alone = Keyring(path.read_text().split())

    after = add_key(path)
    assert after.decrypt(token) == PLAIN
    assert after.unseal(blob, CONTEXT) == PLAIN
    for newer in (after.encrypt(PLAIN), after.rotate(token)):
        with pytest.raises(KeyMissing):
            old_alone.decrypt(newer)
    with pytest.raises(KeyMissing):
        old_alone.unseal(after.seal(PLAIN, CONTEXT), CONTEXT)

    rotated = after.rotate(token)
    newest = drop_old_keys(path)
    assert newest.decrypt(rotated) == PLAIN
    with pytest.raises(KeyMissing):
        newest.decrypt(token)
    with pytest.raises(KeyMissing):
        newest.unseal(blob, CONTEXT)


def test_a_keyring_follows_its_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    running = open_keyring(path)
    old_alone = Keyring(path.read_text().split())
    running.encrypt(PLAIN)  # it knows the file as it is now
    elsewhere = add_key(path)
    assert running.decrypt(elsewhere.encrypt(PLAIN)) == PLAIN
    assert running.unseal(elsewhere.seal(PLAIN, CONTEXT), CONTEXT) == PLAIN
    add_key(path)
    newest_alone = Keyring(path.read_text().split()[:1])
    assert newest_alone.decrypt(running.encrypt(PLAIN)) == PLAIN, "it would outlive the key it was encrypted with"
    assert newest_alone.unseal(running.seal(PLAIN, CONTEXT), CONTEXT) == PLAIN
    path.unlink()
    assert running.decrypt(running.encrypt(PLAIN)) == PLAIN
    assert running.decrypt(old_alone.encrypt(PLAIN)) == PLAIN


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param("\n\n", "holds no key", id="empty"),
        pytest.param(f"{Fernet.generate_key().decode()}\nchave\n", "line 2", id="a line that is no key"),
    ],
)
def test_a_key_file_that_holds_no_keys_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "keys").write_text(content)
    with pytest.raises(KeyMissing, match=reason):
        open_keyring(tmp_path / "keys")


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    """Otherwise the last one to write would leave the others with a key that is in no file."""
    for path in (tmp_path / str(number) / "keys" for number in range(30)):
        with ThreadPoolExecutor(8) as threads:
            rings = list(threads.map(open_keyring, [path] * 8))
        path.unlink()  # so that no ring can follow the file
        token = rings[0].encrypt(PLAIN)
        assert [ring.decrypt(token) for ring in rings] == [PLAIN] * 8


def test_processes_that_add_keys_at_once_lose_none(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    open_keyring(path)
    add_twenty = f"import pathlib, core.secrets\nfor _ in range(20): core.secrets.add_key(pathlib.Path({str(path)!r}))"
    children = [subprocess.Popen([sys.executable, "-c", add_twenty]) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert len(set(path.read_text().split())) == 61
