"""The Lambda runtimes as platforms: their wheel tags and environment markers.

Runtimes and their systems: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
The C library of Amazon Linux 2 and 2023: https://docs.aws.amazon.com/linux/al2023/ug/glibc-gcc-and-binutils.html
"""

from typing import Literal

from msgspec import Struct

Arch = Literal["arm64", "x86_64"]
Python = Literal["3.11", "3.12", "3.13", "3.14"]

ARCHES: tuple[Arch, ...] = ("arm64", "x86_64")
PYTHONS: tuple[Python, ...] = ("3.11", "3.12", "3.13", "3.14")

_MACHINES: dict[Arch, str] = {"arm64": "aarch64", "x86_64": "x86_64"}
# The oldest glibc with a manylinux tag, and the tags from before they had numbers (PEP 600).
_OLDEST_GLIBC: dict[Arch, int] = {"arm64": 17, "x86_64": 5}
_LEGACY_TAGS = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_AMAZON_LINUX_2: frozenset[Python] = frozenset(["3.11"])


class Target(Struct, frozen=True):
    """A runtime of Lambda on one of its architectures."""

    arch: Arch
    python: Python

    def __str__(self) -> str:
        """The target in a sentence: `python3.13 on arm64`."""
        return f"{self.runtime} on {self.arch}"

    @property
    def runtime(self) -> str:
        """Lambda's name of the runtime."""
        return f"python{self.python}"

    @property
    def machine(self) -> str:
        """The processor as Linux and wheel tags name it."""
        return _MACHINES[self.arch]

    @property
    def system(self) -> str:
        """The operating system of the runtime."""
        return "Amazon Linux 2" if self.python in _AMAZON_LINUX_2 else "Amazon Linux 2023"

    @property
    def glibc(self) -> int:
        """The minor version of its glibc 2."""
        return 26 if self.python in _AMAZON_LINUX_2 else 34

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platform tags of the wheels that run there, the best first (PEP 600)."""
        tags = []
        for minor in range(self.glibc, _OLDEST_GLIBC[self.arch] - 1, -1):
            tags.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in _LEGACY_TAGS:
                tags.append(f"{_LEGACY_TAGS[minor]}_{self.machine}")
        return (*tags, f"linux_{self.machine}")

    @property
    def interpreter(self) -> str:
        """The tag of its interpreter: `cp313`."""
        return f"cp{self.python.replace('.', '')}"

    @property
    def markers(self) -> dict[str, str]:
        """The values of environment markers there (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }
