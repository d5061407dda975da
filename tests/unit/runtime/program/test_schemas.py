"""Schemas become checks that say where a message fails; what is wrong with a schema is a finding."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from router.model import Place
from router.runtime.program.schemas.compile import Invalid, SchemaStore
from tests.support.config import Findings

PATH = ("routes", "r", "schema")
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"

TYPES = "a type is array, boolean, integer, null, number, object or string"
REFUSED = "RT302 schema 'a.json' is not a valid schema:"
UNSUPPORTED = (
    "RT304 schema '{}' has a pattern at {} that the linear-time engine does not take; write it without look-around and "
    "back-references; check its brackets"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The folder of a config, as the current one."""
    inside = tmp_path / "config"
    inside.mkdir()
    monkeypatch.chdir(inside)
    return inside


@pytest.fixture
def store(folder: Any) -> Any:
    """A store over the current folder."""
    return SchemaStore(folder.relative_to(folder))


def findings() -> Any:
    return Findings(lambda path, key: Place("routes.yaml", 1, len(path)))


def write(folder: Any, **documents: Any) -> None:
    """Write documents into files; `a__b` is a/b.json."""
    for name, content in documents.items():
        file = folder / (name.replace("__", "/") + ".json")
        file.parent.mkdir(exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))


def reported(store: Any, schema: Any) -> Any:
    """The findings of compiling a schema, as text."""
    found = findings()
    check = store.compile(schema, found, PATH)
    assert (check is None) == found.failed
    return [str(finding).replace(f"routes.yaml:1:3: {finding.code.severity} ", "") for finding in found]


@pytest.mark.parametrize("limit", [3, 3.0])
def test_lengths_and_counts_are_whole_numbers_however_they_are_written(folder: Any, store: Any, limit: float) -> None:
    """JSON Schema takes `3.0` for 3; what is data stays as it is."""
    kept = {"const": {"minLength": Decimal("3.0")}, "maxLength": 10**18}
    limits = f'"minLength": {limit}, "maxLength": 1e999999, "items": {{"maxItems": {limit}}}'
    write(folder, a=f'{{{limits}, "const": {{"minLength": 3.0}}}}')

    assert reported(store, "a.json") == []
    content = store.documents["a.json"]
    assert content == {**kept, "minLength": 3, "items": {"maxItems": 3}}
    values = (content["minLength"], content["maxLength"], content["items"]["maxItems"], content["const"]["minLength"])
    assert [type(each) for each in values] == [int, int, int, Decimal]


def verdict(store: Any, schema: Any, data: Any) -> Any:
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
)
def test_a_check_names_keyword_and_place(store: Any, schema: Any, data: Any, invalid: Any) -> None:
    """What fails is reported by keyword, place and pointer, and names that the schema does not have show as a star."""
    assert verdict(store, schema, data) == invalid


UNIQUE = {"properties": {"ids": {"uniqueItems": True}}}
MANY = Invalid("has too many elements that take long to compare", "")
SIXTY_FOUR = [10**38 + number for number in range(64)]


def trees(size: int) -> list[Any]:
    """Return all lists of lists of so many lists."""
    if not size:
        return [[]]
    return [[first, *rest] for own in range(size) for first in trees(own) for rest in trees(size - 1 - own)]


TREES = trees(6)


@pytest.mark.parametrize(
    ("ids", "invalid"),
    [
        ([10**38 + number for number in range(25_000)], MANY),
        ([Decimal(f"1.{10**39 + number}") for number in range(25_000)], MANY),
        ([Decimal(f"{number + 1}e-3000") for number in range(65)], MANY),
        ([[{"a": Decimal(f"{number + 1}e400")}] for number in range(65)], MANY),
        ([*SIXTY_FOUR, 10**38 + 64], MANY),
        (SIXTY_FOUR, None),
        ([*SIXTY_FOUR, *range(5000), *(10**38 * number for number in range(2, 5000)), "a", True, None], None),
        ([10**38] * 2 + SIXTY_FOUR[:62], Invalid("fails 'uniqueItems' at /properties/ids/uniqueItems", "/ids")),
        ([[first, second] for first in SIXTY_FOUR[:9] for second in SIXTY_FOUR[:9]], MANY),
        ([[f"{number}", SIXTY_FOUR[:2]] for number in range(33)], MANY),
        ([SIXTY_FOUR[0] * number + add for number in range(1, 400) for add in range(20)], MANY),
        ([[Decimal(f"{number}e-200") for number in range(1, 15)] for _ in range(100)], MANY),
        ([Decimal(f"1e-2{number:02}") for number in range(90)], None),
        (TREES, MANY),
        ([{"a": tree} for tree in TREES], MANY),
        ([*TREES[:64], *([[number], [[number], []]] for number in range(500))], None),
    ],
    ids=range(16),
)
def test_unique_numbers_are_compared_in_bounded_time(store: Any, ids: Any, invalid: Any) -> None:
    """The validator compares all pairs of numbers that are equal as doubles, and of elements that differ in brackets
    only: minutes for those of one message.
    """
    assert verdict(store, UNIQUE, {"ids": ids}) == invalid


def test_numbers_that_are_equal_as_doubles_pass_without_unique_items(store: Any) -> None:
    for ids in ([*SIXTY_FOUR, 10**38 + 64], TREES):
        assert verdict(store, {"properties": {"ids": {"type": "array"}}}, {"ids": ids}) is None


@pytest.mark.parametrize(
    "draft",
    ["https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2020-12/meta/validation"],
)
def test_unique_items_of_a_schema_of_schemas(store: Any, draft: str) -> None:
    """The library has it, so that it is in no document."""
    assert verdict(store, {"properties": {"ids": {"$ref": draft}}}, {"ids": {"required": TREES}}) == MANY


def test_equal_elements_are_no_different_ones(store: Any) -> None:
    """Lists beside those that must be unique may have as many as they like."""
    same = {"ids": [1], "others": [[[], [[]]], {"a": [[SIXTY_FOUR[0]]]}, [[True]], [[1]], [[None]]] * 100}
    assert verdict(store, UNIQUE, same) is None


@pytest.mark.parametrize(
    ("schema", "number", "valid"),
    [
        ({"multipleOf": 1}, Decimal("12345678901234.5"), False),
        ({"multipleOf": Decimal("0.01")}, Decimal("12345678901234567.015"), False),
        ({"minimum": 1}, Decimal("0.99999999999999999999"), False),
        ({"minimum": 9007199254740993}, 9007199254740993, True),
        ({"minimum": 9007199254740993}, 9007199254740992, False),
        ({"minimum": 9007199254740991}, Decimal("9007199254740991.0"), True),
        ({"const": 9007199254740993}, Decimal("9007199254740993.0"), True),
        ({"type": "integer"}, Decimal("9007199254740993.5"), False),
        # What docs/reliability.md says of the library.
        ({"multipleOf": 1}, Decimal("9007199254740993.5"), True),
        ({"minimum": 9007199254740993}, Decimal("9007199254740993.0"), False),
        ({"minimum": Decimal("1.0")}, Decimal("0.99999999999999999999"), True),
    ],
)
def test_numbers_beyond_doubles(store: Any, schema: Any, number: Any, valid: bool) -> None:
    """They are compared exactly, but for some that are written with a fraction."""
    assert (verdict(store, schema, number) is None) == valid


@pytest.mark.parametrize("name", ["a b", "Top<Spec>", "é", "a|b", "a^b", "[a]", "check$done", "a%b"])
@pytest.mark.parametrize("draft", [DRAFT_4, DRAFT_7, "https://json-schema.org/draft/2020-12/schema"])
def test_references_as_bundlers_write_them(store: Any, name: str, draft: str) -> None:
    """A reference may hold the characters of a name that a URI has to escape, and may escape them."""
    properties = {"raw": {"$ref": f"#/definitions/{name}"}, "escaped": {"$ref": f"#/definitions/{quote(name)}"}}
    schema = {"$schema": draft, "properties": properties, "definitions": {name: {"type": "string"}}}

    assert [verdict(store, schema, {key: 1}) for key in properties] == [
        Invalid(f"fails 'type' at /definitions/{name}/type", f"/{key}") for key in properties
    ]


@pytest.mark.parametrize("schema", [{"format": "uuid"}, {"$schema": DRAFT_4, "format": "uuid"}])
def test_formats_are_asserted(store: Any, schema: Any) -> None:
    """A format is checked, whether the draft does so or not."""
    assert verdict(store, schema, "x") == Invalid("fails 'format' at /format", "")


def test_files_refer_to_files(folder: Any, store: Any) -> None:
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


def test_a_file_is_compiled_once(folder: Any, store: Any) -> None:
    """Routes with the same file, however it is written, share one check."""
    write(folder, s__a={"type": "object"})

    checks = {id(store.compile(name, findings(), PATH)) for name in ("s/a.json", "s/../s/a.json")}

    assert len(checks) == 1


def test_documents_are_kept(folder: Any, store: Any) -> None:
    """A store knows every document it loaded, under the name that findings use."""
    write(folder, a={"$ref": "b.json"}, b=True)

    store.compile("a.json", findings(), PATH)
    store.compile({"type": "object"}, findings(), ("routes", "q", "schema"))

    assert store.documents == {"a.json": {"$ref": "b.json"}, "b.json": True, "routes.q.schema": {"type": "object"}}


def test_faults_of_a_file_are_reported_once(folder: Any, store: Any) -> None:
    """Two routes with one bad file do not repeat its findings."""
    write(folder, a={"type": "objekt"})

    assert (len(reported(store, "a.json")), store.compile("a.json", findings(), PATH)) == (1, None)


def test_each_document_keeps_its_draft(folder: Any, store: Any) -> None:
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
def test_an_id_of_its_own(folder: Any, store: Any, identifier: Any) -> None:
    """A document keeps its `$id`; its neighbours are found beside the file."""
    reference = "b.json" if ":" not in identifier or "/" in identifier else "#/$defs/b"
    write(folder, s__a={"$id": identifier, "items": {"$ref": reference}, "$defs": {"b": {"type": "string"}}})
    write(folder, s__b={"type": "string"})

    assert verdict(store, "s/a.json", ["x", 1]).pointer == "/1"


def test_draft_4_has_id(folder: Any, store: Any) -> None:
    """In draft 4 the keyword is `id`."""
    write(folder, s__a={"$schema": DRAFT_4, "id": "https://example.com/s/a.json", "items": {"$ref": "b.json"}})
    write(folder, s__b={"type": "string"})

    assert verdict(store, "s/a.json", [1]).pointer == "/0"


@pytest.mark.parametrize("name", ["a.yaml", "a.yml"])
def test_yaml(folder: Any, store: Any, name: Any) -> None:
    """A schema may be YAML, with exact fractions."""
    (folder / name).write_text("properties:\n  on: {maximum: 0.1}\n")

    assert verdict(store, name, {"on": Decimal("0.11")}) == Invalid("fails 'maximum' at /properties/on/maximum", "/on")


COMMAS = "look at the quotes, commas and brackets here and before"


@pytest.mark.parametrize(
    ("name", "content", "finding"),
    [
        ("a.json", b'{\n  "type": object\n}', f"a.json:2:11: error RT301 the schema is not JSON; {COMMAS}"),
        ("a.json", b'"\xff"', "a.json: error RT301 the schema is not UTF-8 text; save it as UTF-8"),
        (
            "a.json",
            b'{"const": NaN}',
            (
                "a.json: error RT301 the schema is not JSON; NaN, Infinity, half of a surrogate pair and an exponent "
                "without "
                "end are no JSON"
            ),
        ),
        (
            "a.json",
            b"[" * 100_000,
            "a.json: error RT301 the schema is not JSON; it nests too deeply, or has a number that is too long",
        ),
        ("a.json", b" " * (4 * 1024 * 1024 + 1), "RT301 schema 'a.json' is larger than 4 MiB; split it"),
        (
            "a.yaml",
            b"- a\n",
            "a.yaml:1:1: error RT301 the schema is not a map in YAML; it needs the keys version, tables and routes",
        ),
        (
            "a.yaml",
            b"type: string\ntype: string\n",
            "a.yaml:2:1: error RT004 duplicate key 'type'; the first is on line 1; keep one of the two",
        ),
    ],
)
def test_unreadable(folder: Any, store: Any, name: Any, content: Any, finding: Any) -> None:
    """What is wrong in a file is reported at its place in that file, where it has one."""
    (folder / name).write_bytes(content)

    assert reported(store, name) == [finding]


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        (
            "no.json",
            "RT301 cannot read schema 'no.json': no such file or directory; a schema is a file, relative to the config",
        ),
        ("../no.json", "RT301 schema '../no.json' is outside the folder of the config; put it into that folder"),
        ("a\0b", "RT301 schema 'a\0b' is outside the folder of the config; put it into that folder"),
    ],
)
def test_no_file(store: Any, name: Any, finding: Any) -> None:
    """A file that is not there, or not in the folder, is a finding where it is named."""
    assert reported(store, name) == [finding]


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        ("[1]", "RT302 schema 'a.json' is not a schema; a schema is an object, or true or false"),
        (
            '{"not":' * 65 + "true" + "}" * 65,
            "RT302 schema 'a.json' nests deeper than 64 levels; use $defs and $ref",
        ),
        (
            {"properties": {"a": {"type": "strin"}}},
            f"{REFUSED} /properties/a/type fails 'anyOf' of its meta-schema; {TYPES}",
        ),
        ({"minLength": -1}, f"{REFUSED} /minLength fails 'minimum' of its meta-schema"),
        ({"$schema": 1}, f"{REFUSED} /$schema fails 'type' of its meta-schema"),
        ({"$schema": DRAFT_4, "$ref": 3}, f"{REFUSED} /$ref fails 'type' of its meta-schema"),
        (
            {"$schema": "https://json-schema.org/draft-07/schema"},
            (
                "RT306 schema 'a.json' has an unknown $schema 'https://json-schema.org/draft-07/schema'; "
                f"did you mean '{DRAFT_7}'?"
            ),
        ),
        (
            {"$schema": "zzz"},
            (
                "RT306 schema 'a.json' has an unknown $schema 'zzz'; "
                "leave it out for 'https://json-schema.org/draft/2020-12/schema'"
            ),
        ),
        ({"$id": "::::"}, "RT303 schema 'a.json' has an $id, a $schema or a reference that cannot be resolved"),
    ],
)
def test_invalid(folder: Any, store: Any, content: Any, finding: Any) -> None:
    """What a draft does not allow is reported with its place in the schema."""
    write(folder, a=content)

    assert reported(store, "a.json") == [finding]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ({"properties": {"a": {"pattern": "(?=a)"}}}, "/properties/a/pattern"),
        ({"$schema": DRAFT_7, "pattern": "("}, "/pattern"),
        ({"patternProperties": {r"(a)\1": True}}, r"/patternProperties/(a)\1"),
        ({"$ref": "#/parts/0", "parts": [{"pattern": "(?=a)"}]}, "/parts/0/pattern"),
    ],
)
def test_patterns(folder: Any, store: Any, content: Any, place: Any) -> None:
    """A pattern that the linear-time engine does not take is found wherever it stands."""
    write(folder, a=content)

    assert reported(store, "a.json") == [UNSUPPORTED.format("a.json", place)]


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("http://example.com/x", "only files of the config's folder are read"),
        ("file:///etc/hostname", "only files of the config's folder are read"),
        ("x.json", "there is no such file"),
        ("../x.json#/a", "it leads out of the folder of the config"),
        ("a%00b", "it leads out of the folder of the config"),
        ("#/$defs/x", "there is nothing at that place"),
    ],
)
def test_references(folder: Any, store: Any, reference: Any, reason: Any) -> None:
    """A reference that cannot be resolved is reported with its place and the reason."""
    write(folder, a={"items": {"$ref": reference}})

    assert reported(store, "a.json") == [f"RT303 schema 'a.json' refers to '{reference}' at /items/$ref: {reason}"]


def test_inline_faults(store: Any) -> None:
    """An inline schema is called that."""
    assert reported(store, {"minLength": "x"}) == [
        "RT302 the inline schema is not a valid schema: /minLength fails 'type' of its meta-schema"
    ]


def test_all_references_are_tried(folder: Any, store: Any) -> None:
    """Every reference that cannot be resolved is reported, in every file, embedded documents aside."""
    write(
        folder,
        a={
            "$defs": {"e": {"$id": "embedded.json", "$ref": "#/$defs/f", "$defs": {"f": True}}},
            "allOf": [{"$ref": "no.json"}, {"$ref": "b.json"}, {"$ref": "embedded.json"}, {"$ref": "#/no2"}],
        },
        b={"properties": {"x": {"$ref": "no3.json"}, "y": {"$ref": "bad.json"}, "z": {"$ref": "bad.json#/a"}}},
        bad={"type": "strin"},
    )

    assert reported(store, "a.json") == [
        (
            "RT302 schema 'bad.json' is not a valid schema: /type fails 'anyOf' of its meta-schema; a type is array, "
            "boolean, integer, null, number, object or string"
        ),
        "RT303 schema 'a.json' refers to 'no.json' at /allOf/0/$ref: there is no such file",
        "RT303 schema 'a.json' refers to '#/no2' at /allOf/3/$ref: there is nothing at that place",
        "RT303 schema 'b.json' refers to 'no3.json' at /properties/x/$ref: there is no such file",
    ]


def test_a_name_that_no_file_can_have(store: Any) -> None:
    """It is no fault of the program: a system bounds the length of a name."""
    name = "a" * 300 + ".json"

    whole, referred = reported(store, name), reported(store, {"$ref": name})

    assert [[each.partition(" ")[0] for each in found] for found in (whole, referred)] == [["RT301"], ["RT303"]]


def test_references_of_a_file_that_the_library_did_not_reach(folder: Any, store: Any) -> None:
    """The library stops at the first reference without a file, before it reads what other files refer to."""
    write(folder, a={"allOf": [{"$ref": "no.json"}, {"$ref": "b.json"}]}, b={"$ref": "c.json"}, c={"$ref": "#/no"})

    assert reported(store, "a.json") == [
        "RT303 schema 'a.json' refers to 'no.json' at /allOf/0/$ref: there is no such file",
        "RT303 schema 'c.json' refers to '#/no' at /$ref: there is nothing at that place",
    ]


def test_only_a_bad_file_is_reported(folder: Any, store: Any) -> None:
    """Where the file that is referred to has faults, they are all there is to say."""
    write(folder, a={"$ref": "b.json"}, b="{")

    assert reported(store, "a.json") == [
        "b.json:1:2: error RT301 the schema is not JSON; look at the quotes, commas and brackets here and before"
    ]


def test_only_the_dangling_one_is_reported(folder: Any, store: Any) -> None:
    """Among references that hold, the one to nothing is found."""
    write(folder, a={"allOf": [{"$ref": "b.json#/$defs/x"}, {"$ref": "b.json#/$defs/y"}]}, b={"$defs": {"x": True}})

    assert reported(store, "a.json") == [
        "RT303 schema 'a.json' refers to 'b.json#/$defs/y' at /allOf/1/$ref: there is nothing at that place"
    ]


def test_links_do_not_lead_out(folder: Any, store: Any) -> None:
    """A link in the folder that points out of it is refused, as is one that points at itself."""
    (folder.parent / "outside.json").write_text("true")
    (folder / "out.json").symlink_to(folder.parent / "outside.json")
    (folder / "loop.json").symlink_to(folder / "loop.json")

    assert reported(store, {"anyOf": [{"$ref": "out.json"}, {"$ref": "loop.json"}]}) == [
        "RT303 the inline schema refers to 'out.json' at /anyOf/0/$ref: it leads out of the folder of the config",
        "RT303 the inline schema refers to 'loop.json' at /anyOf/1/$ref: it leads out of the folder of the config",
    ]


def test_a_pattern_that_only_linking_finds(folder: Any, store: Any) -> None:
    """A pattern at a place that is no keyword's is found where a reference makes it a schema, in its own file."""
    write(folder, a={"allOf": [{"$ref": "b.json#/parts/0"}]}, b={"parts": [{"pattern": "(?=a)"}]})

    assert reported(store, "a.json") == [UNSUPPORTED.format("b.json", "/parts/0/pattern")]


def compiled(store: Any, schema: Any, *routes: str) -> Any:
    """The validations of a schema that is written in several routes."""
    for route in routes:
        store.compile(schema, findings(), ("routes", route, "schema"))
    return [store.linked(schema, ("routes", route, "schema")) for route in routes]


def test_equal_inline_schemas_share_a_validator(store: Any) -> None:
    """But have documents of their own, which findings and reasons are about."""
    one, two = compiled(store, {"type": "object", "required": ["id"]}, "a", "b")

    assert one.validator is two.validator
    assert [each.root.uri.rpartition("/")[2] for each in (one, two)] == ["routes.a.schema", "routes.b.schema"]
    assert [each.path[1] for each in (one, two)] == ["a", "b"]


@pytest.mark.parametrize("schema", [{"$ref": "#/$defs/x", "$defs": {"x": True}}, {"$schema": DRAFT_4, "id": "x.json"}])
def test_a_schema_with_references_has_its_own_validator(store: Any, schema: Any) -> None:
    """They depend on its URI."""
    one, two = compiled(store, schema, "a", "b")

    assert one.validator is not two.validator


def test_faults_of_equal_inline_schemas(store: Any) -> None:
    """Are reported of each."""
    schema = {"type": "strin"}

    first, second = reported(store, schema), reported(store, schema)

    assert [line[:5] for line in first] == ["RT302"]
    assert first == second
