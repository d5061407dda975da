"""Schemas become checks that say where a message fails; what is wrong with a schema is a finding."""

import json
from decimal import Decimal

import pytest

from router.compile.schemas import Invalid, SchemaStore
from router.config.findings import Findings
from router.model import Place

PATH = ("routes", "r", "schema")
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a config, as the current one."""
    inside = tmp_path / "config"
    inside.mkdir()
    monkeypatch.chdir(inside)
    return inside


@pytest.fixture
def store(folder):
    """A store over the current folder."""
    return SchemaStore(folder.relative_to(folder))


def findings():
    return Findings(lambda path, key: Place("routes.yaml", 1, len(path)))


def write(folder, **documents):
    """Write documents into files; `a__b` is a/b.json."""
    for name, content in documents.items():
        file = folder / (name.replace("__", "/") + ".json")
        file.parent.mkdir(exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))


def told(store, schema):
    """The findings of compiling a schema, as text."""
    found = findings()
    check = store.compile(schema, found, PATH)
    assert (check is None) == found.failed
    return [str(finding).replace("routes.yaml:1:3: ", "") for finding in found]


def verdict(store, schema, data):
    found = findings()
    check = store.compile(schema, found, PATH)
    assert list(found) == []
    return check(data)


@pytest.mark.parametrize(
    ("schema", "data", "invalid"),
    [
        (True, {"a": 1}, None),
        (False, {}, Invalid("fails 'false' at the root", "")),
        ({"type": "object"}, {"a": 1}, None),
        ({"required": ["a"]}, {}, Invalid("fails 'required' at /required: 'a' is missing", "")),
        (
            {"dependentRequired": {"b": ["q"]}},
            {"b": 1},
            Invalid("fails 'required' at /dependentRequired: 'q' is missing", ""),
        ),
        (
            {"properties": {"a/b~": {"properties": {"c": {"type": "string"}}}}},
            {"a/b~": {"c": 1}},
            Invalid("fails 'type' at /properties/a~1b~0/properties/c/type", "/a~1b~0/c"),
        ),
        (
            {"additionalProperties": {"items": {"maximum": Decimal("1.5")}}},
            {"secret": [1, Decimal("1.6")]},
            Invalid("fails 'maximum' at /additionalProperties/items/maximum", "/*/1"),
        ),
        ({"additionalProperties": False}, {"secret": 1}, Invalid("fails 'false' at /additionalProperties", "")),
        ({"multipleOf": Decimal("0.1")}, Decimal("0.3"), None),
        ({"const": Decimal("1.10")}, Decimal("1.1"), None),
        ({"pattern": "^a$"}, "a\n", Invalid("fails 'pattern' at /pattern", "")),
        ({"type": "string"}, "\ud800", Invalid("holds a value that JSON does not have", "")),
        ({"const": 1}, b"x", Invalid("holds a value that JSON does not have", "")),
        (
            {"propertyNames": {"enum": ["a"]}, "additionalProperties": {"type": "string"}},
            {"a": 1},
            Invalid("fails 'type' at /additionalProperties/type", "/a"),
        ),
        ({"if": {"required": ["b"]}, "then": False}, {"b": 1}, Invalid("fails 'false' at /then", "")),
    ],
)  # fmt: skip
def test_a_check_names_keyword_and_place(store, schema, data, invalid):
    """What fails is told by keyword, place and pointer, and names that the schema does not have show as a star."""
    assert verdict(store, schema, data) == invalid


@pytest.mark.parametrize("schema", [{"format": "uuid"}, {"$schema": DRAFT_4, "format": "uuid"}])
def test_formats_are_asserted(store, schema):
    """A format is checked, whether the draft does so or not."""
    assert verdict(store, schema, "x") == Invalid("fails 'format' at /format", "")


def test_files_refer_to_files(folder, store):
    """References are relative to the file they stand in, may go in circles, and reasons name the file."""
    write(
        folder,
        order={"properties": {"lines": {"items": {"$ref": "parts/line.json#/$defs/line"}}}},
        parts__line={
            "$defs": {"line": {"required": ["n"], "properties": {"n": {"$ref": "number.json"}}}},
            "properties": {"up": {"$ref": "../order.json"}},
        },
        parts__number={"type": "number"},
    )

    result = verdict(store, "order.json", {"lines": [{"n": 1}, {"n": "x"}]})

    assert result == Invalid("fails 'type' at /type of schema 'parts/number.json'", "/lines/1/n")


def test_a_file_is_compiled_once(folder, store):
    """Routes with the same file, however it is written, share one check."""
    write(folder, s__a={"type": "object"})

    checks = {id(store.compile(name, findings(), PATH)) for name in ("s/a.json", "s/../s/a.json")}

    assert len(checks) == 1


def test_documents_are_kept(folder, store):
    """A store knows every document it loaded, under the name that findings use, and where it was first met."""
    write(folder, a={"$ref": "b.json"}, b=True)

    store.compile("a.json", findings(), PATH)
    store.compile({"type": "object"}, findings(), ("routes", "q", "schema"))

    assert (store.documents, store.uses) == (
        {"a.json": {"$ref": "b.json"}, "b.json": True, "routes.q.schema": {"type": "object"}},
        {"a.json": PATH, "b.json": PATH, "routes.q.schema": ("routes", "q", "schema")},
    )


def test_faults_of_a_file_are_told_once(folder, store):
    """Two routes with one bad file do not repeat its findings."""
    write(folder, a={"type": "objekt"})

    assert (len(told(store, "a.json")), store.compile("a.json", findings(), PATH)) == (1, None)


def test_each_document_keeps_its_draft(folder, store):
    """A file without `$schema` is 2020-12 also where an older one refers to it, and formats hold in both."""
    write(
        folder,
        old={"$schema": DRAFT_7, "properties": {"n": {"$ref": "new.json"}, "u": {"format": "uuid"}}},
        new={"dependentRequired": {"a": ["b"]}, "properties": {"old": {"$ref": "old.json"}}},
    )

    results = [verdict(store, "old.json", data) for data in ({"n": {"a": 1}}, {"u": "x"})]
    results.append(verdict(store, "new.json", {"old": {"u": "x"}}))

    assert [result.pointer for result in results] == ["/n", "/u", "/old/u"]


@pytest.mark.parametrize("identifier", ["https://example.com/schemas/a.json", "a.json", "urn:example:a"])
def test_an_id_of_its_own(folder, store, identifier):
    """A document keeps its `$id`; its neighbours are found beside the file."""
    reference = "b.json" if ":" not in identifier or "/" in identifier else "#/$defs/b"
    write(folder, s__a={"$id": identifier, "items": {"$ref": reference}, "$defs": {"b": {"type": "string"}}})
    write(folder, s__b={"type": "string"})

    assert verdict(store, "s/a.json", ["x", 1]).pointer == "/1"


def test_draft_4_has_id(folder, store):
    """In draft 4 the keyword is `id`."""
    write(folder, s__a={"$schema": DRAFT_4, "id": "https://example.com/s/a.json", "items": {"$ref": "b.json"}})
    write(folder, s__b={"type": "string"})

    assert verdict(store, "s/a.json", [1]).pointer == "/0"


@pytest.mark.parametrize("name", ["a.yaml", "a.yml"])
def test_yaml(folder, store, name):
    """A schema may be YAML, with exact fractions."""
    (folder / name).write_text("properties:\n  on: {maximum: 0.1}\n")

    assert verdict(store, name, {"on": Decimal("0.11")}) == Invalid("fails 'maximum' at /properties/on/maximum", "/on")


@pytest.mark.parametrize(
    ("name", "content", "finding"),
    [
        ("no.json", None, "RT301 cannot read schema 'no.json': no such file or directory; a schema is a file, relative to the config"),
        ("../no.json", None, "RT301 schema '../no.json' is outside the folder of the config; put it into that folder"),
        ("a\0b", None, "RT301 schema 'a\0b' is outside the folder of the config; put it into that folder"),
        ("a.json", b'{\n  "type": object\n}', "a.json:2:11: RT301 the schema is not JSON; look at the quotes, commas and brackets here and before"),
        ("a.json", b'"\xff"', "a.json: RT301 the schema is not UTF-8 text; save it as UTF-8"),
        ("a.json", b'{"const": NaN}', "a.json: RT301 the schema is not JSON; NaN, Infinity, half of a surrogate pair and an exponent without end are no JSON"),
        ("a.json", b"[" * 5000, "a.json: RT301 the schema is not JSON; it nests too deeply, or has a number that is too long"),
        ("a.json", b" " * (4 * 1024 * 1024 + 1), "RT301 schema 'a.json' is larger than 4 MiB; split it"),
        ("a.yaml", b"- a\n", "a.yaml:1:1: RT301 the schema is not a map in YAML; it needs the keys version, tables and routes"),
        ("a.yaml", b"type: string\ntype: string\n", "a.yaml:2:1: RT004 duplicate key 'type'; the first is on line 1; keep one of the two"),
        ("a.json", b"[1]", "RT302 schema 'a.json' is not a schema; a schema is an object, or true or false"),
        ("a.json", b'{"not":' * 65 + b"true" + b"}" * 65, "RT302 schema 'a.json' nests deeper than 64 levels; use $defs and $ref"),
        ("a.json", b'{"properties": {"a": {"type": "strin"}}}', "RT302 schema 'a.json' is not a valid schema: /properties/a/type fails 'anyOf' of its meta-schema; a type is array, boolean, integer, null, number, object or string"),
        ("a.json", b'{"minLength": -1}', "RT302 schema 'a.json' is not a valid schema: /minLength fails 'minimum' of its meta-schema"),
        ("a.json", b'{"$schema": 1}', "RT302 schema 'a.json' is not a valid schema: /$schema fails 'type' of its meta-schema"),
        ("a.json", b'{"$schema": "http://json-schema.org/draft-04/schema#", "$ref": 3}', "RT302 schema 'a.json' is not a valid schema: /$ref fails 'type' of its meta-schema"),
        ("a.json", b'{"$schema": "https://json-schema.org/draft-07/schema"}', "RT306 schema 'a.json' has an unknown $schema 'https://json-schema.org/draft-07/schema'; did you mean 'http://json-schema.org/draft-07/schema#'?"),
        ("a.json", b'{"$schema": "zzz"}', "RT306 schema 'a.json' has an unknown $schema 'zzz'; leave it out for 'https://json-schema.org/draft/2020-12/schema'"),
        ("a.json", b'{"properties": {"a": {"pattern": "(?=a)"}}}', "RT304 schema 'a.json' has a pattern at /properties/a/pattern that the linear-time engine does not take; write it without look-around and back-references; check its brackets"),
        ("a.json", b'{"$schema": "http://json-schema.org/draft-07/schema#", "pattern": "("}', "RT304 schema 'a.json' has a pattern at /pattern that the linear-time engine does not take; write it without look-around and back-references; check its brackets"),
        ("a.json", b'{"patternProperties": {"(a)\\\\1": true}}', "RT304 schema 'a.json' has a pattern at /patternProperties/(a)\\1 that the linear-time engine does not take; write it without look-around and back-references; check its brackets"),
        ("a.json", b'{"$ref": "#/parts/a", "parts": {"a": {"pattern": "(?=a)"}}}', "RT304 schema 'a.json' has a pattern at /parts/a/pattern that the linear-time engine does not take; write it without look-around and back-references; check its brackets"),
        ("a.json", b'{"anyOf": [{"format": "emial"}]}', "RT305 schema 'a.json' has an unknown format 'emial' at /anyOf/0/format: nothing is checked; did you mean 'email'?"),
        ("a.json", b'{"format": "zzzz"}', "RT305 schema 'a.json' has an unknown format 'zzzz' at /format: nothing is checked"),
        ("a.json", b'{"$ref": "http://example.com/x"}', "RT303 schema 'a.json' refers to 'http://example.com/x' at /$ref: only files of the config's folder are read"),
        ("a.json", b'{"$ref": "x.json"}', "RT303 schema 'a.json' refers to 'x.json' at /$ref: there is no such file"),
        ("a.json", b'{"$ref": "../x.json#/a"}', "RT303 schema 'a.json' refers to '../x.json#/a' at /$ref: it leads out of the folder of the config"),
        ("a.json", b'{"$ref": "file:///etc/hostname"}', "RT303 schema 'a.json' refers to 'file:///etc/hostname' at /$ref: only files of the config's folder are read"),
        ("a.json", b'{"$ref": "a%00b"}', "RT303 schema 'a.json' refers to 'a%00b' at /$ref: it leads out of the folder of the config"),
        ("a.json", b'{"$ref": "#/$defs/x"}', "RT303 schema 'a.json' refers to '#/$defs/x' at /$ref: there is nothing at that place"),
        ("a.json", b'{"$id": "::::"}', "RT303 schema 'a.json' has an $id, a $schema or a reference that cannot be resolved"),
    ],
)  # fmt: skip
def test_faults(folder, store, name, content, finding):
    """What is wrong with a schema is one finding, at the schema's own place where it has one."""
    if content is not None:
        (folder / name).write_bytes(content)

    found = findings()
    store.compile(name, found, PATH)

    assert [str(each).removeprefix("routes.yaml:1:3: ") for each in found] == [finding]


def test_inline_faults(store):
    """An inline schema is called that."""
    assert told(store, {"minLength": "x"}) == [
        "RT302 the inline schema is not a valid schema: /minLength fails 'type' of its meta-schema"
    ]


def test_all_references_are_tried(folder, store):
    """Every reference that cannot be resolved is told, in every file, embedded documents aside."""
    write(
        folder,
        a={
            "$defs": {"e": {"$id": "embedded.json", "$ref": "#/$defs/f", "$defs": {"f": True}}},
            "allOf": [{"$ref": "no.json"}, {"$ref": "b.json"}, {"$ref": "embedded.json"}, {"$ref": "no2.json"}],
        },
        b={"properties": {"x": {"$ref": "no3.json"}, "y": {"$ref": "bad.json"}, "z": {"$ref": "bad.json#/a"}}},
        bad={"type": "strin"},
    )

    assert told(store, "a.json") == [
        "RT302 schema 'bad.json' is not a valid schema: /type fails 'anyOf' of its meta-schema; a type is array, "
        "boolean, integer, null, number, object or string",
        "RT303 schema 'a.json' refers to 'no.json' at /allOf/0/$ref: there is no such file",
        "RT303 schema 'a.json' refers to 'no2.json' at /allOf/3/$ref: there is no such file",
        "RT303 schema 'b.json' refers to 'no3.json' at /properties/x/$ref: there is no such file",
    ]


def test_only_a_bad_file_is_told(folder, store):
    """Where the file that is referred to has faults, they are all there is to say."""
    write(folder, a={"$ref": "b.json"}, b="{")

    assert told(store, "a.json") == [
        "b.json:1:2: RT301 the schema is not JSON; look at the quotes, commas and brackets here and before"
    ]


def test_only_the_dangling_one_is_told(folder, store):
    """Among references that hold, the one to nothing is found."""
    write(folder, a={"allOf": [{"$ref": "b.json#/$defs/x"}, {"$ref": "b.json#/$defs/y"}]}, b={"$defs": {"x": True}})

    assert told(store, "a.json") == [
        "RT303 schema 'a.json' refers to 'b.json#/$defs/y' at /allOf/1/$ref: there is nothing at that place"
    ]


def test_links_do_not_lead_out(folder, store):
    """A link in the folder that points out of it is refused, as is one that points at itself."""
    (folder.parent / "outside.json").write_text("true")
    (folder / "out.json").symlink_to(folder.parent / "outside.json")
    (folder / "loop.json").symlink_to(folder / "loop.json")

    assert told(store, {"anyOf": [{"$ref": "out.json"}, {"$ref": "loop.json"}]}) == [
        "RT303 the inline schema refers to 'out.json' at /anyOf/0/$ref: it leads out of the folder of the config",
        "RT303 the inline schema refers to 'loop.json' at /anyOf/1/$ref: it leads out of the folder of the config",
    ]


def test_a_pattern_that_only_linking_finds(folder, store):
    """A pattern at a place that is no keyword's is found where a reference makes it a schema, in its own file."""
    write(folder, a={"allOf": [{"$ref": "b.json#/parts/0"}]}, b={"parts": [{"pattern": "(?=a)"}]})

    assert told(store, "a.json") == [
        "RT304 schema 'b.json' has a pattern at /parts/0/pattern that the linear-time engine does not take; write it "
        "without look-around and back-references; check its brackets"
    ]
