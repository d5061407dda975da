"""Loading of all plugins of a config, their pipelines and their observers."""

import gc
import importlib
import logging
import sys
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from router.errors import Drop, PluginError, Reject, Retry
from router.model import Message, Outcome, Result, Route, Summary
from tests.support.envelopes import ENVELOPES
from tests.support.transforms import TRANSFORMS

MESSAGE = Message({"n": 1}, id="m-1")
ROUTE = Route("r", "q", "t", {})
ITEM = {"id": "1"}
RESULT = Result("m-1", "q", Outcome("written"))
M = "@hookimpl\ndef router_transform_message(message, route):\n    "
I = "@hookimpl\ndef router_transform_item(item, message, route):\n    "  # noqa: E741


def mark(name: str) -> str:
    return f"{I}return {{**item, 'by': [*item.get('by', []), '{name}']}}"


def run_items(steps: Any) -> Any:
    item = ITEM
    for step in steps:
        item = step(item, MESSAGE, ROUTE)
    return item.get("by")


def test_only_the_built_ins(load: Any) -> None:
    """Without plugins there are the built-in transforms and envelopes, and nothing to run."""
    plugins, findings = load()
    assert (
        findings,
        plugins.names,
        list(plugins.transforms),
        list(plugins.envelopes),
        plugins.checks,
        plugins.message_pipeline(),
        plugins.item_pipeline(),
        plugins.observes("router_outcome"),
    ) == (
        [],
        (),
        list(TRANSFORMS),
        list(ENVELOPES),
        (),
        (),
        (),
        False,
    )


def test_a_pipeline_runs_in_the_order_given(load: Any) -> None:
    """All plugins in the order of the config, or those that are named in the order of the names."""
    plugins, _ = load(a=mark("a"), b=mark("b"), c=mark("c"), silent="")
    assert (
        plugins.names,
        run_items(plugins.item_pipeline()),
        run_items(plugins.item_pipeline(["c", "silent", "a"])),
        plugins.item_pipeline([]),
    ) == (("a", "b", "c", "silent"), ["a", "b", "c"], ["c", "a"], ())


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (f"{M}return message.with_data(2)", 2),
        (f"{M}return None", {"n": 1}),
        ("@hookimpl\ndef router_transform_message(route, message): return message.with_data(route.name)", "r"),
        ("@hookimpl\ndef router_transform_message(route): return Message(route.table)", "t"),
        ("@hookimpl\ndef router_transform_message(): return None", {"n": 1}),
    ],
)
def test_a_message_step(code: str, data: Any, load: Any) -> None:
    """It gives the hook the arguments it asks for, and takes None for no change."""
    plugins, findings = load(p=code)
    (step,) = plugins.message_pipeline()
    assert (findings, step(MESSAGE, ROUTE).data) == ([], data)


@pytest.mark.parametrize(
    ("code", "item"),
    [
        (f"{I}return {{}}", {}),
        (f"{I}return None", ITEM),
        ("@hookimpl\ndef router_transform_item(route, item): return {**item, 'r': route.name}", {"id": "1", "r": "r"}),
    ],
)
def test_an_item_step(code: str, item: Any, load: Any) -> None:
    """It gives the hook the arguments it asks for, and takes None for no change."""
    plugins, findings = load(p=code)
    (step,) = plugins.item_pipeline()
    assert (findings, step(ITEM, MESSAGE, ROUTE)) == ([], item)


@pytest.mark.parametrize(("signal", "kind"), [("Drop()", Drop), ("Reject('why')", Reject), ("Retry('why', 3)", Retry)])
def test_signals_pass_through(signal: str, kind: type[Exception], load: Any) -> None:
    """What a plugin decides reaches the engine as it is."""
    plugins, _ = load(p=f"{M}raise {signal}\n{I}raise {signal}")
    for steps, given in ((plugins.message_pipeline(), ()), (plugins.item_pipeline(), (ITEM,))):
        with pytest.raises(kind) as caught:
            steps[0](*given, MESSAGE, ROUTE)
        assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("body", "did", "original"),
    [
        ("raise KeyError('secret')", "raised KeyError (p.py:{line})", "KeyError"),
        ("raise RouterError('secret')", "raised RouterError (p.py:{line})", "RouterError"),
        ("return ['secret']", "returned a value of type list, not {} or None", "TypeError"),
    ],
)
def test_other_exceptions_name_the_plugin(body: str, did: str, original: str, load: Any) -> None:
    """All else becomes a PluginError, whose text has the line and no value."""
    plugins, _ = load(p=f"{M}{body}\n{I}{body}")
    for hook, steps, given, kind, line in (
        ("router_transform_message", plugins.message_pipeline(), (), "a Message", 4),
        ("router_transform_item", plugins.item_pipeline(), (ITEM,), "a dict", 7),
    ):
        with pytest.raises(PluginError) as caught:
            steps[0](*given, MESSAGE, ROUTE)
        error = caught.value
        assert (str(error), error.plugin, error.hook, type(error.original).__name__) == (
            f"plugin 'p': {hook} {did.format(kind, line=line)}",
            "p",
            hook,
            original,
        )


def test_two_plugins_of_one_name(load: Any) -> None:
    """The second is refused before it is loaded, also if the first has a fault."""
    plugins, findings = load("p.py", "../no/p.py", p="raise ValueError")
    assert (plugins.names, plugins.left_out, findings) == (
        (),
        ("p",),
        [
            "plugins/0: error RT501 plugin 'p' cannot be loaded: ValueError (p.py:2)",
            (
                "plugins/1: error RT502 two plugins are named 'p': 'p.py' and '../no/p.py'; a plugin's name is its "
                "file's "
                "name without '.py': rename one, or take it out"
            ),
        ],
    )


def test_one_module_under_two_names(load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some modules answer to two names, as that of `os.path` does; as plugins they are one."""
    (tmp_path / "acme_one.py").write_text(
        "from router import hookimpl\n@hookimpl\ndef router_outcome(): ...\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "acme_two", importlib.import_module("acme_one"))

    plugins, findings = load("acme_one", "acme_two")

    assert (plugins.names, findings) == (
        ("acme_one",),
        ["plugins/1: error RT502 plugin 'acme_two' is the module that is plugin 'acme_one' already; take one out"],
    )


def test_all_faults_at_once_and_the_rest_goes_on(load: Any) -> None:
    """One plugin's faults hide neither another's faults nor another's hooks."""
    plugins, findings = load(
        "gone.py",
        "bad.py",
        "good.py",
        bad="def router_stop(): ...\n@hookimpl\ndef router_x(): ...\n@hookimpl\nasync def router_start(): ...",
        good=mark("good"),
    )
    assert (
        plugins.names,
        plugins.left_out,
        run_items(plugins.item_pipeline()),
        [finding.split(" plugin")[0] for finding in findings],
    ) == (
        ("good",),
        ("gone", "bad"),
        ["good"],
        ["plugins/0: error RT501", "plugins/1: error RT503", "plugins/1: error RT504", "plugins/1: error RT505"],
    )


SEEN = "SEEN = []\n"


def test_observers_are_reported_in_order(load: Any) -> None:
    """Outcomes, batches, start and stop reach those who observe; stop in the reverse order."""
    code = "".join(
        f"@hookimpl\ndef router_{hook}({argument}):\n    {argument}.append('{{name}} {hook}')\n"
        for hook, argument in (
            ("outcome", "outcome"), ("batch_done", "summary"), ("start", "router"), ("stop", "router")
        )
    )  # fmt: skip
    plugins, _ = load(a=code.replace("{name}", "a"), b=code.replace("{name}", "b"))
    seen: list[str] = []
    plugins.start(seen)
    plugins.notify("router_outcome", seen)
    plugins.notify("router_batch_done", seen)
    plugins.stop(seen)
    assert (plugins.observes("router_outcome"), seen) == (
        True,
        [
            "a start", "b start", "a outcome", "b outcome", "a batch_done", "b batch_done", "b stop", "a stop",
        ],
    )  # fmt: skip


def test_an_observer_that_raises_is_logged_and_ignored(load: Any, caplog: pytest.LogCaptureFixture) -> None:
    """One line each, without the text of the exception; the next observer is reported all the same."""
    bad = "".join(
        f"@hookimpl\ndef router_{hook}(): raise KeyError('s')\n" for hook in ("outcome", "batch_done", "stop")
    )
    plugins, _ = load(bad=bad, good="@hookimpl\ndef router_outcome(outcome): print(outcome.message_id)")
    with caplog.at_level(logging.INFO):
        plugins.notify("router_outcome", RESULT)
        plugins.notify("router_batch_done", Summary("q", {}, 0.0))
        plugins.stop(None)
    assert caplog.record_tuples == [
        ("router.plugins", logging.ERROR, f"plugin 'bad': router_{hook} raised KeyError (bad.py:{line})")
        for hook, line in (("outcome", 3), ("batch_done", 5), ("stop", 7))
    ]


def test_a_plugin_that_cannot_start_stops_the_program(load: Any) -> None:
    """What a start hook raises is a PluginError, also a signal, which has no meaning there."""
    plugins, _ = load(p="@hookimpl\ndef router_start(): raise Retry('later')")
    with pytest.raises(PluginError, match=r"^plugin 'p': router_start raised Retry \(p\.py:3\)$"):
        plugins.start(None)


def test_the_plugins_are_frozen(load: Any) -> None:
    """Nothing can be added after the load."""
    plugins, _ = load(p=mark("p"))
    with pytest.raises(TypeError):
        plugins.transforms["x"] = len


FREED = """
class State:
    big = bytes(1000)
def shout(value):
    return value.upper() + str(State.big)
@hookimpl
def router_register_transforms(register):
    register("shout", shout)
@hookimpl
def router_transform_message(message, route):
    return message
@hookimpl
def router_start(router):
    State.router = router
"""


def plugin_modules() -> set[str]:
    """The names of the modules of plugin files that are loaded."""
    return {name for name in sys.modules if name.startswith("_router_plugin_")}


def test_modules_are_freed(compile_: Any) -> None:
    """A module of a plugin file lives as long as its program, and no longer, also after two hundred loads."""
    modules: list[weakref.ref[ModuleType]] = []
    before = plugin_modules()
    known = set(before)
    for _ in range(200):
        program = compile_("{queue: q, table: things, item: {id: {from: id, transform: [shout]}}}", acme=FREED)
        program.plugins.start(program.router)
        (name,) = plugin_modules() - known
        known.add(name)
        modules.append(weakref.ref(sys.modules[name]))
    del program
    gc.collect()

    assert ([each for each in modules if each() is not None], plugin_modules() - before) == ([], set())


def test_module_of_a_running_program(compile_: Any) -> None:
    """As long as the program is in use, its modules can be found by their names, as pickle does."""
    program = compile_(acme="@hookimpl\ndef router_start(router):\n    import sys; sys.modules[__name__]\n")
    gc.collect()

    program.plugins.start(program.router)


def test_modules_of_a_config_with_errors_are_freed(load: Any) -> None:
    """A plugin with an error is not used, and its module not kept."""
    before = plugin_modules()

    findings = load(acme="def router_starts(router):\n    pass\n")[1]
    gc.collect()

    assert (len(findings), plugin_modules() - before) == (1, set())


@pytest.mark.parametrize("error", ["SystemExit(1)", "GeneratorExit", "Odd"])
def test_whatever_a_plugin_raises_at_load_is_a_finding(load: Any, error: str) -> None:
    """Also exceptions that are no Exception, such as SystemExit and asyncio.CancelledError."""
    odd = "class Odd(BaseException):\n    pass\n"
    hook = f"@hookimpl\ndef router_register_transforms(register):\n    raise {error}\n"

    plugins, findings = load(one=f"{odd}raise {error}\n", two=f"{odd}{hook}")

    assert (plugins.left_out, [finding.split()[2] for finding in findings]) == (("one", "two"), ["RT501", "RT507"])


@pytest.mark.parametrize("error", ["SystemExit(1)", "GeneratorExit"])
def test_whatever_a_plugin_raises_at_start_is_its_error(compile_: Any, error: str) -> None:
    """The program does not start, and the error names the plugin."""
    program = compile_(acme=f"@hookimpl\ndef router_start(router):\n    raise {error}\n")

    with pytest.raises(PluginError, match=r"^plugin 'acme': router_start raised \w+Exit \(acme\.py:4\)$"):
        program.plugins.start(program.router)


def test_ctrl_c_while_plugins_load(load: Any) -> None:
    """It ends the command, as everywhere."""
    with pytest.raises(KeyboardInterrupt):
        load(acme="raise KeyboardInterrupt\n")


@pytest.mark.parametrize(
    "hook", ["router_register_transforms(register)", "router_start(router)", "router_stop(router)"]
)
def test_ctrl_c_in_a_hook(load: Any, hook: str) -> None:
    """It is no fault of the plugin."""

    def run() -> None:
        plugins, _ = load(acme=f"@hookimpl\ndef {hook}:\n    raise KeyboardInterrupt\n")
        router: Any = None
        plugins.start(router)
        plugins.stop(router)

    with pytest.raises(KeyboardInterrupt):
        run()


def test_ctrl_c_in_a_check_of_a_plugin(load: Any) -> None:
    """It ends the command."""
    check = "lambda config: (_ for _ in ()).throw(KeyboardInterrupt)"
    hook = f"@hookimpl\ndef router_register_checks(register):\n    register({check})\n"
    plugins, _ = load(acme=hook)
    (registered,) = plugins.checks

    with pytest.raises(KeyboardInterrupt):
        registered({})
