"""Compares the whole function with that of an earlier commit: `python benchmarks/compare.py COMMIT [--messages 100]`.

The functions take turns on one core, each with batches of small messages and calls that take some time, as in the
suite of the whole function; beside them, one in Rust if cargo can build it. Each figure is the median of the rounds;
the last column is that of the wall-clock times relative to the commit, each within its round.
"""

import argparse
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import rust
from environment import HERE, BenchmarkError
from function import RUST, RUST_SOURCES, WARM_UP, FunctionCase, Functions, build_package, make_image, own_core
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table
from serving import serve

THIS = "this version"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="as git names it: a hash, a tag, HEAD~5")
    parser.add_argument("--messages", type=_positive, default=100, help="the messages of a batch")
    parser.add_argument("--latency", type=int, default=5, help="the milliseconds of a call")
    parser.add_argument("--rounds", type=_positive, default=7)
    options = parser.parse_args()
    try:
        show(options.commit, measure(options.commit, options.messages, options.latency, options.rounds))
    except BenchmarkError as error:
        sys.exit(str(error))


def measure(commit: str, count: int, latency: int, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of a batch by program and round; raises BenchmarkError."""
    case = FunctionCase(count, latency, 20)
    digest, found = case.digest(), dict[str, list[float]]()
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        packages = {commit: build_package(_in(folder, "then"), checkout=check_out(commit, Path(folder)))}
        packages[THIS] = build_package(_in(folder, "now"), checkout=HERE.parent)
        made = rust.build(RUST_SOURCES, Path(folder) / "rust")
        if isinstance(made, str):
            print(f"the function in Rust is left out: {made}", file=sys.stderr)
        image, server = make_image(Path(folder)), stack.enter_context(serve())
        core = stack.enter_context(own_core(server))
        for _ in track(range(rounds), "rounds", console=Console(stderr=True), transient=True):
            for name, package in packages.items():
                functions = Functions(server, {"routes": package, "pointers": package}, image, core, made)
                for program in ["router", RUST] if name == THIS and isinstance(made, Path) else ["router"]:
                    run = functions.run(program, case, digest, WARM_UP + case.batches)
                    seconds = statistics.median([wall for wall, _ in run.batches[WARM_UP:]])
                    found.setdefault(name if program == "router" else program, []).append(seconds)
    return found


def show(commit: str, found: dict[str, list[float]]) -> None:
    """Print the table."""
    table = Table("program", "ms a batch", f"relative to {commit}", box=box.SIMPLE)
    for program, seconds in found.items():
        ratio = statistics.median([each / then for each, then in zip(seconds, found[commit], strict=True)])
        table.add_row(program, f"{statistics.median(seconds) * 1e3:.2f}", f"{ratio:.3f}")
    Console().print(table)


def _in(folder: str, name: str) -> Path:
    made = Path(folder, name)
    made.mkdir()
    return made


def check_out(commit: str, folder: Path) -> Path:
    """Unpack the files of a commit; raises BenchmarkError."""
    target, archive = folder / "checkout", folder / "checkout.tar"
    target.mkdir()
    for command in (["git", "archive", "-o", str(archive), commit], ["tar", "-xf", str(archive), "-C", str(target)]):
        try:
            done = subprocess.run(command, check=False, cwd=HERE.parent, capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BenchmarkError(f"cannot unpack {commit}: {error}") from None
        if done.returncode:
            raise BenchmarkError(f"cannot unpack {commit}: {done.stderr.strip()}")
    if not (target / "router" / "__main__.py").is_file():
        # Python would run the router that is installed.
        raise BenchmarkError(f"{commit} has no program 'router'")
    return target


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return int(text)


if __name__ == "__main__":
    main()
