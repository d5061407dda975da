"""`router build`: build the package of the Lambda function for its platform."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from router.runtime.config.environment import RT005
from router.runtime.printable import printable
from router.tools.check.run import examine
from router.tools.cli.options import allow_file_option, config_option, output_option
from router.tools.cli.report import count_findings, show_findings
from router.tools.cli.terminal import output as stdout
from router.tools.deploy.archive import as_megabytes
from router.tools.deploy.build import HANDLER, OUTPUT, BuildResult, build, target_of
from router.tools.deploy.requirements import FILE, PLUGINS
from router.tools.deploy.targets import ARCHES, PYTHONS, Arch, Python


@click.command("build")
@config_option
@click.option(
    "--arch", type=click.Choice(ARCHES), help="The processor.  [default: the config's, else arm64]"
)
@click.option(
    "--python", type=click.Choice(PYTHONS), help="The runtime.  [default: the config's, else 3.13]"
)
@output_option(default=OUTPUT, show_default=True, help="The file.")
@click.option(
    "--bytecode/--no-bytecode",
    default=None,
    help="Compile all modules with the function's Python, for a faster cold start.  [default: if this machine has it]",
)
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
@allow_file_option
def command(
    config: Path,
    arch: Arch | None,
    python: Python | None,
    output: Path,
    bytecode: bool | None,
    form: str,
    allowed: tuple[str, ...],
) -> None:
    """Check a config and build the Lambda package: router, plugins, schemas, compiled config, and dependencies.

    pip downloads the dependencies as wheels for Lambda, on any machine: those of the router in the versions that are
    installed here, and those in plugins/requirements.txt. Then a clean Python imports the package, if there is one like
    the function's. The same files always make the same bytes. A file that seems to hold a secret is not packed.

    Exit code 0: built; 1: the config has errors, or the package is too large; 2: could not run.

    \b
    Examples:
      router build
      router build --arch x86_64 --python 3.12 --no-bytecode
      router build -c flows/routes.yaml -o dist/flows.zip --format json
    """
    _check(config)
    with Console(stderr=True).status("building") as status:
        built = build(
            config,
            output,
            partial(target_of, arch=arch, python=python),
            report=status.update,
            bytecode=bytecode,
            allowed=allowed,
        )
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(_as_record(built)), indent=2).decode())
    else:
        _show(built)
    if built.archive.over:
        click.echo(f"router: {built.archive.over}; nothing was written", err=True)
        sys.exit(1)


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
        click.echo(count_findings(report.findings, report.ignored, report.ledger), err=True)
        sys.exit(1)


def _show(built: BuildResult) -> None:
    archive, contents = built.archive, built.contents
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


def _as_record(built: BuildResult) -> dict[str, Any]:
    """Return the result for JSON; sizes are in bytes."""
    test, archive, contents = built.smoke_test, built.archive, built.contents
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
