"""`router template`: what is deployed, as CloudFormation has it, or as a Dockerfile or a unit of systemd."""

import os
from pathlib import Path

import click

from router.cli.options import config_option
from router.errors import UsageError
from router.ops.template.container import dockerfile
from router.ops.template.document import (
    MAX_INLINE_BYTES,
    Config,
    as_json,
    as_yaml,
    make_document,
    read_for_deployment,
)
from router.ops.template.unit import unit

FORMATS = ("yaml", "json", "docker", "systemd")


@click.command("template")
@config_option
@click.option("--worker", is_flag=True, help="The worker, as a service of ECS on Fargate, instead of the function.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="yaml",
    show_default=True,
    help="CloudFormation as YAML or JSON; or a Dockerfile or a unit of systemd, for a worker elsewhere.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file.  [default: stdout]")
def command(config: Path, worker: bool, form: str, output: Path | None) -> None:
    """Print the CloudFormation template of a config: queues, tables, function, role, mappings, alarms, dashboard.

    Queues and tables with `managed: false`, or named by ARN or URL, are only referred to. Variables of the config
    (`${NAME}`) in names, keys, buckets and environment variables are parameters of the template; all else is as it is
    in this environment.

    \b
    Examples:
      router template > stack.yaml
      router template --format json -o stack.json
      router template --worker > worker.yaml
      router template --format docker > Dockerfile
      router template --format systemd > message-router.service
    """
    text = _text(read_for_deployment(config, os.environ), worker, form)
    if output:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {output}: {(error.strerror or type(error).__name__).lower()}") from None
    else:
        click.echo(text, nl=False)
    if form in ("yaml", "json") and len(text.encode()) > MAX_INLINE_BYTES:
        click.echo(
            f"router: {len(text.encode()):,} bytes; CloudFormation takes more than {MAX_INLINE_BYTES:,} from S3 only, "
            "which is where router deploy puts it",
            err=True,
        )


def _text(config: Config, worker: bool, form: str) -> str:
    settings = config.program.config
    match form:
        case "docker":
            return dockerfile(config.path, settings, config.variables, config.needed)
        case "systemd":
            return unit(config.path, config.variables)
        case _:
            document = make_document(config, worker)
            return as_json(document) if form == "json" else as_yaml(document)
