"""Values of messages, invented: the same for the same random numbers."""

import string
from random import Random
from typing import Any


def word(random: Random, length: int = 8) -> str:
    return "".join(random.choices(string.ascii_lowercase, k=length))


def token(random: Random, length: int = 24) -> str:
    """An id of letters and digits."""
    return "".join(random.choices(string.ascii_letters + string.digits, k=length))


def digits(random: Random, length: int) -> str:
    return str(random.randrange(10 ** (length - 1), 10**length))


def hexadecimal(random: Random, length: int = 32) -> str:
    return f"{random.getrandbits(4 * length):0{length}x}"


def uuid(random: Random) -> str:
    text = hexadecimal(random)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def time(random: Random, end: str = "Z", fraction: int = 0) -> str:
    """A time of 2026 with so many digits of a fraction, and the offset `end`."""
    date = f"2026-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
    clock = f"{random.randint(0, 23):02}:{random.randint(0, 59):02}:{random.randint(0, 59):02}"
    part = f".{random.randrange(10**fraction):0{fraction}}" if fraction else ""
    return f"{date}T{clock}{part}{end}"


def seconds(random: Random) -> int:
    """A time of 2026, as Unix has it."""
    return random.randrange(1_767_225_600, 1_798_761_600)


def address(random: Random) -> str:
    return ".".join(str(random.randint(1, 254)) for _ in range(4))


def sometimes(random: Random, value: Any, share: float = 0.5) -> Any:
    """A value, or null."""
    return value if random.random() < share else None


def optional(random: Random, share: float = 0.5, **members: Any) -> dict[str, Any]:
    """Members that are there together, or not at all."""
    return members if random.random() < share else {}
