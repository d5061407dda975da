"""Finds files that seem to hold secrets, by their names and by their content, so that no package contains them.

Tokens have the documented prefixes of their issuers:
https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html, for example.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from msgspec import Struct

from router.codes import SECRET_IN_PACKAGE
from router.errors import UsageError

_FILES = ("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "id_rsa*", "id_ed25519*", "credentials*", "secrets.*")
_DATA_FILES = (
    *("*.env", "*credentials", "*credentials.*", "*secret.*", "*secrets.*", "*.keystore", "*.kdbx", "kubeconfig*"),
    *("*rootkey*", "*accesskeys*", "*password*", "*passwd*", "*api_key*", "*apikey*", "*.tfstate", "*.tfvars"),
    *("service-account*", "service_account*"),
)
"""Not for modules, which may have such names: their content is searched instead."""
_NAMED = rb"(?:password|passwd|secret|api_?key|access_?token|auth_?token|token)"
_SECRETS = re.compile(
    b"|".join(
        (
            rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b(?<!EXAMPLE)",
            rb"(?i:secret_?access_?key)[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])(?<!EXAMPLEKEY)",
            rb"-----BEGIN [A-Z ]*PRIVATE KEY-----",
            rb"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{40}|\bglpat-[A-Za-z0-9_-]{20}",
            rb"\bxox[abeprs]-[A-Za-z0-9-]{20}|\b[rs]k_live_[A-Za-z0-9]{16}|\bAIza[A-Za-z0-9_-]{35}",
            rb"\bnpm_[A-Za-z0-9]{36}|\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50}",
            rb"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'{}$<>]+:[^\s/:@\"'{}$<>]{6,}@",
            # A line of an environment file, whose values need no quotes.
            rb"(?m:^(?:export )?[A-Z0-9_]*(?:PASSWORD|PASSWD|SECRET|API_?KEY|TOKEN)=(?=\S*[0-9])[^\s\"'{}$<>]{8,}$)",
            # A value in quotes with letters and digits: a name or a type has no digits, a sentence has spaces.
            rb"(?i:" + _NAMED + rb")[\"']?\s*[:=]\s*([\"'])(?=[^\"']*[0-9])(?=[^\"']*[A-Za-z])[^\s\"'{}$<>]{12,}\1",
        )
    )
)


def find_secret(content: bytes) -> int | None:
    """Return the number of the first line that looks like a secret, or None."""
    found = _SECRETS.search(content)
    return None if found is None else content.count(b"\n", 0, found.start()) + 1


class SecretFiles(Struct, frozen=True):
    """The files that must not be packed, except for those `allowed` by name, relative to the config's folder."""

    allowed: Sequence[str] = ()

    def require(self, folder: Path) -> None:
        """Raise UsageError for an allowed file that does not exist."""
        for name in self.allowed:
            if not (folder / name).is_file():
                raise UsageError(f"--allow-file {name}: there is no such file in the config's folder, {folder}")

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
