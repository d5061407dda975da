"""Decides about a message as its `mood` says."""

from router import Drop, Message, Reject, Retry, hookimpl


@hookimpl
def router_transform_message(message: Message) -> None:
    """Raise the exception that the message names."""
    mood = message.data.get("mood") if isinstance(message.data, dict) else None
    match mood:
        case "drop":
            raise Drop("nobody wants it")
        case "reject":
            raise Reject("not this one")
        case "retry":
            raise Retry("not now")
        case "break":
            raise LookupError("a secret of the message")
