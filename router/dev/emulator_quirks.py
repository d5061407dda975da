"""Where the embedded AWS asks policies otherwise than AWS does, and a template that says the same in its words.

AWS has no actions of their own for SQS's batches: who may do `sqs:SendMessage` may do it ten at a time
(AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html). ministack asks for
`sqs:SendMessageBatch`, and so on. To AWS a log group with its streams is `log-group:NAME:*`, which is what the group's
`Arn` is in CloudFormation; ministack asks for `log-group:NAME`.
"""

from typing import Any

_BATCHES = {
    action: f"{action}Batch" for action in ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:SendMessage")
}
_LOGS = "logs:"
_GROUP = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${%s}"


def for_embedded_aws(template: Any) -> Any:
    """A template, or a part of one, whose policies allow on the embedded AWS what they allow on AWS."""
    if isinstance(template, list):
        return [for_embedded_aws(each) for each in template]
    if not isinstance(template, dict):
        return template
    if isinstance(template.get("Action"), list):
        return _statement(template)
    return {key: for_embedded_aws(value) for key, value in template.items()}


def in_batches(action: str) -> tuple[str, ...]:
    """An action, and what the embedded AWS calls it for several at a time."""
    return (action, _BATCHES[action]) if action in _BATCHES else (action,)


def _statement(statement: dict[str, Any]) -> dict[str, Any]:
    actions = [each for action in statement["Action"] for each in in_batches(action)]
    resources = list(statement["Resource"])
    if all(action.startswith(_LOGS) for action in actions):
        groups = [each["Fn::GetAtt"][0] for each in resources if isinstance(each, dict) and "Fn::GetAtt" in each]
        resources += [{"Fn::Sub": _GROUP % group} for group in groups]
    return {**statement, "Action": actions, "Resource": resources}
