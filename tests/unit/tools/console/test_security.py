"""The console answers its own page only, and tells the browser what the page may do."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.console import RunningConsole, running_console

CONFIG = """\
version: 1
tables: {users: {key: {id: S}}}
routes: {users: {queue: users, table: users, item: {id: id}}}
"""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """A console of a small config."""
    folder = tmp_path_factory.mktemp("console")
    (folder / "routes.yaml").write_text(CONFIG, encoding="utf-8")
    with running_console(folder) as running:
        yield running


def test_the_page_of_the_printed_url(console: RunningConsole) -> None:
    """The URL with the token opens the page, and gives the browser a cookie that scripts and other sites do not get."""
    reply = console.request("GET", f"/?token={console.token}", {"Cookie": None, "Origin": None})

    cookie = f"{console.cookie}; Path=/; HttpOnly; SameSite=Strict"
    assert (reply.status, reply.headers["Content-Type"], reply.headers["Set-Cookie"]) == (
        200,
        "text/html; charset=utf-8",
        cookie,
    )


def test_the_page_by_a_link(console: RunningConsole) -> None:
    """A link elsewhere, such as a terminal in the browser shows, opens the page with the token."""
    headers = {"Cookie": None, "Origin": None, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    assert console.request("GET", f"/?token={console.token}", headers).status == 200


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        pytest.param("GET", "/", {"Cookie": None}, id="no token"),
        pytest.param("GET", "/?token=", {"Cookie": None}, id="an empty token"),
        pytest.param("GET", "/?token=x", {}, id="another token"),
        pytest.param("GET", "/static/app.js", {"Cookie": None}, id="a file without a cookie"),
        pytest.param("POST", "/api/setting", {"Cookie": None}, id="a call without a cookie"),
        pytest.param("POST", "/api/setting", {"Cookie": "router-console-1=x"}, id="the cookie of another port"),
        pytest.param("POST", "/api/setting", {"Cookie": "\x7f=;;,"}, id="a malformed cookie"),
        pytest.param("GET", "/", {"Host": "evil.example"}, id="another host, as with DNS rebinding"),
        pytest.param("GET", "/", {"Host": "127.0.0.1"}, id="another port"),
        pytest.param("GET", "/", {"Host": None}, id="no host"),
        pytest.param("POST", "/api/setting", {"Origin": "http://evil.example"}, id="another origin"),
        pytest.param("POST", "/api/setting", {"Origin": "http://127.0.0.1:1"}, id="the origin of another port"),
        pytest.param("POST", "/api/setting", {"Origin": "null"}, id="an opaque origin"),
        pytest.param("POST", "/api/setting", {"Origin": None}, id="a call without an origin"),
        pytest.param("GET", "/", {"Origin": "http://evil.example"}, id="a page of another origin"),
        pytest.param("GET", "/static/app.js", {"Sec-Fetch-Site": "same-site"}, id="a file for another port"),
        pytest.param("POST", "/api/setting", {"Sec-Fetch-Site": "cross-site"}, id="a call of another site"),
    ],
)
def test_refused(console: RunningConsole, method: str, path: str, headers: dict[str, Any]) -> None:
    """What is not the console's own page, at its own address, with its token, gets nothing."""
    reply = console.request(method, path, headers)

    # The server itself answers 400 to a request without a host.
    assert (reply.status in (400, 403), b"html" in reply.body, "Set-Cookie" in reply.headers) == (True, False, False)


@pytest.mark.parametrize("other", ['prefs={"a": 1}', "x", "a=b=c", "é=é", "", "PORT=of another path"])
@pytest.mark.parametrize("is_first", [True, False])
def test_cookies_of_other_programs(console: RunningConsole, other: str, is_first: bool) -> None:
    """They are sent to all ports of an address, and may have any form."""
    pairs = [other.replace("PORT", f"router-console-{console.port}"), console.cookie]

    reply = console.request("POST", "/api/setting", {"Cookie": "; ".join(pairs if is_first else pairs[::-1])}, "{}")

    assert reply.status == 200


def test_a_page_without_its_script(console: RunningConsole) -> None:
    """It says what to do, in a text that the script replaces."""
    page = console.request("GET", "/", {}).body.decode()

    sentence = (
        "If this text stays, the script of the page did not start: "
        "allow cookies here, and open the URL that router console printed."
    )
    assert f'<p id="setting">{sentence}</p>' in page


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", None])
def test_a_body_of_another_type(console: RunningConsole, kind: str | None) -> None:
    """A form of another page can send some types without asking; a call takes JSON only."""
    reply = console.request("POST", "/api/setting", {"Content-Type": kind}, "{}")

    expected = {"code": "not_json", "message": "a request has the Content-Type application/json"}
    assert (reply.status, reply.json) == (415, expected)


def test_headers(console: RunningConsole) -> None:
    """Each response, a refusal too, forbids what a message could make a page do."""
    replies = [
        console.request("GET", "/static/app.js", {}),
        console.call("setting"),
        console.request("GET", "/", {"Cookie": None}),
        console.request("GET", "/nothing", {}),
    ]

    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    expected = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    assert [{name: reply.headers[name] for name in expected} for reply in replies] == [expected] * 4


def test_the_nonce_of_styles(console: RunningConsole) -> None:
    """The nonce of the page is in its policy, for styles only, and another one each time."""
    replies = [console.request("GET", "/", {}) for _ in range(2)]

    nonces = [reply.headers["Content-Security-Policy"].partition("'nonce-")[2].partition("'")[0] for reply in replies]
    policies = [reply.headers["Content-Security-Policy"] for reply in replies]
    assert (
        [f'content="{nonce}"' in reply.body.decode() for nonce, reply in zip(nonces, replies, strict=True)],
        len({*nonces}),
        ["script-src 'self'; style-src 'self' 'nonce-" in policy for policy in policies],
    ) == ([True, True], 2, [True, True])


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static/nothing.js", "/routes.yaml"]
)
def test_no_other_files(console: RunningConsole, path: str) -> None:
    """Only the files of the page are served."""
    assert console.request("GET", path, {}).status == 404


def test_a_call(console: RunningConsole) -> None:
    """A call is answered by JSON."""
    reply = console.call("setting")

    expected = {"config": "routes.yaml", "is_there": True, "target": "files", "writes": False}
    assert (reply.status, reply.headers["Content-Type"], reply.json) == (200, "application/json", expected)


def test_a_malformed_call(console: RunningConsole) -> None:
    """A body that is not as a call takes it is an error with a code."""
    reply = console.request("POST", "/api/setting", {}, "{")

    assert (reply.status, reply.json) == (
        400,
        {"code": "bad_request", "message": "the body of setting is not as it should be: Input data was truncated"},
    )


def test_a_body_without_end(console: RunningConsole) -> None:
    """A body that is too large is refused."""
    reply = console.request("POST", "/api/setting", {}, json.dumps("x" * (33 * 1024 * 1024)))

    assert (reply.status, reply.json["code"]) == (413, "too_large")


EARLY_INTERRUPT = """
import runpy, signal, sys, uvicorn.server
run = uvicorn.server.asyncio_run
def interrupted(coroutine, **options):
    signal.raise_signal(signal.SIGINT)
    return run(coroutine, **options)
uvicorn.server.asyncio_run = interrupted
sys.argv = ["router", "console", "--no-browser"]
runpy.run_module("router", run_name="__main__")
"""


def test_an_interrupt_while_it_starts(tmp_path: Path) -> None:
    """Ctrl-C before the server runs ends it all the same, without a warning of Python."""
    (tmp_path / "routes.yaml").write_text(CONFIG, encoding="utf-8")

    done = subprocess.run([sys.executable, "-c", EARLY_INTERRUPT], cwd=tmp_path, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "Ctrl-C ends the console\n")


def test_the_end(tmp_path: Path) -> None:
    """Ctrl-C ends the command, without a traceback."""
    (tmp_path / "routes.yaml").write_text(CONFIG, encoding="utf-8")

    with running_console(tmp_path) as console:
        console.process.send_signal(signal.SIGINT)
        code = console.process.wait(60)

    assert (code, (tmp_path / "console.log").read_text()) == (0, "Ctrl-C ends the console\n")
