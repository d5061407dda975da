"""Links a schema document to the files it refers to, through jsonschema-rs."""

import contextlib
import pathlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urldefrag, urlsplit

from router.codes import declare
from router.runtime.config.findings import ConfigFault
from router.runtime.program.schemas.documents import (
    ASSERTED_SINCE,
    SchemaDocument,
    SchemaError,
    invalid,
    pointer,
    unsupported,
    value_at,
)
from router.runtime.program.schemas.references import (
    Locations,
    bases_of,
    own_base,
    references_of,
)

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

UNRESOLVED_REFERENCE = declare(
    "RT303",
    "reference that cannot be resolved",
    "A $ref is read from the folder of the config and from nowhere else, so that a "
    "deployment is whole and a schema "
    "cannot read other files or the network.",
)

PREFIX = "https://config.invalid"
"""Prefix of a file's path that makes it a URI.

The host name is reserved (RFC 2606) and never exists.
"""
_FILES_ONLY = "only files of the config's folder are read"

Refer = Callable[[pathlib.Path], SchemaDocument]
"""Returns the document in a file that a reference names; raises Unresolved."""


class Unresolved(Exception):
    """Raised for a file that cannot be referred to.

    `reason` is empty if the fault is reported already.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def uri_of(file: pathlib.Path) -> str:
    """Return the URI of a file by its absolute path."""
    return PREFIX + quote(file.as_posix())


class Linker:
    """Links one document.

    `reached` are the documents that it refers to, by URI, itself first.
    """

    def __init__(self, root: SchemaDocument, refer: Refer) -> None:
        self.reached = {root.uri: root}
        self._root = root
        self._refer = refer
        self._refused: dict[str, str] = {}

    def link(self) -> "Validator":
        """Return the validator of the document; raises SchemaError."""
        # Up to 50 ms: a config without schemas does not import it.
        from jsonschema_rs import ValidationError

        try:
            validator = self._validator(self._root.draft)
            oldest = self._oldest()
            return validator if oldest == self._root.draft else self._validator(oldest)
        except ValidationError as error:
            raise SchemaError(*self._faults(error)) from None

    def build(self, schema: Any, uri: str, contents: Mapping[str, Any]) -> "Validator":
        """A validator of another schema at `uri`, with these contents in place of the
        documents'; raises ValueError.
        """
        return make_validator(schema, uri, contents.__getitem__, self._oldest())

    def _oldest(self) -> int:
        return min(document.draft for document in self.reached.values())

    def _validator(self, draft: int) -> "Validator":
        # With a retriever, the library reads no file and makes no request itself.
        return make_validator(self._root.content, self._root.uri, self._retrieve, draft)

    def _retrieve(self, uri: str) -> Any:
        """Return the content of the document at `uri`.

        Raises Unresolved, and keeps the reason.
        """
        try:
            if uri not in self.reached:
                self.reached[uri] = self._refer(self._file(uri))
        except Unresolved as error:
            self._refused[uri] = error.reason
            raise
        return self.reached[uri].content

    def _file(self, uri: str) -> pathlib.Path:
        if uri.startswith(PREFIX + "/"):
            return pathlib.Path(unquote(urlsplit(uri).path))
        # References of a document with an $id are relative to it: files beside the
        # document are found there.
        for document in self.reached.values():
            published = own_base(document).rpartition("/")[0] + "/"
            if uri.startswith(published) and published != "/":
                return document.folder / unquote(uri.removeprefix(published))
        raise Unresolved(_FILES_ONLY)

    def _faults(self, error: "ValidationError") -> list[ConfigFault]:
        from jsonschema_rs import ValidationErrorKind

        if isinstance(error.kind, ValidationErrorKind.Referencing):
            return self._unresolved()
        path = error.instance_path
        named = (
            document.name
            for document in self.reached.values()
            if value_at(document.content, path) == error.instance
        )
        name = next(named, self._root.name)
        if getattr(error.kind, "format", "") == "regex":
            return [unsupported(path, name)]
        return [invalid(path, error.kind.name, name)]

    def _unresolved(self) -> list[ConfigFault]:
        """Return a fault for every unresolved reference.

        The library stops at the first.
        """
        self._retrieve_all()
        locations = Locations(self.reached.values())
        faults = []
        for document in self.reached.values():
            for reference in references_of(document):
                reason = self._refused.get(urldefrag(reference.target).url)
                if reason is None and locations.find(reference.target) is None:
                    reason = "there is nothing at that place"
                if reason:
                    at = (
                        f"{document.name} refers to '{reference.text}' at {pointer(reference.path)}"
                    )
                    faults.append(ConfigFault(UNRESOLVED_REFERENCE, f"{at}: {reason}"))
        if not faults and not self._refused:
            faults.append(
                ConfigFault(
                    UNRESOLVED_REFERENCE,
                    f"{self._root.name} has an $id, a $schema or a reference that cannot "
                    "be resolved",
                )
            )
        return faults

    def _retrieve_all(self) -> None:
        """Retrieve the documents that the library did not reach."""
        waiting = list(self.reached.values())
        known = set[str]().union(*map(bases_of, waiting))
        for document in waiting:
            for reference in references_of(document):
                url = urldefrag(reference.target).url
                if url in known or url in self.reached or url in self._refused:
                    continue
                with contextlib.suppress(Unresolved):
                    self._retrieve(url)
                    waiting.append(self.reached[url])


def make_validator(
    content: Any, uri: str, retrieve: Callable[[str], Any], draft: int
) -> "Validator":
    """Return the validator of a schema at a URI that asserts the formats of all drafts
    from `draft` on.
    """
    from jsonschema_rs import RegexOptions, validator_for

    return validator_for(
        content,
        base_uri=uri,
        retriever=retrieve,
        formats=missing_formats(draft),
        validate_formats=True,
        pattern_options=RegexOptions(),
    )


@cache
def missing_formats(draft: int) -> dict[str, Callable[[object], bool]]:
    """Return validators for the formats that jsonschema-rs does not assert in `draft`:
    those of its latest draft.
    """
    # Up to 50 ms: a config without schemas does not import it.
    from jsonschema_rs import Draft202012Validator

    return {
        name: Draft202012Validator({"format": name}, validate_formats=True, offline=True).is_valid
        for name, since in ASSERTED_SINCE.items()
        if since > draft
    }
