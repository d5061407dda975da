"""`router compile`: write a config as one file, from which the router starts faster."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.errors import UsageError
from router.runtime.printable import printable
from router.tools.cli.masked_output import tell
from router.tools.cli.options import choose_config, config_argument, output_option, write_file

if TYPE_CHECKING:
    from router.runtime.program.precompiled import Opened


@click.command("compile")
@config_argument
@output_option(required=True, help="The file to write, such as routes.compiled.json.")
def command(file: Path | None, config: Path | None, output: Path) -> None:
    """Check a config and write it as one file, with its included files and its schemas.

    The router starts faster from that file than from the YAML file: set it as ROUTER_CONFIG of the Lambda function or
    as --config of the worker. `${NAME}` in it is read at the start. Plugins are not in it: they are found by their
    names, relative to the folder of the file. The same config always makes the same bytes.

    Exit code 0: written; 1: the config has errors; 2: could not run.

    \b
    Examples:
      router compile -o routes.compiled.json
      router compile flows/routes.yaml --output flows/routes.compiled.json
    """
    from router.runtime.program.precompiled import unpack
    from router.tools.check.run import examine
    from router.tools.cli.report import count_findings, show_findings
    from router.tools.deploy.precompile import precompile

    path = choose_config(file, config)
    if output.exists() and output.samefile(path):
        raise UsageError(f"{output} is the config itself: give another file with -o")
    report = examine(path, os.environ, None, "warning")
    if any(finding.code.severity == "error" for finding in report.findings):
        show_findings(report.findings, err=False)
        tell(count_findings(report.findings, report.ignored, report.ledger))
        sys.exit(1)
    content = precompile(path)
    write_file(output, content)
    click.echo(f"wrote {output}: {len(content):,} bytes")
    for label, names in _contents(unpack(content, str(output))).items():
        click.echo(f"  {label:<9}  {printable(', '.join(names)) or 'none'}")


def _contents(compiled: "Opened") -> dict[str, list[str]]:
    """Return the names of what a compiled config has, and of the variables and plugins that a start needs."""
    from router.runtime.config.environment import REDACT_KEY
    from router.runtime.config.merge import relocate_plugin
    from router.tools.check.variables import redacts, variables_in

    files = compiled.files.files
    variables = {name for file in files for name in variables_in(file.data, file.references)}
    variables |= {REDACT_KEY for file in files if redacts(file.data)}
    return {
        "files": [file.name for file in files],
        "schemas": list(compiled.schemas.files),
        "variables": sorted(variables),
        "plugins": [
            relocate_plugin(entry, file.folder)
            for file in files
            for entry in file.data.get("plugins") or ()
        ],
    }
