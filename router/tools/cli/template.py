"""`router template`: print the CloudFormation template of a config, or files that run its worker elsewhere."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.errors import UsageError
from router.tools.cli.masked_output import tell, write_exactly
from router.tools.cli.options import (
    FILE,
    Repeated,
    allow_file_option,
    config_option,
    output_option,
    template_options,
    variables_of_files,
    write_file,
)

if TYPE_CHECKING:
    from router.tools.deploy.template.document import DeployableConfig

FORMATS = ("yaml", "json", "docker", "systemd", "kubernetes", "operator-policy")


@click.command("template")
@config_option
@click.option(
    "--worker",
    is_flag=True,
    help="The worker as an ECS service on Fargate, instead of the function.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="yaml",
    show_default=True,
    help="CloudFormation as YAML or JSON; a Dockerfile, systemd unit or manifests of Kubernetes, for a worker; or "
    "policies for people.",
)
@click.option(
    "--wheel",
    type=FILE,
    help="With docker and systemd: install the router from this wheel, verified by its hash. docker copies it there.",
)
@click.option(
    "--index",
    default="",
    metavar="URL",
    help="With docker and systemd: install the router from this index.",
)
@template_options
@allow_file_option
@output_option(help="The file.  [default: stdout]")
def command(
    config: Path,
    worker: bool,
    form: str,
    wheel: Path | None,
    index: str,
    allowed: Repeated,
    output: Path | None,
    **more: Any,
) -> None:
    """Print the CloudFormation template of a config: queues, tables, function, role, mappings, alarms, dashboard.

    Queues and tables with `managed: false`, or given by ARN or URL, are referred to but not created. Variables of the
    config (`${NAME}`) in names, keys, buckets and environment variables become parameters of the template; elsewhere
    they have their defaults, or the values of --env-file. The environment does not matter.

    A patch is a YAML file of parts of the template: mappings are merged, anything else replaces the previous value, and
    null removes it. A type of resources stands for all of that type. cfn-lint checks the result, if it is installed.

    A Dockerfile and a unit install the router from its sources or its wheel in the config's folder, or from what
    --wheel or --index names. A Dockerfile copies the files that `router build` would pack.

    Manifests of Kubernetes have the Deployment of that image, which KEDA scales by the backlog of the queues. Variables
    have their defaults, or the values of --env-file. The region of the queues is AWS_REGION.

    operator-policy is a template of IAM policies, one for each command of `router dlq`, for the people who use it.

    Exit code 0: printed; 1: the config has errors; 2: could not run.

    \b
    Examples:
      router template > stack.yaml
      router template --format json -o stack.json
      router template --worker > worker.yaml
      AWS_REGION=eu-west-1 router template --format kubernetes -o worker.yaml
      router template --tag stage=prod --patch tracing.yaml > stack.yaml
      router template --format docker --wheel dist/message_router-0.1.0-py3-none-any.whl -o Dockerfile
      router template --format operator-policy > operators.yaml
      router template --format systemd --index https://packages.example.com/simple
    """
    # What reads and checks a config for a template takes 0.2 s to import.
    from router.tools.cli.report import exit_on_findings
    from router.tools.deploy.template.document import read_for_deployment

    env = _environment()
    # What is refused whatever the config says is refused before it is checked, which can take seconds.
    if any(more.values()) and form not in ("yaml", "json"):
        raise UsageError("--tag, --permissions-boundary and --patch are for CloudFormation")
    if form in ("docker", "systemd"):
        make = _worker_file(config.parent, form, wheel, index, allowed)
    elif wheel or index or allowed:
        raise UsageError("--wheel, --index and --allow-file are for --format docker and systemd")
    elif form == "kubernetes":
        make = partial(_manifests, env=env)
    else:
        make = _template(form, worker, **more)
    require = _fits(worker) if form in ("yaml", "json") else None
    with exit_on_findings(err=True):
        read = read_for_deployment(config, env, require)
    _write(make(read), form, output)


def _environment() -> dict[str, str]:
    from router.tools.deploy.template.expressions import SET_BY_AWS

    # The region is a reference in the template, whatever it is here.
    region = {name: value for name, value in os.environ.items() if name in SET_BY_AWS}
    return {**region, **variables_of_files()}


def _manifests(read: "DeployableConfig", env: Mapping[str, str]) -> str:
    from router.tools.deploy.template.kubernetes import kubernetes_manifests

    return kubernetes_manifests(read, env)


def _template(
    form: str, worker: bool, tag: Sequence[str], boundary: str, patch: Sequence[Path]
) -> "Callable[[DeployableConfig], str]":
    from router.tools.deploy.template.document import as_json, as_yaml, make_document
    from router.tools.deploy.template.operators import operator_policies
    from router.tools.deploy.template.options import (
        read_assignments,
        read_options,
        with_options,
    )
    from router.tools.deploy.template.parts import make_fitting

    options = read_options(read_assignments(tag), boundary, patch)

    def make(read: "DeployableConfig") -> str:
        if form == "operator-policy":
            return as_yaml(operator_policies(read))
        fitting = make_fitting(read, partial(make_document, as_worker=worker))
        document = with_options(fitting, read, options)
        return as_json(document) if form == "json" else as_yaml(document)

    return make


def _fits(worker: bool) -> "Callable[[DeployableConfig], None]":
    from router.tools.deploy.template.document import make_document
    from router.tools.deploy.template.parts import require_room

    return partial(require_room, make=partial(make_document, as_worker=worker))


def _write(text: str, form: str, path: Path | None) -> None:
    """Write the text to a file or standard output, and warn of a template that only S3 can hold."""
    from router.tools.deploy.template.limits import MAX_INLINE_BYTES

    if path:
        write_file(path, text.encode())
    else:
        write_exactly(text)
    size = len(text.encode())
    if form in ("yaml", "json") and size > MAX_INLINE_BYTES:
        tell(
            f"router: {size:,} bytes; CloudFormation reads a template over {MAX_INLINE_BYTES:,} bytes from S3 only, "
            "where router deploy puts it"
        )


def _worker_file(
    folder: Path, form: str, wheel: Path | None, index: str, allowed: Repeated
) -> "Callable[[DeployableConfig], str]":
    """Return what makes a Dockerfile or a unit file.

    For an image, it puts the wheel beside the config, and reports files that are left out.
    """
    from router.tools.deploy.archive import LeftOut
    from router.tools.deploy.secret_files import SecretFiles
    from router.tools.deploy.template.worker_files import dockerfile, find_program, systemd_unit

    program = find_program(folder, wheel, index)
    if form == "systemd":
        return lambda config: systemd_unit(config.path, config.variables, program)
    secrets = SecretFiles(allowed)
    secrets.require(folder)

    def make(config: "DeployableConfig") -> str:
        left_out: list[LeftOut] = []
        text = dockerfile(config, program, secrets, left_out)
        program.place(folder)
        for each in left_out:
            tell(f"left out: {each.name}: {each.reason}")
        return text

    return make
