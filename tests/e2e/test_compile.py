"""`router compile` as a user runs it, and what starts from its file."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

CONFIG = """\
version: 1
queues: {users: {name: "${STAGE}-users", dead_letter: users-dlq}}
tables: {users: {key: {id: S}}}
routes:
  users:
    queue: users
    table: users
    schema: schemas/user.yaml
    item: {id: id}
"""
SCHEMA = "{type: object, required: [id], properties: {id: {type: string, minLength: 1, maxLength: 99}}}\n"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("STAGE", "ROUTER_CONFIG")}
CREDENTIALS = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config with a schema, as `routes.yaml` of the folder that commands run in."""
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "user.yaml").write_text(SCHEMA)
    (tmp_path / "routes.yaml").write_text(CONFIG)
    return tmp_path / "routes.yaml"


def test_what_it_prints(router: Run, config: Path) -> None:
    """The file, and what is in it; a variable that is not set is no error."""
    done = router("compile", "-o", "routes.compiled.json", env=ENVIRONMENT)

    size = (config.parent / "routes.compiled.json").stat().st_size
    assert (done.returncode, done.stdout) == (
        0,
        (
            f"wrote routes.compiled.json: {size:,} bytes\n"
            "  files      routes.yaml\n"
            "  schemas    schemas/user.yaml\n"
            "  variables  STAGE\n"
            "  plugins    none\n"
        ),
    )


def test_again(router: Run, config: Path) -> None:
    """The same bytes, with other variables set and from another folder."""
    router("compile", "-o", "one.json", env=ENVIRONMENT)
    router(
        "compile", str(config), "-o", str(config.parent / "two.json"), cwd=Path("/"), env=ENVIRONMENT | {"STAGE": "x"}
    )

    assert (config.parent / "one.json").read_bytes() == (config.parent / "two.json").read_bytes()


def test_a_config_with_errors(router: Run, config: Path) -> None:
    """Its errors are printed, and nothing is written."""
    config.write_text(CONFIG.replace("table: users", "table: user"))

    done = router("compile", "-o", "out.json", env=ENVIRONMENT)

    assert (
        done.returncode,
        [line for line in done.stdout.splitlines() if "RT201" in line],
        list(config.parent.glob("o*")),
    ) == (
        1,
        ["routes.yaml:7:12: error RT201 unknown table 'user'; did you mean 'users'?"],
        [],
    )


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("routes.yaml", "routes.yaml is the config itself: give another file with -o"),
        ("gone/out.json", "cannot write gone/out.json: there is no folder gone; create it"),
    ],
)
def test_where_it_cannot_be_written(router: Run, config: Path, output: str, sentence: str) -> None:
    """A file that cannot be written is reported in a sentence, and the configuration is unchanged."""
    done = router("compile", "-o", output, env=ENVIRONMENT)

    assert (done.returncode, done.stderr, config.read_text()) == (2, f"router: {sentence}\n", CONFIG)


def test_a_file_of_another_version(router: Run, config: Path) -> None:
    """Is refused by what would start from it, with what to do."""
    router("compile", "-o", "out.json", env=ENVIRONMENT)
    file = config.parent / "out.json"
    file.write_text(file.read_text().replace('"router":"0.1.0"', '"router":"0.0.1"'))

    done = router("worker", "-c", "out.json", env=ENVIRONMENT | CREDENTIALS | {"STAGE": "live"})

    assert (done.returncode, done.stderr) == (
        2,
        (
            "router: out.json was compiled by router 0.0.1, and this is router 0.1.0: "
            "compile the config again, with router compile\n"
        ),
    )


def test_what_needs_the_yaml_file(router: Run, config: Path) -> None:
    """Says so."""
    router("compile", "-o", "out.json", env=ENVIRONMENT)

    done = router("check", "out.json", env=ENVIRONMENT)

    assert (done.returncode, done.stderr) == (
        2,
        "router: out.json is a compiled config: name the YAML file that it was made from\n",
    )


def test_a_variable_that_is_missing_at_the_start(router: Run, config: Path) -> None:
    """Stops the worker, with the finding that the YAML file has."""
    router("compile", "-o", "out.json", env=ENVIRONMENT)

    done = router("worker", "-c", "out.json", env=ENVIRONMENT | CREDENTIALS)

    assert (done.returncode, done.stderr) == (
        2,
        (
            "routes.yaml:2:24: error RT005 environment variable 'STAGE' is not set; set it, or give it a default: "
            "${STAGE:-…}\n"
        ),
    )


COLD_START = """
import sys
before = set(sys.modules)
from router.lambda_handler import PROGRAM, handler
loaded = set(sys.modules)
answer = handler({"Records": []}, None)
later = sorted(set(sys.modules) - loaded)
import gc, json
print(json.dumps([answer, list(PROGRAM.queues), gc.isenabled(), later, sorted(set(sys.modules) - before)]))
"""
LIBRARIES = {"msgspec", "jsonschema_rs", "httptools", "pluggy", "typing_extensions"}
"""What a start may import besides the standard library."""
NEVER = {
    "argparse", "asyncio", "boto3", "botocore", "concurrent.futures", "difflib", "http", "importlib.metadata",
    "jmespath", "opentelemetry", "router.prover", "router.runtime.aws.http.objects", "router.runtime.config.parse",
    "router.runtime.config.source", "router.runtime.deliver.otlp", "router.runtime.deliver.traces",
    "router.runtime.program.expressions.syntax", "router.runtime.program.schemas.cost", "router.runtime.run",
    "router.tools", "subprocess", "tempfile", "unittest", "urllib.request", "yaml", "zlib",
}  # fmt: skip
"""What the router itself does not import for it; what its libraries import is theirs."""
MOST_OWN = 106
MOST_PLAIN = 95
"""The most of the router that a start imports whose config names no transform and has no pointers to S3."""
UNUSED = {"router.runtime.deliver.payloads", "router.runtime.transforms"}
"""What such a start does without."""


@pytest.fixture
def start_cold(router: Run, repo: Path, tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Starts the handler with the compiled sample; it takes options of Python."""
    shutil.copytree(repo / "plugins", tmp_path / "plugins")
    router("compile", str(repo / "routes.yaml"), "-o", str(tmp_path / "routes.compiled.json"))
    env = ENVIRONMENT | CREDENTIALS | {"ROUTER_CONFIG": str(tmp_path / "routes.compiled.json")}

    def start(*options: str) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, *options, "-c", COLD_START]
        return subprocess.run(words, env=env, capture_output=True, text=True, check=True)

    return start


def test_what_a_cold_start_imports(start_cold: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    """The handler with the compiled sample imports no module of the router, and no library, that it need not.

    It imports them when it is loaded: Lambda gives it a whole processor then, and less for an invocation.
    """
    sentence = start_cold().stdout

    answer, queues, collects, later, modules = json.loads(sentence)
    own = {name for name in modules if name.partition(".")[0] == "router"}
    tops = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"router", "cython_runtime"}
    libraries = {name for name in tops if not name.startswith(("_router_plugin_", "_cython_"))}
    assert (answer, queues, collects, later) == (
        {"batchItemFailures": []},
        ["user-metadata", "playback-events", "orders"],
        True,
        [],
    )
    assert (libraries - LIBRARIES, NEVER & set(modules)) == (set(), set())
    assert len(own) <= MOST_OWN


def test_what_a_start_does_without(router: Run, config: Path) -> None:
    """A config that names no transform starts without them, and one without pointers without what follows them."""
    router("compile", "-o", "routes.compiled.json", env=ENVIRONMENT)
    env = ENVIRONMENT | CREDENTIALS | {"STAGE": "live", "ROUTER_CONFIG": str(config.parent / "routes.compiled.json")}

    done = subprocess.run([sys.executable, "-c", COLD_START], env=env, capture_output=True, text=True, check=True)

    answer, queues, _, later, modules = json.loads(done.stdout)
    own = {name for name in modules if name.partition(".")[0] == "router"}
    assert (answer, queues, later, UNUSED & own) == ({"batchItemFailures": []}, ["users"], [], set())
    assert len(own) <= MOST_PLAIN, len(own)
