"""Finds files that seem to hold secrets, by their names and by their content, so that no package contains them."""

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from msgspec import Struct

from router.codes import SECRET_IN_PACKAGE
from router.errors import UsageError
from router.runtime.config.secret_values import find_secret

_FILES = (
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "id_rsa*",
    "id_ed25519*",
    "credentials*",
    "secrets.*",
)
_DATA_FILES = (
    "*.env",
    "*credentials",
    "*credentials.*",
    "*secret.*",
    "*secrets.*",
    "*.keystore",
    "*.kdbx",
    "kubeconfig*",
    "*rootkey*",
    "*accesskeys*",
    "*password*",
    "*passwd*",
    "*api_key*",
    "*apikey*",
    "*.tfstate",
    "*.tfvars",
    "service-account*",
    "service_account*",
)
"""Not for modules, which may have such names: their content is searched instead."""


class SecretFiles(Struct, frozen=True):
    """The files that must not be packed, except for those `allowed` by name, relative to the config's folder."""

    allowed: Sequence[str] = ()

    def require(self, folder: Path) -> None:
        """Raise UsageError for an allowed file that does not exist."""
        for name in self.allowed:
            if not (folder / name).is_file():
                raise UsageError(
                    f"--allow-file {name}: there is no such file in the config's folder, {folder}"
                )

    def reason(self, name: str) -> str:
        """Return why a file is left out for its name, or ""."""
        base = name.rpartition("/")[2].lower()
        patterns = _FILES if base.endswith(".py") else (*_FILES, *_DATA_FILES)
        if name in self.allowed or not any(fnmatch(base, pattern) for pattern in patterns):
            return ""
        return f"its name suggests credentials; --allow-file {name} packs it"

    def verify(self, content: bytes, name: str, compiled: bool = False) -> bytes:
        """Return the content of a file; raises UsageError, without the value, if it seems to hold a secret.

        What is `compiled` from a file of this name has other lines.
        """
        line = None if name in self.allowed else find_secret(content)
        if line is not None:
            where = name if compiled else f"{name}:{line}"
            advice = f"remove it, and use the role of the function; --allow-file {name} packs it as it is"
            raise UsageError(f"{where}: {SECRET_IN_PACKAGE.id} this looks like a secret: {advice}")
        return content
