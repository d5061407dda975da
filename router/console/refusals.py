"""What the page gets instead of an answer: a code and a sentence."""

from router.errors import ConfigError, RouterError


class ConsoleError(RouterError):
    """A request of the page that is refused: `code` is a stable word or a code RTnnn, `status` that of HTTP."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def as_refusal(error: RouterError) -> ConsoleError:
    """Return an error of the router for the page."""
    match error:
        case ConsoleError():
            return error
        case ConfigError():
            first = error.findings[0]
            return ConsoleError(first.code.id, f"the config has errors, which the view Edit shows: {first}", 422)
        case _:
            return ConsoleError("usage", str(error))
