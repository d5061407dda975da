"""The function as a resource, with its role and its log.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-function.html
"""

from collections.abc import Callable

from router.config_types import parse_duration
from router.errors import UsageError
from router.ops.template.expressions import (
    STACK,
    Expression,
    Json,
    attribute,
    is_given,
    ref,
    sub,
    text_parameter,
    when,
)
from router.ops.template.permissions import statements
from router.ops.template.plan import Plan
from router.ops.template.policies import VERSION, Policies, attach

HANDLER = "router.lambda_handler.handler"
FUNCTION, ROLE, LOG_GROUP = "Function", "Role", "LogGroup"
CODE_BUCKET, CODE_KEY, CODE_VERSION = "CodeBucket", "CodeKey", "CodeVersion"
"""Parameters: where the package is that `router build` makes. Another key or version is another package."""
MAX_ENVIRONMENT = 4096
"""Bytes of all names and values: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
_DAY = 86_400


def function_parameters() -> dict[str, Json]:
    """Where the code is."""
    return {
        CODE_BUCKET: text_parameter("The bucket that has the package which `router build` makes", MinLength=3),
        CODE_KEY: text_parameter("The key of the package in that bucket; a new package needs a new key", MinLength=1),
        CODE_VERSION: text_parameter("The version of that object, where the bucket keeps versions", Default=""),
    }


def function_conditions() -> dict[str, Json]:
    """Whether a version is given."""
    return {"HasCodeVersion": is_given(CODE_VERSION)}


def function_resources(plan: Plan) -> dict[str, Json]:
    """The log, the role and the function; raises UsageError for more than a role or function can have."""
    settings = plan.config.function
    policies = attach(statements(plan), place_in(plan), "Flows")
    variables = plan.texts.environment(settings.environment, "function")
    properties: Json = {
        "FunctionName": ref("AWS::StackName"),
        "Description": "Routes messages from queues into tables",
        "Runtime": f"python{settings.python}",
        "Architectures": [settings.architecture],
        "Handler": HANDLER,
        "Code": {
            "S3Bucket": ref(CODE_BUCKET),
            "S3Key": ref(CODE_KEY),
            "S3ObjectVersion": when("HasCodeVersion", ref(CODE_VERSION)),
        },
        "MemorySize": settings.memory,
        "Timeout": parse_duration(settings.timeout),
        "Role": attribute(ROLE, "Arn"),
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": ref(LOG_GROUP)},
    }
    size = sum(len(f"{name}{text}".encode()) for name, text in variables.items())
    if size > MAX_ENVIRONMENT:
        raise UsageError(
            f"the function's environment variables have {size:,} bytes, and Lambda takes {MAX_ENVIRONMENT:,}; "
            "shorten function.environment, or let a plugin read a file"
        )
    if variables:
        properties["Environment"] = {"Variables": {name: sub(text) for name, text in variables.items()}}
    return {
        LOG_GROUP: log_group(f"/aws/lambda/{STACK}", settings.log_retention),
        **policies.resources,
        ROLE: role("lambda.amazonaws.com", policies, [log_statement()]),
        FUNCTION: {"Type": "AWS::Lambda::Function", "Properties": properties},
    }


def place_in(plan: Plan) -> Callable[[str], Expression]:
    """What gives the expression of a resource from its ARN as a text: what is made is referred to."""
    made = {thing.arn: thing.place for things in (plan.queues, plan.tables) for thing in things.values()}
    return lambda arn: made.get(arn) or sub(arn)


def log_group(name: str, retention: str) -> Json:
    """A log group that keeps its lines for a while."""
    return {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {"LogGroupName": sub(name), "RetentionInDays": parse_duration(retention) // _DAY},
    }


def log_statement() -> Json:
    """What writing to that log needs; its ARN ends in `:*`, which stands for its streams."""
    return {
        "Sid": "Log",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": [attribute(LOG_GROUP, "Arn")],
    }


def role(service: str, policies: Policies, more: list[Json]) -> Json:
    """A role that a service takes, with policies, and a policy of further statements if there are any."""
    properties: Json = {
        "AssumeRolePolicyDocument": {
            "Version": VERSION,
            "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
        },
        **policies.properties,
    }
    if more:
        log = {"PolicyName": "Log", "PolicyDocument": {"Version": VERSION, "Statement": more}}
        properties["Policies"] = [*properties.get("Policies", ()), log]
    return {"Type": "AWS::IAM::Role", "Properties": properties}
