"""Libraries are imported without what they do not need."""

import copy
import pickle
import re
import subprocess
import sys
from _thread import start_new_thread
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from router.runtime.import_stubs import (
    import_libraries,
    import_with,
    import_without_patterns,
    make_module,
    postpone,
    postpone_function,
)

PROGRAM = """
import sys
{before}
import builtins
compiled, real = [], compile
def compile_text(source, *values, **named):
    compiled.extend([source] if isinstance(source, str) else [])
    return real(source, *values, **named)
builtins.compile = compile_text
from router.runtime.import_stubs import import_libraries
import_libraries()
builtins.compile = real
names = (
    "fnmatch", "ipaddress", "msgspec._json_schema", "msgspec.inspect", "msgspec.toml", "msgspec.yaml", "ntpath",
    "platform", "selectors", "string", "struct", "textwrap", "tokenize",
)
print([name for name in names if name in sys.modules], compiled)
import ipaddress, linecache, logging, msgspec, pathlib, platform, socket, traceback, typing, urllib.parse, uuid
print(
    msgspec.json.schema(int), msgspec.json.schema_components([int])[0], type(msgspec.inspect.type_info(int)).__name__,
    pathlib.PureWindowsPath("c:/a/b").parent, pathlib.PurePath("a.py").match("*.py"), platform.system(),
    urllib.parse.urlsplit("http://[::1]:80").hostname, len(str(uuid.uuid4())), ipaddress.ip_address("::1"),
)
print(logging.Formatter("{message:>3}", style="{").format(logging.makeLogRecord({"msg": "a"})))
print(urllib.parse.unquote("%C3%A9a"))
record = logging.makeLogRecord({"msg": "text"})
print(*(logging.Formatter(form, style=style).format(record) for form, style in (("$message", "$"), ("{message}", "{"))))
print(msgspec.toml.decode.__module__, msgspec.yaml.decode.__module__)
print(typing.ForwardRef("int", is_class=True).__forward_arg__, "".join(linecache.getlines(LINES)), end="")
class Sample(msgspec.Struct):
    value: "int"
print(msgspec.json.decode(b'{"value": 1}', type=Sample))
try:
    compile("1 +", "sample", "exec")
except SyntaxError as error:
    print(traceback.format_exception(error)[-1], end="")
one, other = socket.socketpair()
with open(LINES, "rb") as stream:
    print(one.sendfile(stream), other.recv(9))
import base64, copy, ssl
print(base64.b85decode(base64.b85encode(b"ab")), copy.copy([1]), ssl._TLSAlertType(40), ssl._TLSMessageType.FINISHED)
print(type(ssl._TLSContentType(21)).__name__, ssl.TLSVersion.TLSv1_3.name, ssl.CERT_REQUIRED.name)
"""
WORKS = """{'type': 'integer'} ({'type': 'integer'},) IntType c:\\a True Linux ::1 36 ::1
  a
éa
text text
msgspec.toml msgspec.yaml
int line
Sample(value=1)
SyntaxError: invalid syntax
5 b'line\\n'
b'ab' [1] 40 20
_TLSContentType TLSv1_3 CERT_REQUIRED
"""
AT_ONCE = "['fnmatch']" if sys.version_info[:2] == (3, 12) else "[]"
"""What is imported nevertheless: `pathlib` of Python 3.12 takes a pattern from it."""
LIBRARY = "from needed_module import value\nimport wanted_module\n"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of pytest-xdist run other threads."""
    monkeypatch.setattr("sys._current_frames", lambda: {0: None})


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A library that imports two modules, of which one exists."""
    (tmp_path / "sample_library.py").write_text(LIBRARY)
    (tmp_path / "wanted_module.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("sample_library", "wanted_module"):
        sys.modules.pop(name, None)


@pytest.mark.skipif(sys.platform != "linux", reason="it names the system")
@pytest.mark.parametrize(
    ("before", "imported"),
    [("", AT_ONCE), ("import fnmatch, ipaddress, platform", "['fnmatch', 'ipaddress', 'platform']")],
)
def test_libraries(before: str, imported: str, tmp_path: Path) -> None:
    """They import nothing of what they need not, and work, as do the modules that were not imported for a while."""
    (tmp_path / "lines").write_text("line\n")
    given = f"import sys; sys.path[:0] = {sys.path!r}; LINES = {str(tmp_path / 'lines')!r}\n"
    command = [sys.executable, "-S", "-c", given + PROGRAM.replace("{before}", before)]

    output = subprocess.run(command, capture_output=True, text=True, check=True)

    assert output.stdout == f"{imported} []\n{WORKS}"


def test_import_stubs(library: None) -> None:
    """They are there while a library is imported, and one that is postponed imports its module for a value."""
    import_with("sample_library", make_module("needed_module", value=1), postpone("wanted_module"))
    found = sys.modules["sample_library"]

    before = {"needed_module", "wanted_module"} & sys.modules.keys()

    assert (before, found.value, found.wanted_module.answer, "wanted_module" in sys.modules) == (set(), 1, 42, True)


def test_a_module_that_is_there(library: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stands in for what is imported already, and a library is imported once."""
    needed = make_module("needed_module", value=2)
    monkeypatch.setitem(sys.modules, "needed_module", needed)

    for value in (3, 4):
        import_with("sample_library", make_module("needed_module", value=value))

    assert (sys.modules["sample_library"].value, sys.modules["needed_module"]) == (2, needed)


def test_a_function(library: None, tmp_path: Path) -> None:
    """A function that is postponed imports its module when it is called."""
    (tmp_path / "wanted_module.py").write_text("def double(number, *, plus): return 2 * number + plus\n")

    double = postpone_function("wanted_module", "double")

    assert ("wanted_module" in sys.modules, double(3, plus=1), "wanted_module" in sys.modules) == (False, 7, True)


def test_types_of_a_package(tmp_path: Path) -> None:
    """`typing_extensions`, of any version, is as it would be without `import_libraries`, which does not import it."""
    (tmp_path / "typing_extensions.py").write_text(
        "import typing\nfrom typing import ForwardRef, NotRequired, Required, get_type_hints\n"
    )
    program = f"""
import sys
sys.path[:0] = {[str(tmp_path), *sys.path]!r}
from router.runtime.import_stubs import import_libraries
import_libraries()
print("typing_extensions" in sys.modules)
import msgspec, typing, typing_extensions
print(typing_extensions.ForwardRef is typing.ForwardRef)
class Sample(typing.TypedDict):
    value: typing_extensions.NotRequired[int]
print(msgspec.json.decode(b"{{}}", type=Sample))
"""

    output = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True)

    assert output.stdout == "False\nTrue\n{}\n"


def test_libraries_again() -> None:
    """Where they are imported already, they stay what they are."""
    before = {name: sys.modules[name] for name in ("msgspec", "pathlib", "urllib.parse", "uuid")}

    import_libraries()

    assert {name: sys.modules[name] for name in before} == before


def test_a_library_that_uses_what_is_postponed(library: None, tmp_path: Path) -> None:
    """It gets a value while it is imported, as `pathlib` of Python 3.12 does."""
    (tmp_path / "sample_library.py").write_text("import wanted_module\ntwice = 2 * wanted_module.answer\n")

    import_with("sample_library", postpone("wanted_module"))

    found = sys.modules["sample_library"]
    assert (found.twice, sys.modules["wanted_module"].answer) == (84, 42)


def test_another_thread(library: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stands in for a module or a function where another thread could get it."""
    monkeypatch.undo()
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "needed_module.py").write_text("import re\nvalue = type(re.compile('a')) is re.Pattern\n")
    begun, end, ended = Event(), Event(), Event()

    def wait() -> None:
        begun.set()
        end.wait()
        ended.set()

    # As a library in C does: `threading` does not count it.
    start_new_thread(wait, ())
    begun.wait()
    try:
        import_without_patterns("sample_library", make_module("needed_module", value="stand-in"))
    finally:
        end.set()
        ended.wait()

    assert sys.modules.pop("needed_module").value is sys.modules["sample_library"].value is True


def test_a_library_that_fails(library: None) -> None:
    """Nothing is left of what stood in for a module."""
    with pytest.raises(ImportError, match="cannot import name 'value' from 'needed_module'"):
        import_with("sample_library", make_module("needed_module"))

    assert "needed_module" not in sys.modules


def test_the_library_of_schemas() -> None:
    """A start with a schema does not import the email package, nor what the library has besides validators."""
    program = """
import sys
from pathlib import Path
from router.runtime.config.findings import Findings
from router.runtime.program.schemas.compile import SchemaStore
check = SchemaStore(Path()).compile({"type": "string"}, Findings(None), ())
print(check("text"), {"email.utils", "jsonschema_rs.canonical"} & sys.modules.keys())
import jsonschema_rs
print(jsonschema_rs.canonical.TrueView.__name__)
from email.utils import parsedate_to_datetime
print(parsedate_to_datetime("1 Jan 2026 00:00:00 +0000").year)
"""

    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert output.stdout == "None set()\nTrueView\n2026\n"


def test_patterns_are_compiled_when_they_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a module that is imported so, and no others."""
    (tmp_path / "sample_patterns.py").write_text(
        "import re\nword, spaced = re.compile('[a-z]+'), re.compile('a b', re.X)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import_without_patterns("sample_patterns")
    module = sys.modules.pop("sample_patterns")

    found = module.word.match("ab1").group(), module.spaced.match("ab").group(), type(re.compile("a")) is re.Pattern

    assert (type(module.word) is re.Pattern, found) == (False, ("ab", "ab", True))


def test_a_pattern_is_one_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin may take a pattern of such a module for its own use."""
    (tmp_path / "sample_patterns.py").write_text("import re\nword = re.compile('[a-z]+', re.I)\n")
    monkeypatch.syspath_prepend(tmp_path)
    import_without_patterns("sample_patterns")
    word = sys.modules.pop("sample_patterns").word

    copies = [copy.copy(word), copy.deepcopy(word), pickle.loads(pickle.dumps(word)), re.compile(word)]

    assert [isinstance(each, re.Pattern) and each.fullmatch("aB") is not None for each in copies] == [True] * 4
    assert re.sub(word, "-", "Aa1b") == "-1-"
