"""Where the page of a code is."""

from importlib.metadata import metadata

from router.model import Code
from router.tools.check.rule import known_codes


def page_of(code: Code) -> str:
    """Return the address of the page on the site of this distribution, or its path in the repository.

    It is "" for a code of a plugin.
    """
    if code.id not in known_codes():
        return ""
    distribution = metadata("message-router")
    urls = [text.partition(", ") for text in distribution.get_all("Project-URL") or ()]
    # A distribution that nobody has published has OWNER for the account in its addresses.
    sites = [url for name, _, url in urls if name == "Documentation" and "OWNER" not in url]
    if not sites:
        return f"docs/codes/{code.id}.md"
    return f"{sites[0].rstrip('/')}/{distribution['Version']}/codes/{code.id}.html"
