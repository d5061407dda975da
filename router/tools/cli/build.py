"""`router build`: build the package of the Lambda function for its platform."""

import sys
from pathlib import Path
from typing import Any

import click

from router.tools.cli.options import allow_file_option, config_option, output_option
from router.tools.deploy.targets import ARCHES, PYTHONS


@click.command("build")
@config_option
@click.option(
    "--arch", type=click.Choice(ARCHES), help="The processor.  [default: the config's, else arm64]"
)
@click.option(
    "--python", type=click.Choice(PYTHONS), help="The runtime.  [default: the config's, else 3.13]"
)
@output_option(default=Path("dist/lambda.zip"), show_default=True, help="The file.")
@click.option(
    "--bytecode/--no-bytecode",
    default=None,
    help="Compile all modules with the function's Python, for a faster cold start.  [default: if this machine has it]",
)
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
@allow_file_option
def command(**options: Any) -> None:
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
    # What builds a package takes 0.3 s to import.
    from router.tools.cli.build_run import BuildOptions, run_build

    sys.exit(run_build(BuildOptions(**options)))
