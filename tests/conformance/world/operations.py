"""What happens in operations: PagerDuty, Datadog, workflows of GitHub, and alarms of CloudWatch by SNS."""

import json
from random import Random
from typing import Any

from tests.conformance.world.values import digits, hexadecimal, optional, seconds, sometimes, time, token, uuid, word

Message = dict[str, Any]
ACCOUNT = "111122223333"


def pagerduty_event(random: Random) -> Message:
    """A webhook of PagerDuty, version 3: an incident is triggered, acknowledged, resolved or annotated."""
    kind = random.choice(["triggered", "acknowledged", "resolved", "annotated"])
    incident = _reference(random, "incident", "Q")
    data = {**incident, "content": "Restarted."} if kind == "annotated" else _incident(random, incident, kind)
    if kind == "annotated":
        data = {"incident": incident, "id": f"P{token(random, 13).upper()}", "content": word(random), "trimmed": False}
        data["type"] = "incident_note"
    return {
        "event": {
            "id": f"01{token(random, 24).upper()}",
            "event_type": f"incident.{kind}",
            "resource_type": "incident",
            "occurred_at": time(random, fraction=3),
            "agent": sometimes(random, _reference(random, "user"), 0.7),
            "client": sometimes(random, {"name": "PagerDuty"}, 0.3),
            "data": data,
        }
    }


def _reference(random: Random, kind: str, first: str = "P") -> Message:
    id_ = f"{first}{token(random, 13).upper()}"
    return {
        "html_url": f"https://acme.pagerduty.example/{kind}s/{id_}",
        "id": id_,
        "self": f"https://api.pagerduty.example/{kind}s/{id_}",
        "summary": word(random).title(),
        "type": f"{kind}_reference",
    }


def _incident(random: Random, incident: Message, kind: str) -> Message:
    return {
        "id": incident["id"],
        "type": "incident",
        "self": incident["self"],
        "html_url": incident["html_url"],
        "number": random.randrange(10_000),
        "status": kind,
        "incident_key": hexadecimal(random),
        "created_at": time(random),
        "title": f"CPU of {word(random)} is high",
        "service": _reference(random, "service"),
        "assignees": [_reference(random, "user") for _ in range(random.randint(0, 2))],
        "escalation_policy": _reference(random, "escalation_policy"),
        "teams": [_reference(random, "team") for _ in range(random.randint(0, 1))],
        "priority": sometimes(random, {**_reference(random, "priority"), "summary": "P1"}),
        "urgency": random.choice(["high", "low"]),
        "conference_bridge": sometimes(random, {"conference_number": "+1 555 0100,,1#", "conference_url": None}, 0.3),
        "resolve_reason": None,
    }


def datadog_monitor(random: Random) -> Message:
    """The webhook of a monitor of Datadog, with the payload that it suggests, and some variables more."""
    kind = random.choice(["Triggered", "Recovered", "Warn", "No Data"])
    host = sometimes(random, f"i-{hexadecimal(random, 17)}", 0.8)
    return {
        "id": digits(random, 19),
        "last_updated": str(seconds(random) * 1000),
        "event_type": "metric_alert_monitor",
        "title": f"[{kind}] Disk of {word(random)}",
        "date": str(seconds(random) * 1000),
        "org": {"id": digits(random, 6), "name": "Acme"},
        "body": "%%%\nDisk is full.\n\n@webhook-router\n%%%",
        "alert_id": digits(random, 8),
        "alert_transition": kind,
        "alert_status": sometimes(random, "system.disk.in_use over host was > 0.9", 0.9),
        "alert_metric": "system.disk.in_use",
        "host": host if host else "",
        "priority": random.choice(["normal", "low", None]),
        "tags": ",".join(["env:prod", *([f"host:{host}"] if host else [])]),
        "snapshot": random.choice(["null", f"https://p.datadog.example/snapshot/{token(random)}.png"]),
        "value": random.choice([random.randrange(100) / 100, 1, None]),
    }


def github_workflow_run(random: Random) -> Message:
    """The event `workflow_run` of GitHub: requested, in progress or completed."""
    action = random.choice(["requested", "in_progress", "completed"])
    repository = _repository(random)
    run = int(digits(random, 11))
    api = f"{repository['url']}/actions/runs/{run}"
    created = time(random)
    return {
        "action": action,
        "workflow_run": {
            "id": run,
            "name": sometimes(random, random.choice(["CI", "Deploy"]), 0.9),
            "node_id": token(random, 20),
            "check_suite_id": int(digits(random, 11)),
            "head_branch": sometimes(random, random.choice(["main", f"fix/{word(random)}"]), 0.9),
            "head_sha": hexadecimal(random, 40),
            "path": f".github/workflows/{word(random)}.yml",
            "display_title": f"Fix {word(random)}",
            "run_number": random.randrange(1, 2000),
            "run_attempt": random.choice([1, 1, 1, 2]),
            "event": random.choice(["push", "pull_request", "schedule"]),
            "status": "completed" if action == "completed" else "queued",
            "conclusion": random.choice(["success", "failure", "cancelled"]) if action == "completed" else None,
            "workflow_id": int(digits(random, 8)),
            "url": api,
            "html_url": f"{repository['html_url']}/actions/runs/{run}",
            "pull_requests": [{"id": int(digits(random, 10)), "number": 7, "url": api}][: random.randint(0, 1)],
            "created_at": created,
            "updated_at": time(random),
            "run_started_at": created,
            "actor": _user(random),
            "triggering_actor": sometimes(random, _user(random), 0.9),
            "referenced_workflows": [],
            "previous_attempt_url": sometimes(random, f"{api}/attempts/1", 0.2),
            "head_commit": {
                "id": hexadecimal(random, 40),
                "tree_id": hexadecimal(random, 40),
                "message": f"Fix {word(random)}\n\nIt was broken.",
                "timestamp": time(random, random.choice(["Z", "+02:00", "-07:00"])),
                "author": {"name": word(random).title(), "email": f"{word(random)}@example.com"},
            },
            "repository": repository,
        },
        "workflow": sometimes(
            random,
            {"id": int(digits(random, 8)), "name": "CI", "state": "active", "created_at": time(random, "-07:00", 3)},
            0.9,
        ),
        "repository": repository,
        "sender": _user(random),
    } | optional(random, 0.5, organization={"login": "acme", "id": 5, "description": sometimes(random, "We make it.")})


def _user(random: Random) -> Message:
    login = word(random)
    return {
        "login": login,
        "id": int(digits(random, 7)),
        "avatar_url": f"https://avatars.example.com/u/{login}",
        "gravatar_id": "",
        "html_url": f"https://github.example/{login}",
        "type": random.choice(["User", "Bot"]),
        "site_admin": False,
    } | optional(random, 0.3, user_view_type="public")


def _repository(random: Random) -> Message:
    name = word(random)
    return {
        "id": int(digits(random, 9)),
        "name": name,
        "full_name": f"acme/{name}",
        "private": random.random() < 0.5,
        "owner": _user(random),
        "html_url": f"https://github.example/acme/{name}",
        "description": sometimes(random, f"The {name}."),
        "url": f"https://api.github.example/repos/acme/{name}",
        "pushed_at": time(random),
        "homepage": random.choice([None, "", "https://acme.example/"]),
        "size": random.randrange(10**5),
        "language": sometimes(random, "Python", 0.8),
        "license": sometimes(random, {"key": "mit", "name": "MIT License", "url": None}),
        "topics": random.choice([[], ["aws"]]),
        "default_branch": "main",
    }


def cloudwatch_alarm(random: Random) -> Message:
    """An alarm of CloudWatch, in the notification of SNS that a queue gets."""
    topic = f"arn:aws:sns:eu-west-1:{ACCOUNT}:alarms"
    name = f"{word(random)}-errors"
    states = ["OK", "ALARM", "INSUFFICIENT_DATA"]
    alarm = {
        "AlarmName": name,
        "AlarmDescription": sometimes(random, "Too many errors.", 0.7),
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": time(random, "+0000", 3),
        "NewStateValue": random.choice(states),
        "NewStateReason": f"Threshold Crossed: 1 datapoint [{random.randrange(90)}.0] was greater than 5.0.",
        "StateChangeTime": time(random, "+0000", 3),
        "Region": "EU (Ireland)",
        "AlarmArn": f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:{name}",
        "OldStateValue": random.choice(states),
        "OKActions": [topic][: random.randint(0, 1)],
        "AlarmActions": [topic],
        "InsufficientDataActions": [],
        "Trigger": _trigger(random),
    }
    return {
        "Type": "Notification",
        "MessageId": uuid(random),
        "TopicArn": topic,
        "Subject": f'{alarm["NewStateValue"]}: "{name}" in EU (Ireland)',
        "Message": json.dumps(alarm),
        "Timestamp": time(random, fraction=3),
        "SignatureVersion": "1",
        "Signature": token(random, 64),
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService.pem",
        "UnsubscribeURL": f"https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={topic}:{uuid(random)}",
    }


def _trigger(random: Random) -> Message:
    common = {
        "Period": 60,
        "EvaluationPeriods": random.randint(1, 5),
        "DatapointsToAlarm": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": random.choice([5.0, 0.5, 100.0]),
        "TreatMissingData": random.choice(["notBreaching", "missing"]),
        "EvaluateLowSampleCountPercentile": "",
    }
    if random.random() < 0.3:
        return common | {"Metrics": [{"Id": "e1", "Expression": "m1/m2", "Label": "rate", "ReturnData": True}]}
    return common | {
        "MetricName": "Errors",
        "Namespace": "AWS/Lambda",
        "StatisticType": "Statistic",
        "Statistic": "SUM",
        "Unit": sometimes(random, "Count"),
        "Dimensions": [{"value": word(random), "name": "FunctionName"}],
    }
