"""What is no hook, and says so."""

from typing import Any

import pytest

PLAIN = "make it a plain function under a plain @hookimpl, with arguments of the hook only"
FORM = f"which hooks do not support; {PLAIN}"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "@hookimpl\ndef router_transform_itm(item): ...",
            [("RT503 plugin 'p': 'router_transform_itm' (p.py:2) is no hook of the router; did you mean "
             "'router_transform_item'?")],
        ),
        ("@hookimpl\ndef zzz(): ...", ["RT503 plugin 'p': 'zzz' (p.py:2) is no hook of the router"]),
        (
            "@hookimpl\ndef router_transform_item(itm, zzz): ...",
            [
                ("RT503 plugin 'p': 'router_transform_item' (p.py:2) takes 'itm', which router_transform_item does not "
                "have; did you mean 'item'?"),
                ("RT503 plugin 'p': 'router_transform_item' (p.py:2) takes 'zzz', which router_transform_item does not "
                "have; router_transform_item has item, message, route"),
            ],
        ),
        (
            "def router_transform_item(item): ...",
            [("RT504 plugin 'p': 'router_transform_item' (p.py:2) is not marked; put @hookimpl over it, or give it "
             "another name")],
        ),
        (
            "import functools\nrouter_x = functools.partial(print)",
            ["RT504 plugin 'p': 'router_x' is not marked; put @hookimpl over it, or give it another name"],
        ),
        ("router_name = 'x'\nclass router_thing: ...\ndef other(): ...", []),
        (
            "@hookimpl(wrapper=True)\ndef router_outcome(outcome): yield",
            [f"RT505 plugin 'p': 'router_outcome' (p.py:2) is marked wrapper and is a generator, {FORM}"],
        ),
        (
            "@hookimpl(hookwrapper=True, tryfirst=True, trylast=True, optionalhook=True)\ndef router_outcome(): ...",
            [("RT505 plugin 'p': 'router_outcome' (p.py:2) is marked hookwrapper and is marked tryfirst and is marked "
             f"trylast and is marked optionalhook, {FORM}")],
        ),
        (
            "@hookimpl\nasync def router_outcome(): ...",
            [f"RT505 plugin 'p': 'router_outcome' (p.py:2) is async, {FORM}"],
        ),
        (
            "@hookimpl\nasync def router_outcome(): yield",
            [f"RT505 plugin 'p': 'router_outcome' (p.py:2) is async, {FORM}"],
        ),
        (
            "@hookimpl\ndef router_outcome(*a, outcome=None, **k): ...",
            [("RT505 plugin 'p': 'router_outcome' (p.py:2) takes 'a' by star or by keyword and takes 'outcome' by star "
             f"or by keyword and takes 'k' by star or by keyword, {FORM}")],
        ),
        (
            "@hookimpl\ndef router_outcome(outcome=None): ...",
            [f"RT505 plugin 'p': 'router_outcome' (p.py:2) gives 'outcome' a default, {FORM}"],
        ),
        (
            "import functools\nrouter_outcome = hookimpl(functools.partial(print))",
            [f"RT505 plugin 'p': 'router_outcome' is a partial, {FORM}"],
        ),
        (
            "import functools\n@functools.cache\n@hookimpl\ndef router_outcome(outcome): ...",
            [f"RT505 plugin 'p': 'router_outcome' (p.py:3) is a _lru_cache_wrapper, {FORM}"],
        ),
        (
            "@hookimpl\ndef router_stop(): ...\n@hookimpl(specname='router_stop')\ndef also(): ...",
            [("RT506 plugin 'p': 'also' (p.py:4) implements 'router_stop' again, after 'router_stop'; make one "
             "function of the two")],
        ),
    ],
)  # fmt: skip
def test_faults_of_implementations(code: str, expected: list[str], load: Any) -> None:
    """Each fault that pluggy would let through is found, at the entry, with the plugin's file and line."""
    plugins, findings = load(p=code)
    assert (findings, plugins.left_out) == (
        [f"plugins/0: error {text}" for text in expected],
        ("p",) if expected else (),
    )


def test_a_bound_method_is_a_plain_function(load: Any) -> None:
    """Methods of an object at module level are hooks as pluggy has them."""
    code = (
        "class P:\n    @hookimpl\n    def router_transform_item(self, item): return {**item, 'p': 1}\n"
        "router_transform_item = P().router_transform_item"
    )
    plugins, findings = load(p=code)
    assert (findings, [step({}, None, None) for step in plugins.item_pipeline()]) == ([], [{"p": 1}])


def test_a_decorated_function_has_the_arguments_of_its_inside(load: Any) -> None:
    """A decorator that keeps the signature may stand above or below the mark."""
    code = (
        "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a)\n"
        "    return inner\n@deco\n@hookimpl\ndef router_transform_item(route, item): return {'route': route}"
    )
    plugins, findings = load(p=code)
    assert (findings, [step({}, None, "r") for step in plugins.item_pipeline()]) == ([], [{"route": "r"}])
