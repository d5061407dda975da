"""`router template`: print the CloudFormation template of a config, a Dockerfile or a systemd unit."""

import os
from pathlib import Path

import click

from router.cli.options import config_option, output_option, write_file
from router.cli.report import exit_on_findings
from router.ops.template.document import (
    MAX_INLINE_BYTES,
    DeployableConfig,
    as_json,
    as_yaml,
    make_document,
    read_for_deployment,
)
from router.ops.template.worker import dockerfile, systemd_unit

FORMATS = ("yaml", "json", "docker", "systemd")


@click.command("template")
@config_option
@click.option("--worker", is_flag=True, help="The worker as an ECS service on Fargate, instead of the function.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="yaml",
    show_default=True,
    help="CloudFormation as YAML or JSON; or a Dockerfile or systemd unit, for a worker elsewhere.",
)
@output_option(help="The file.  [default: stdout]")
def command(config: Path, worker: bool, form: str, output: Path | None) -> None:
    """Print the CloudFormation template of a config: queues, tables, function, role, mappings, alarms, dashboard.

    Queues and tables with `managed: false`, or given by ARN or URL, are referred to but not created. Variables of the
    config (`${NAME}`) in names, keys, buckets and environment variables become parameters of the template; elsewhere
    they have their values in this environment.

    Exit code 0: printed; 1: the config has errors; 2: could not run.

    \b
    Examples:
      router template > stack.yaml
      router template --format json -o stack.json
      router template --worker > worker.yaml
      router template --format docker > Dockerfile
      router template --format systemd > message-router.service
    """
    with exit_on_findings(err=True):
        read = read_for_deployment(config, os.environ)
    text = _text(read, worker, form)
    if output:
        write_file(output, text.encode())
    else:
        click.echo(text, nl=False)
    size = len(text.encode())
    if form in ("yaml", "json") and size > MAX_INLINE_BYTES:
        click.echo(
            f"router: {size:,} bytes; CloudFormation reads a template over {MAX_INLINE_BYTES:,} bytes from S3 only, "
            "where router deploy puts it",
            err=True,
        )


def _text(config: DeployableConfig, worker: bool, form: str) -> str:
    match form:
        case "docker":
            return dockerfile(config.path, config.program.config, config.variables, config.needed)
        case "systemd":
            return systemd_unit(config.path, config.variables)
        case _:
            document = make_document(config, worker)
            return as_json(document) if form == "json" else as_yaml(document)
