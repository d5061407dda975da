"""Where the page of a code is."""

from importlib.metadata import metadata

from router.model import Code
from router.tools.check.rule import known_codes


def page_of(code: Code) -> str:
    """Return the address of the page on the site of this distribution.

    It is "" for a code of a plugin, and for a distribution that nobody has published.
    """
    if code.id not in known_codes():
        return ""
    urls = [
        text.partition(", ") for text in metadata("message-router").get_all("Project-URL") or ()
    ]
    # A distribution that nobody has published has OWNER for the account in its addresses.
    sites = [url for name, _, url in urls if name == "Documentation" and "OWNER" not in url]
    return f"{sites[0].rstrip('/')}/codes/{code.id}.html" if sites else ""
