"""What other pages in the same browser cannot do to a console."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.support.console import RunningConsole, running_console

CONFIG = """\
version: 1
queues: {orders: {dead_letter: orders-dlq}}
tables: {orders: {key: {id: S}}}
routes: {orders: {queue: orders, table: orders}}
"""
ATTACK = """<!doctype html><title>attack</title><iframe src="ORIGIN/"></iframe><img src="ORIGIN/static/icon.svg">
<form method=post enctype=text/plain action="ORIGIN/api/setting" target=frame><input name='{"a":"' value='"}'></form>
<iframe name=frame></iframe><script src="ORIGIN/static/app.js"></script>"""


class Attacker(BaseHTTPRequestHandler):
    """A page of another origin, which a browser takes for the same site, since ports do not count."""

    page = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "routes.yaml").write_text(CONFIG)
    with running_console(folder) as running:
        yield running


@pytest.fixture
def attacker(console: RunningConsole) -> Iterator[str]:
    """The address of a page that attacks the console."""
    handler = type("AttackerOfOne", (Attacker,), {"page": ATTACK.replace("ORIGIN", console.origin).encode()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def context(browser: Browser, console: RunningConsole) -> Iterator[BrowserContext]:
    """A browser that has the cookie of the console."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(console.url)
    expect(page.get_by_role("tab", name="Edit")).to_be_visible()
    yield context
    context.close()


def test_a_page_of_another_origin(context: BrowserContext, console: RunningConsole, attacker: str) -> None:
    """It gets neither the page in a frame, nor an answer, nor a script, though the browser sends the cookie."""
    seen: dict[str, int | str] = {}
    page = context.new_page()
    page.on("response", lambda response: seen.update({response.url: response.status}))
    page.on("requestfailed", lambda request: seen.update({request.url: request.failure or ""}))
    page.goto(attacker)
    asked = (
        "([url, mode]) => fetch(url, {method: 'POST', credentials: 'include', body: '{}', mode}).then(() => 'answered')"
    )
    caught = f"{asked}.catch(error => error.name)"
    answers = [page.evaluate(caught, [f"{console.origin}/api/setting", mode]) for mode in ("cors", "no-cors")]
    with page.expect_response(f"{console.origin}/api/setting") as posted:
        page.evaluate("document.forms[0].submit()")

    asked_for = {url.removeprefix(console.origin): what for url, what in seen.items() if url.startswith(console.origin)}
    assert (answers, posted.value.status) == (["TypeError", "TypeError"], 403)
    assert asked_for == {
        "/": "net::ERR_BLOCKED_BY_RESPONSE",
        "/static/icon.svg": "net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin",
        "/static/app.js": "net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin",
        "/api/setting": 403,
    }
    assert [frame.get_by_role("tab").count() for frame in page.frames] == [0, 0, 0]


def test_another_name_of_the_loopback_address(browser: Browser, console: RunningConsole) -> None:
    """A name that leads to the console (DNS rebinding) is not one of its addresses, even with the token."""
    context = browser.new_context()
    page = context.new_page()

    response = page.goto(console.url.replace("127.0.0.1", "rebound.example"))

    assert response is not None
    assert (response.status, response.text()) == (403, "this is not the address of the console\n")
    context.close()


@pytest.mark.parametrize("path", ["/", "/?token=wrong"])
def test_no_token(browser: Browser, console: RunningConsole, path: str) -> None:
    """Without the token there is nothing to see."""
    context = browser.new_context()
    page = context.new_page()

    response = page.goto(f"{console.origin}{path}")

    assert response is not None
    assert (response.status, "router console printed" in response.text()) == (403, True)
    context.close()
