"""Compiles JSON Schemas into checks that say where a message fails, and never a value
of it.

Why jsonschema-rs: docs/decisions/2026-11-25-jsonschema-rs-validates.md
"""

import pathlib
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec import Struct

from router.model import Path
from router.runtime.config.findings import ConfigFault, Findings
from router.runtime.config.merge import NO_UNSAVED, Unsaved, resolve_inside
from router.runtime.conversions import JSON_ENCODER
from router.runtime.program.precompiled import NO_BUNDLE, Bundle
from router.runtime.program.schemas.documents import (
    DEFAULT_DRAFT,
    OLD_DRAFT,
    UNREADABLE_SCHEMA,
    SchemaDocument,
    SchemaError,
    draft_of,
    read_schema,
    verify,
    with_whole_limits,
)
from router.runtime.program.schemas.links import Linker, Unresolved, uri_of
from router.runtime.program.schemas.references import (
    Locations,
    with_escaped_references,
)

if TYPE_CHECKING:
    from jsonschema_rs import Validator

    from router.runtime.program.schemas.reasons import Locator


class Invalid(Struct, frozen=True):
    """Why a message fails its schema: keyword and place in the schema, and a JSON
    Pointer into the message.
    """

    reason: str
    pointer: str


class Validation(Struct, frozen=True, dict=True):
    """A compiled schema: the library's validator, and the documents by URI, the root
    first.

    `path` is the first path in the config that names the schema. `has_unique` says that
    `uniqueItems` is in one of the documents.
    """

    validator: "Validator"
    documents: Mapping[str, SchemaDocument]
    path: Path = ()
    has_unique: bool = False

    @property
    def root(self) -> SchemaDocument:
        """The root document."""
        return next(iter(self.documents.values()))

    @property
    def is_valid(self) -> Callable[[Any], bool]:
        """Whether a message passes; raises ValueError for what JSON does not have."""
        return self._is_valid_in_time if self.has_unique else self.validator.is_valid

    def takes_long(self, data: Any) -> bool:
        """Return whether the validator would take long for a message, which then does not pass."""
        if not self.has_unique:
            return False
        from router.runtime.program.schemas.unique import has_many_alike

        return has_many_alike(data)

    def _is_valid_in_time(self, data: Any) -> bool:
        return not self.takes_long(data) and self.validator.is_valid(data)

    @cached_property
    def locations(self) -> Locations:
        """The places in the documents by URI."""
        return Locations(self.documents.values())


MANY_ALIKE = "has too many elements that take long to compare"
"""The reason where `uniqueItems` would compare all of them."""
Check = Callable[[Any], Invalid | None]
_Report = Callable[[Iterable[ConfigFault]], None]


class _Origin(Struct, frozen=True):
    """Where a document is from.

    `sentence` is what sentences call it, `name` is its name in the bundle, and `folder`
    is that of its references.
    """

    sentence: str
    name: str
    folder: pathlib.Path


class SchemaStore:
    """The schemas of one load: each file is read, checked, compiled and reported once.

    `folder` is that of the config, `documents` are their contents by the name that
    findings use. `validations` has what is behind each check. Files in the `bundle` of
    a compiled config are not read again, and were checked when it was made. A file in
    `unsaved` is read from there.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        bundle: Bundle = NO_BUNDLE,
        unsaved: Unsaved = NO_UNSAVED,
    ) -> None:
        self.documents: dict[str, Any] = {}
        self.validations: dict[Check, Validation] = {}
        self.folder = folder
        self._root = folder.resolve()
        self._base = uri_of(self._root).removesuffix("/") + "/"
        self._bundle = bundle
        self._unsaved = unsaved
        self._links: dict[str, str] = {}
        self._opened: dict[pathlib.Path, SchemaDocument | None] = {}
        self._checks: dict[pathlib.Path | str, Check | None] = {}
        # By their JSON, as inline schemas of routes are often equal.
        self._verified: dict[bytes, Any] = {}
        self._validators: dict[bytes, Validator] = {}

    def bundle(self) -> Bundle:
        """Return the files that were read and have no errors."""
        opened = [file for file, document in self._opened.items() if document]
        names = sorted(self._name(file) for file in opened)
        files = {name: self.documents[name] for name in names}
        links = {link: name for link, name in sorted(self._links.items()) if name in files}
        return Bundle(files, links)

    def linked(self, schema: str | dict[str, Any] | bool, path: Path) -> Validation | None:
        """Return the validation of a schema that was compiled for `path`.

        None if it has errors.
        """
        key = self._inside(self._root / schema) if isinstance(schema, str) else _inline(path)
        check = None if key is None else self._checks.get(key)
        return None if check is None else self.validations[check]

    def standalone(self, check: Check | None) -> Any:
        """Return the content of the schema behind a check.

        None if it refers to other files, has an old draft, or compares the elements of lists.
        """
        if check is None:
            return None
        validation = self.validations[check]
        is_alone = len(validation.documents) == 1 and validation.root.draft > OLD_DRAFT
        return validation.root.content if is_alone and not validation.has_unique else None

    def compile(
        self,
        schema: str | dict[str, Any] | bool,
        findings: Findings,
        path: Path,
    ) -> Check | None:
        """Compile a schema, a file relative to the folder or the schema itself.

        None after an error.
        """
        report = partial(findings.add_faults, path)
        if not isinstance(schema, str):
            inline = _inline(path)
            origin = _Origin("the inline schema", inline, self._root)
            document = self._accept(schema, origin, report)
            self._checks[inline] = self._link(document, path, report)
            return self._checks[inline]
        file = self._inside(self._root / schema)
        if file is None:
            outside = f"schema '{schema}' is outside the folder of the config"
            report([ConfigFault(UNREADABLE_SCHEMA, outside, "put it into that folder")])
            return None
        if file not in self._checks:
            document = self._open(file, report)
            self._checks[file] = self._link(document, path, report)
        return self._checks[file]

    def _name(self, file: pathlib.Path) -> str:
        """Return the name of a file in the folder, as findings use it."""
        return file.relative_to(self._root).as_posix()

    def _inside(self, file: pathlib.Path) -> pathlib.Path | None:
        """Resolve symbolic links; None for a file outside the folder."""
        asked = self._name(file) if file.is_relative_to(self._root) else ""
        known = self._bundle.links.get(asked, asked)
        if known in self._bundle.files:
            return self._root / known
        real = resolve_inside(self._root, file)
        if real is None:
            return None
        name = self._name(real)
        if asked and asked != name:
            self._links[asked] = name
        return real

    def _open(self, file: pathlib.Path, report: _Report) -> SchemaDocument | None:
        """Return the document in a file.

        None if it has errors, which are reported once.
        """
        if file not in self._opened:
            self._opened[file] = self._read(file, report)
        return self._opened[file]

    def _read(self, file: pathlib.Path, report: _Report) -> SchemaDocument | None:
        name = self._name(file)
        origin = _Origin(f"schema '{name}'", name, file.parent)
        if name in self._bundle.files:
            return self._take(self._bundle.files[name], origin)
        path = self.folder / name
        try:
            content = read_schema(file, name, str(path), self._unsaved.get(path))
        except SchemaError as error:
            report(error.faults)
            return None
        return self._accept(content, origin, report)

    def _accept(self, content: Any, origin: _Origin, report: _Report) -> SchemaDocument | None:
        """Verify a document; None if it has errors."""
        text = JSON_ENCODER.encode(content)
        if text in self._verified:
            return self._take(self._verified[text], origin)
        # Without such a key it has no reference.
        if b'"$' in text:
            content = with_escaped_references(content)
        faults = verify(content, text, origin.sentence)
        report(faults)
        if faults:
            return None
        content = with_whole_limits(content, text)
        self._verified[text] = content
        return self._take(content, origin)

    def _take(self, content: Any, origin: _Origin) -> SchemaDocument:
        """Keep a document without errors."""
        draft = draft_of(content)
        assert draft is not None  # it would be an error
        self.documents[origin.name] = content
        if isinstance(content, dict):
            content = {"$schema": DEFAULT_DRAFT, **content}
        uri = self._base + quote(origin.name)
        return SchemaDocument(origin.sentence, uri, origin.folder, content, draft)

    def _link(self, document: SchemaDocument | None, path: Path, report: _Report) -> Check | None:
        """Compile a document with those that it refers to; None if one has errors."""
        if document is None:
            return None

        def refer(file: pathlib.Path) -> SchemaDocument:
            inside = self._inside(file)
            if inside is None:
                raise Unresolved("it leads out of the folder of the config")
            is_known = inside in self._opened or self._name(inside) in self._bundle.files
            if not is_known and not inside.is_file():
                raise Unresolved("there is no such file")
            referred = self._open(inside, report)
            if referred is None:
                raise Unresolved("")
            return referred

        linker = Linker(document, refer)
        is_alone = document.stands_alone
        known = self._validators.get(document.text) if is_alone else None
        try:
            validator = linker.link() if known is None else known
        except SchemaError as error:
            report(error.faults)
            return None
        has_unique = b'"uniqueItems"' in document.text
        if not is_alone:
            has_unique = any(map(_has_unique, linker.reached.values()))
        validation = Validation(validator, linker.reached, path, has_unique)
        # The schemas of a compiled config were examined: it is loaded without the module.
        if known is None and not self._bundle.files:
            from router.runtime.program.schemas.cost import cost_fault

            fault = cost_fault(document, validation.locations)
            if fault is not None:
                report([fault])
                return None
        if is_alone:
            self._validators[document.text] = validator
        check = _check(linker, validation)
        self.validations[check] = validation
        return check


def _has_unique(document: SchemaDocument) -> bool:
    """Whether `uniqueItems` is in a document, or in a schema of schemas that it refers to."""
    text = document.text
    if b'"uniqueItems"' in text:
        return True
    return any(b'"$ref":"%s://json-schema.org/' % each in text for each in (b"http", b"https"))


def _inline(path: Path) -> str:
    """Return the file name that stands for an inline schema."""
    return ".".join(map(str, path))


def _check(linker: Linker, validation: Validation) -> Check:
    validator = validation.validator
    is_valid = validator.is_valid
    has_unique = validation.has_unique
    locator: Locator | None = None

    def check(data: Any) -> Invalid | None:
        nonlocal locator
        try:
            if has_unique and validation.takes_long(data):
                return Invalid(MANY_ALIKE, "")
            if is_valid(data):
                return None
            if locator is None:
                # Made at the first failure, because schemas may be large.
                from router.runtime.program.schemas.reasons import Locator

                locator = Locator(linker, validator)
            return Invalid(*locator.explain(data))
        except ValueError:
            # Bytes, or half of a surrogate pair: only a plugin can create these values.
            return Invalid("holds a value that JSON does not have", "")

    return check
