"""Keys and region: the environment first, then botocore's chain."""

import pathlib
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from router.errors import MissingExtra, UsageError
from router.runtime.aws.calls import CallTimeout
from router.runtime.aws.http.signing import BotocoreKeys, Credentials, CredentialsError, find_credentials, find_region

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
NOW = CallTimeout(0)


@pytest.fixture
def profile(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text("[profile work]\nregion = eu-west-3\naws_access_key_id = p\naws_secret_access_key = q\n")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", *KEYS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_environment() -> None:
    """Keys of the environment are used, with a token if there is one."""
    assert (find_credentials(KEYS)(NOW), find_credentials({**KEYS, "AWS_SESSION_TOKEN": "t"})(NOW)) == (
        Credentials("a", "b"),
        Credentials("a", "b", "t"),
    )


@pytest.mark.usefixtures("profile")
def test_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_PROFILE takes precedence over keys in the environment."""
    monkeypatch.setenv("AWS_PROFILE", "work")
    env = {**KEYS, "AWS_PROFILE": "work"}
    assert (find_credentials(env)(NOW), find_region(env)) == (Credentials("p", "q"), "eu-west-3")


@pytest.mark.usefixtures("profile")
@pytest.mark.parametrize("env", [{}, {"AWS_ACCESS_KEY_ID": "a"}, {"AWS_SECRET_ACCESS_KEY": "b"}])
def test_none(env: dict[str, str]) -> None:
    """Without credentials, or with a half of them, an error is raised when a request is signed."""
    with pytest.raises(CredentialsError):
        find_credentials(env)(NOW)


@pytest.mark.usefixtures("profile")
def test_unknown_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that does not exist is an error of the environment."""
    monkeypatch.setenv("AWS_PROFILE", "absent")
    with pytest.raises(UsageError, match="absent"):
        find_credentials({"AWS_PROFILE": "absent"})


def test_region() -> None:
    """Lambda's own variable takes precedence."""
    assert (find_region({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}), find_region({"AWS_DEFAULT_REGION": "b"})) == (
        "a",
        "b",
    )


@pytest.mark.parametrize("name", [*KEYS, "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("value", ["key\n", "two keys", "kéy"])
def test_no_key(name: str, value: str) -> None:
    """The error about an invalid key names its variable, and does not show it."""
    with pytest.raises(
        UsageError, match=f"^{name} has a character that no key has; often that is a line break at its end$"
    ):
        find_credentials({**KEYS, name: value})


@pytest.mark.parametrize("region", ["eu west", "eu-west-1\n", "eu.west", "é", "e" * 64])
def test_region_that_is_none(region: str) -> None:
    """The error about an invalid region names the variable to set."""
    with pytest.raises(UsageError, match="is not a valid AWS region: set AWS_REGION"):
        find_region({"AWS_REGION": region})


@pytest.mark.usefixtures("profile")
def test_no_region() -> None:
    """Without a region the error names the variable to set."""
    with pytest.raises(UsageError, match="set AWS_REGION"):
        find_region({})


@pytest.mark.parametrize("module", ["botocore.session", "botocore.exceptions"])
def test_no_region_and_no_profiles(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without botocore too: the region is what is missing, not a package. Keys need it only where there are none."""
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(UsageError, match="there is no AWS region"):
        find_region({})
    with pytest.raises(MissingExtra, match="a profile or role for credentials needs more"):
        find_credentials({})
    assert (find_region({"AWS_REGION": "a"}), find_credentials(KEYS)(NOW)) == ("a", Credentials("a", "b"))


class Chain:
    """Credentials as botocore has them, that expire in some seconds; a refresh ends when the test says so."""

    def __init__(self, expires_in: float) -> None:
        self.expires_in = expires_in
        self.refreshes = 0
        self.threads: list[threading.Thread] = []
        """Those that read the keys."""
        self.go_on = threading.Event()
        self.error: Exception | None = None

    def refresh_needed(self, refresh_in: float = 900) -> bool:
        return self.expires_in < refresh_in

    def get_frozen_credentials(self) -> Any:
        self.threads.append(threading.current_thread())
        if self.refresh_needed():
            self.refreshes += 1
            self.go_on.wait(60)
            if self.error:
                raise self.error
            self.expires_in = 3600
        return SimpleNamespace(access_key=f"key {self.refreshes}", secret_key="s", token="t")


def test_refresh_in_time() -> None:
    """A call waits for the refresh of keys that expire soon."""
    chain = Chain(expires_in=0)
    chain.go_on.set()

    assert BotocoreKeys(chain)(CallTimeout(60)) == Credentials("key 1", "s", "t")


def test_refresh_hangs() -> None:
    """A call waits only as long as it has time; a second one waits for the same refresh."""
    chain = Chain(expires_in=0)
    keys = BotocoreKeys(chain)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            keys(CallTimeout(0.01))
    chain.go_on.set()

    assert (keys(CallTimeout(60)), chain.refreshes) == (Credentials("key 1", "s", "t"), 1)
    assert [thread.daemon for thread in chain.threads[:1]] == [True], "the process could not end meanwhile"


def test_refresh_of_keys_that_expire_soon_hangs() -> None:
    """They are not used any more: a request that is signed with them could come too late."""
    chain = Chain(expires_in=3600)
    keys = BotocoreKeys(chain)
    keys(CallTimeout(60))
    chain.expires_in = 500

    with pytest.raises(TimeoutError):
        keys(CallTimeout(0.01))
    chain.go_on.set()


def test_refresh_beside() -> None:
    """While keys are valid for some minutes, no call waits for their refresh."""
    chain = Chain(expires_in=3600)
    keys = BotocoreKeys(chain)
    first = keys(CallTimeout(60))
    chain.expires_in = 700

    second = keys(CallTimeout(0))

    chain.go_on.set()
    assert (first, second) == (Credentials("key 0", "s", "t"), Credentials("key 0", "s", "t"))
    assert chain.threads[0] is threading.current_thread()


def test_refresh_fails() -> None:
    """If keys that expire soon cannot be refreshed, there are none; the next call tries again."""
    chain = Chain(expires_in=0)
    chain.go_on.set()
    chain.error = ValueError("no role")
    keys = BotocoreKeys(chain)
    with pytest.raises(CredentialsError):
        keys(CallTimeout(60))
    chain.error = None

    assert keys(CallTimeout(60)) == Credentials("key 2", "s", "t")


def test_no_further_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are refreshed in a thread: without one, those there are go on, and without any the call is retried."""
    chain = SimpleNamespace(
        refresh_needed=lambda within=60: within < 300,
        get_frozen_credentials=lambda: SimpleNamespace(access_key="a", secret_key="b", token=""),
    )
    keys = BotocoreKeys(chain)

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(TimeoutError):
            keys(CallTimeout(1))
    first = keys(CallTimeout(1))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        second = keys(CallTimeout(1))

    assert first == second == Credentials("a", "b", "")
