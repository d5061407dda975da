"""Makes the package for `router build`, and shows what is in it."""

import os
import sys
from functools import partial
from pathlib import Path

import click
import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from router.model import JsonObject
from router.runtime.config.environment import RT005
from router.runtime.printable import printable
from router.tools.check.run import examine
from router.tools.cli.masked_output import tell
from router.tools.cli.options import Repeated
from router.tools.cli.report import count_findings, show_findings
from router.tools.cli.terminal import output as stdout
from router.tools.deploy.archive import as_megabytes
from router.tools.deploy.build import HANDLER, BuildResult, build, target_of
from router.tools.deploy.requirements import FILE, PLUGINS
from router.tools.deploy.targets import Arch, Python


class BuildOptions(Struct, frozen=True):
    """The options of the command."""

    config: Path
    arch: Arch | None
    python: Python | None
    output: Path
    bytecode: bool | None
    form: str
    allowed: Repeated


def run_build(options: BuildOptions) -> bool:
    """Build the package; return whether it is too large."""
    _check(options.config)
    with Console(stderr=True).status("building") as status:
        built = build(
            options.config,
            options.output,
            partial(target_of, arch=options.arch, python=options.python),
            report=status.update,
            bytecode=options.bytecode,
            allowed=options.allowed,
        )
    if options.form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(_as_record(built)), indent=2).decode())
    else:
        _show(built)
    if built.archive.over:
        tell(f"router: {built.archive.over}; nothing was written")
    return bool(built.archive.over)


def _check(config: Path) -> None:
    """Print the findings; exit if there are errors."""
    report = examine(config, os.environ, None, "warning")
    # Variables are read where the function starts.
    unset = (RT005.id, "warning")
    findings = [
        finding for finding in report.findings if (finding.code.id, finding.code.severity) != unset
    ]
    show_findings(findings, err=True)
    if any(finding.code.severity == "error" for finding in findings):
        tell(count_findings(report.findings, report.ignored, report.ledger))
        sys.exit(1)


def _show(built: BuildResult) -> None:
    archive = built.archive
    contents = built.contents
    table = Table("part", "files", "zipped", "unzipped")
    for column in table.columns[1:]:
        column.justify = "right"
    for part in sorted(archive.parts, key=lambda part: -part.zipped):
        table.add_row(
            part.name, str(part.files), as_megabytes(part.zipped), as_megabytes(part.unzipped)
        )
    table.add_section()
    files = sum(part.files for part in archive.parts)
    table.add_row("all", str(files), as_megabytes(archive.size), as_megabytes(archive.unzipped))
    stdout().print(table)
    for name in contents.packages.provided:
        click.echo(f"left out: {name}, which the Lambda runtime has, in its own version")
    for each in contents.left_out:
        click.echo(printable(f"left out: {each.name}: {each.reason}"))
    for missing in contents.missing_imports:
        click.echo(
            printable(
                f"not packed: {missing.name}, which {missing.file} imports; add it to {PLUGINS}/{FILE}"
            )
        )
    if contents.packages.floating:
        names = ", ".join(f"{wheel.name} {wheel.version}" for wheel in contents.packages.floating)
        click.echo(
            f"not pinned: {names}; write exact versions into {PLUGINS}/{FILE} to build the same package later"
        )
    if built.no_bytecode:
        click.echo(f"no bytecode: {built.no_bytecode}; a cold start takes longer")
    if built.smoke_test:
        click.echo(f"{built.target}: {built.smoke_test}")
        click.echo(f"built {archive.path}, handler {HANDLER}, sha256 {archive.sha256}")


def _as_record(built: BuildResult) -> JsonObject:
    """Return the result for JSON; sizes are in bytes."""
    test = built.smoke_test
    archive = built.archive
    contents = built.contents
    return {
        "path": None if archive.over else str(archive.path),
        "handler": HANDLER,
        "runtime": built.target.runtime,
        "architecture": built.target.arch,
        "size": archive.size,
        "unzipped": archive.unzipped,
        "sha256": archive.sha256,
        "over": archive.over,
        "parts": archive.parts,
        "wheels": [
            {"file": wheel.file.name, "sha256": wheel.sha256} for wheel in contents.packages.wheels
        ],
        "provided": contents.packages.provided,
        "floating": [f"{wheel.name}=={wheel.version}" for wheel in contents.packages.floating],
        "left_out": [{"name": each.name, "why": each.reason} for each in contents.left_out],
        "missing_imports": contents.missing_imports,
        "binaries": test.binaries if test else None,
        "no_bytecode": built.no_bytecode or None,
        "imported_in": test.interpreter if test else None,
        "not_imported": test.reason if test else None,
    }
