"""Reports secrets where their values can be read, and references to secrets that CloudFormation
does not resolve.
"""

import re
from collections.abc import Iterator

from router.codes import declare
from router.runtime.config.findings import describe
from router.runtime.config.secret_values import DYNAMIC_REFERENCE
from router.tools.check.rule import Found, Subject, rule
from router.tools.check.variables import is_read_at_run_time

SHOWN_SECRET = declare(
    "RT245",
    "a variable that is named like a secret, in a name, an ARN, a key or a setting",
    "A template has the value of such a variable as a plain parameter, since names and losses are computed from it: "
    "everybody who may describe the stack reads it there, and in the names of queues, tables and files. Only the value "
    "of a variable that nothing but running code reads is hidden.",
    "warning",
)
UNRESOLVED = declare(
    "RT246",
    "a dynamic reference that CloudFormation does not resolve in an environment",
    "CloudFormation replaces `{{resolve:secretsmanager:…}}` and `{{resolve:ssm:…}}` in the environment of a function "
    "or task. It refuses `ssm-secure` there, and what is malformed fails the deployment, or is what plugins get.",
)
_REFERENCE = re.compile(re.escape(DYNAMIC_REFERENCE) + r"[^}]*(?:\}\}|\}|\Z)")
_PART = r"(?::[^:}]*)"
# AWSCloudFormation/latest/UserGuide/dynamic-references-ssm.html and
# …/dynamic-references-secretsmanager.html
_VALID = re.compile(
    r"\{\{resolve:(?:"
    r"ssm:[A-Za-z0-9_.\-/]+(?::[0-9]+)?"
    rf"|secretsmanager:(?:arn:[^:}}]+{_PART}{{4}}:[^:}}]+|[^:}}]+)(?::SecretString{_PART}{{0,3}})?"
    r")\}\}"
)
_FORMS = "{{resolve:secretsmanager:NAME:SecretString:KEY}} or {{resolve:ssm:NAME}}"


@rule(SHOWN_SECRET)
def check_shown_secrets(subject: Subject) -> Iterator[Found]:
    """Report variables that are named like secrets, where more than running code reads their
    values.
    """
    for use in subject.secrets:
        if is_read_at_run_time(use.path):
            continue
        yield Found(
            SHOWN_SECRET,
            f"the variable {use.name} is named like a secret, and its value in {describe(use.path)} is not hidden in a "
            "stack",
            use.path,
            "give the variable another name if it is no secret; else use none here",
        )


@rule(UNRESOLVED)
def check_dynamic_references(subject: Subject) -> Iterator[Found]:
    """Report references in the environment of the function and the worker that are not resolved."""
    config = subject.config
    for section, settings in (("function", config.function), ("worker", config.worker)):
        for name, text in settings.environment.items():
            for found in _REFERENCE.findall(text):
                if _VALID.fullmatch(found):
                    continue
                path = (section, "environment", name)
                if found.startswith(f"{DYNAMIC_REFERENCE}ssm-secure:"):
                    sentence = f"{describe(path)} refers to ssm-secure, which an environment cannot"
                    advice = "keep the value in Secrets Manager, or let a plugin read the parameter"
                else:
                    sentence = f"{describe(path)} has a malformed dynamic reference"
                    advice = f"write {_FORMS}"
                yield Found(UNRESOLVED, sentence, path, advice)
