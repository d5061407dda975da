"""What plugins register, and what is refused."""

from typing import Any

import pytest

from router.errors import Drop, PluginError, Reject, Retry, Signal
from router.model import Remark
from tests.support.envelopes import ENVELOPES

T = "@hookimpl\ndef router_register_transforms(register):\n    "
E = "@hookimpl\ndef router_register_envelopes(register):\n    "
C = "@hookimpl\ndef router_register_checks(register):\n    "
CHOOSE = "choose another name"


def test_registrations(load: Any) -> None:
    """Transforms and envelopes by name, beside the built-in ones, which come first."""
    plugins, findings = load(p=f"{T}register('shout', str.upper)\n{E}register('mine', divmod)\n")
    assert (findings, plugins.transforms["shout"]("a"), list(plugins.transforms)[-1], list(plugins.envelopes)) == (
        [],
        "A",
        "shout",
        [*ENVELOPES, "mine"],
    )


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (f"{T}register('strip', len)", [
            "the transform 'strip' is built in; choose another name"]),
        (f"{T}register('a', len); register('a', len)", [
            "the transform 'a' is registered already, by plugin 'p'; choose another name"]),
        (f"{E}register('sns', len)", [
            "the envelope 'sns' is built in; choose another name"]),
        (f"{T}register('a b', len); register(5, len)", [
            "'a b' is not a valid transform name; start with a letter; letters, digits, '_', '-' and '.' may follow",
            "5 is not a valid transform name; start with a letter; letters, digits, '_', '-' and '.' may follow"]),
        (f"{E}register('', len)", [
            "'' is not a valid envelope name; start with a letter; letters, digits, '_', '-' and '.' may follow"]),
        (f"{E}register('b', len, 5); register('c', len, wrap=len); register('d', len, wrap=5)", [
            "'wrap' of the envelope 'b' cannot be called, it is of type int; register a function",
            "'wrap' of the envelope 'd' cannot be called, it is of type int; register a function"]),
        (f"{T}register('a', 5)", [
            "the transform 'a' cannot be called, it is of type int; register a function"]),
        (f"async def a(value): ...\n{T}register('a', a)", ["the transform 'a' is async; register a plain function"]),
        (f"def a(value): yield\n{T}register('a', a)", [
            "the transform 'a' is a generator; register a plain function"]),
        (f"{T}raise KeyError('no')", ["router_register_transforms raised KeyError: 'no' (p.py:4)"]),
        (f"{T}register()", [
            ("router_register_transforms raised TypeError: _Registration.register_transform() missing 2 required "
            "positional arguments: 'name' and 'function' (p.py:4)")]),
        (f"{C}register(len); register(len); register(5)", [
            "a check is registered twice; register it once",
            "a check of type int cannot be called, it is of type int; register a function"]),
    ],
)  # fmt: skip
def test_faults_of_registrations(code: str, expected: list[str], load: Any) -> None:
    """A plugin with a fault in what it registers is left out whole, and says all of it."""
    plugins, findings = load(p=code)
    assert (findings, plugins.names, plugins.left_out, "a" in plugins.transforms, plugins.checks) == (
        [f"plugins/0: error RT507 plugin 'p': {text}" for text in expected],
        (),
        ("p",),
        False,
        (),
    )


def test_the_second_of_two_plugins_is_at_fault(load: Any) -> None:
    """A name of two plugins stays with the first."""
    plugins, findings = load(p=f"{T}register('a', len)", q=f"{T}register('a', abs)")
    assert (findings, plugins.transforms["a"]) == (
        [
            (
                "plugins/1: error RT507 plugin 'q': the transform 'a' is registered already, by plugin 'p'; choose "
                "another name"
            )
        ],
        len,
    )


def test_a_check_runs(load: Any) -> None:
    """A registered check gives its remarks."""
    plugins, _ = load(p=f"{C}register(lambda config: [config])")
    remark = Remark("ACME1", "no owner")
    assert [check(remark) for check in plugins.checks] == [[remark]]


@pytest.mark.parametrize(
    ("check", "did"),
    [
        ("lambda config: 1 / 0", "registered a check that raised ZeroDivisionError (p.py:4)"),
        ("lambda config: None", "registered a check that returned a value of type NoneType, not a list of Remark"),
        ("lambda config: [5]", "registered a check that returned a value of type list, not a list of Remark"),
    ],
)
def test_a_check_that_fails_names_its_plugin(check: str, did: str, load: Any) -> None:
    """What a check raises or returns wrongly is a PluginError."""
    plugins, _ = load(p=f"{C}register({check})")
    with pytest.raises(PluginError) as caught:
        plugins.checks[0](None)
    assert str(caught.value) == f"plugin 'p': router_register_checks {did}"


def unwrap(load: Any, body: str) -> Any:
    """What the envelope of a plugin makes of a payload."""
    plugins, _ = load(p=f"def mine(payload, attributes):\n    {body}\n{E}register('mine', mine)\n")
    return plugins.envelopes["mine"].unwrap("a", {"b": 1})


def test_an_envelope_unwraps(load: Any) -> None:
    """It gives the payload inside, and attributes."""
    assert unwrap(load, "return payload * 2, {**attributes, 'c': 2}") == ("aa", {"b": 1, "c": 2})


@pytest.mark.parametrize("signal", [Drop, Reject, Retry])
def test_an_envelope_decides(signal: type[Signal], load: Any) -> None:
    """As other hooks do."""
    with pytest.raises(signal, match="as agreed"):
        unwrap(load, f"raise {signal.__name__}('as agreed')")


@pytest.mark.parametrize(
    ("body", "did"),
    [
        ("raise KeyError('secret')", "raised KeyError (p.py:3)"),
        ("raise SystemExit('secret')", "raised SystemExit (p.py:3)"),
        ("return payload", "returned a value of type str, not a payload and a map of attributes"),
        ("return payload, None", "returned a value of type tuple, not a payload and a map of attributes"),
    ],
)
def test_an_envelope_that_fails_names_its_plugin(body: str, did: str, load: Any) -> None:
    """What it raises that is no signal, and what it returns that is no payload; the message is retried then."""
    with pytest.raises(PluginError) as raised:
        unwrap(load, body)

    assert str(raised.value) == f"plugin 'p': envelope 'mine' {did}"


def wrap(load: Any, body: str) -> Any:
    """The text in which the envelope of a plugin wraps a payload."""
    code = f"def outer(payload):\n    {body}\n{E}register('mine', divmod, wrap=outer)\n"
    plugins, _ = load(p=code)
    return plugins.envelopes["mine"].wrap("a")


def test_an_envelope_wraps(load: Any) -> None:
    """Its inverse takes and returns text."""
    assert wrap(load, "return payload * 2") == "aa"


@pytest.mark.parametrize(
    ("body", "did"),
    [("raise KeyError('secret')", "raised KeyError (p.py:3)"), ("return 5", "returned a value of type int, not text")],
)
def test_an_envelope_that_fails_to_wrap_names_its_plugin(body: str, did: str, load: Any) -> None:
    """An exception of `wrap`, and a return value that is no text."""
    with pytest.raises(PluginError) as raised:
        wrap(load, body)

    assert str(raised.value) == f"plugin 'p': wrap of envelope 'mine' {did}"
