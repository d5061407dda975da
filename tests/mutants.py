"""Mutation tests: change modules in many small ways, and show the changes that their unit tests do not notice.

mutmut works in a copy of the repository, `build/mutants`, so that the sources are never changed. Read a change that
survives: it shows a missing test, or code that makes no difference.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
COPY = ROOT / "build" / "mutants"
DEFAULT = ("router/engine", "router/deliver", "router/run")
MORE_TESTS = {"router/engine": "tests/unit/modes"}
"""The unit tests of a package are those in the folder of its name; these are more of them."""
NOT_MUTATED = ("tests", "docs", "benchmarks", "plugins", "schemas", ".github", "README.md", "routes.yaml")
"""What tests read besides `router`."""


def main(arguments: Sequence[str]) -> None:
    """Run mutmut for modules, and show the changes that survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", default=DEFAULT, metavar="MODULE", help="a file or folder of router/")
    modules = [Path(name) for name in parser.parse_args(arguments).modules]
    for module in modules:
        if not (ROOT / module).exists():
            parser.error(f"there is no {module}")
    _copy()
    _configure(modules)
    _mutmut("run")
    listed = [line.strip().rpartition(": ") for line in _mutmut("results", quiet=True).splitlines()]
    survivors = [name for name, _, status in listed if status == "survived"]
    for name in survivors:
        _mutmut("show", name)
    print(f"{len(survivors)} changes survived")


def _copy() -> None:
    """Copy the files of the repository, those that are not committed included."""
    shutil.rmtree(COPY, ignore_errors=True)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name)


def _configure(modules: Sequence[Path]) -> None:
    """Add mutmut's configuration to the copy."""
    packages = {(module.parent if module.suffix else module).as_posix() for module in modules}
    tests = {each.replace("router", "tests/unit", 1) for each in packages} | {
        MORE_TESTS[each] for each in packages & MORE_TESTS.keys()
    }
    settings = {
        "source_paths": ["router"],
        "only_mutate": [str(module if module.suffix else module / "*") for module in modules],
        "also_copy": NOT_MUTATED,
        "pytest_add_cli_args_test_selection": sorted(tests),
        # At first mutmut records each call, which makes some tests very slow; for changes it has its own time limit.
        "pytest_add_cli_args": ["--override-ini=timeout=0", "--hypothesis-profile=mutants", "-p", "no:cacheprovider"],
        "timeout_multiplier": 4.0,
        "timeout_constant": 2.0,
    }
    with (COPY / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n[tool.mutmut]\n")
        file.writelines(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())


def _mutmut(*arguments: str, quiet: bool = False) -> str:
    """Run mutmut in the copy; return its output if it is not printed."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    output = subprocess.PIPE if quiet else None
    done = subprocess.run(command, cwd=COPY, check=False, stdout=output, text=True)
    if done.returncode:
        sys.exit("mutmut failed; do the tests pass without changes?")
    return done.stdout or ""


if __name__ == "__main__":
    main(sys.argv[1:])
