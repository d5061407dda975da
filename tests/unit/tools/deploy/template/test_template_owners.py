"""Tags of resources, and alarms of owners."""

from typing import Any

from router.tools.deploy.template.alarms import silent_alarms

CONFIG = """\
owner: platform
tags: {env: "${STAGE:-dev}"}
owners: {shop: {alarm_topic: "arn:aws:sns:eu-west-1:123456789012:${STAGE:-dev}-shop"}}
queues:
  orders: {dead_letter: letters, owner: shop, description: "${STAGE:-dev} orders", tags: {env: "x", cost: "1"}}
  clicks: {dead_letter: clicks-dlq}
  clicks-dlq: {description: of clicks}
tables: {things: {key: {id: S}, tags: {owner: me}}}
routes:
  orders: {queue: orders, table: things}
  clicks: {queue: clicks, table: things}
  logs: {queue: logs, table: things, owner: shop, tags: {level: "2"}}
"""


def tags(properties: dict[str, Any]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in properties["Tags"]}


def test_tags(make: Any, resolve: Any) -> None:
    """Queues and tables have their tags, those of the file, and their owner; variables are parameters."""
    made = resolve(make(CONFIG), VariableStage="prod")

    assert {name: tags(each) for name, each in made.resources("SQS::Queue").items()} == {
        "QueueOrders": {"owner": "shop", "env": "x", "cost": "1"},
        "QueueLetters": {"owner": "shop", "env": "x", "cost": "1"},
        "QueueClicks": {"owner": "platform", "env": "prod"},
        "QueueClicksDlq": {"owner": "platform", "env": "prod"},
        "QueueLogs": {"owner": "shop", "env": "prod", "level": "2"},
        "QueueLogsDlq": {"owner": "shop", "env": "prod", "level": "2"},
    }
    assert tags(made.resources("DynamoDB::Table")["TableThings"]) == {"owner": "me", "env": "prod"}


def test_no_tags(make: Any, resolve: Any) -> None:
    """Without any there is no such property."""
    made = resolve(make("tables: {things: {key: {id: S}}}\nroutes: {r: {queue: q, table: things}}\n"))

    found = {**made.resources("SQS::Queue"), **made.resources("DynamoDB::Table")}
    assert [name for name, each in found.items() if "Tags" in each] == []


def test_alarms_of_owners(make: Any, resolve: Any) -> None:
    """The alarms of a queue notify the topic of its owner, and name owner and description."""
    made = resolve(make(CONFIG), VariableStage="prod", AlarmTopic="topic")

    alarms = made.resources("CloudWatch::Alarm")
    shop = "arn:aws:sns:eu-west-1:123456789012:prod-shop"
    of_queues = ("AgeAlarm", "RetriesAlarm", "StalledAlarm", "InFlightAlarm")
    assert {name: (each["AlarmActions"], each["OKActions"]) for name, each in alarms.items() if "Orders" in name} == {
        f"{kind}Orders": ([shop], [shop]) for kind in of_queues
    }
    assert {name: each["AlarmActions"] for name, each in alarms.items()} == {
        **{f"{kind}Orders": [shop] for kind in of_queues},
        **{f"{kind}Clicks": ["topic"] for kind in of_queues},
        **{f"{kind}Logs": [shop] for kind in of_queues},
        "LettersAlarmLetters": [shop],
        "LettersAlarmClicksDlq": ["topic"],
        "LettersAlarmLogsDlq": [shop],
        "ErrorsAlarm": ["topic"],
        "ThrottlesAlarm": ["topic"],
        "ConfigurationAlarm": ["topic"],
    }
    assert [
        alarms[name]["AlarmDescription"].partition("(")[2].partition(".")[0]
        for name in ("AgeAlarmOrders", "LettersAlarmClicksDlq")
    ] == [
        "owner: shop; prod orders)",
        "owner: platform; of clicks)",
    ]


def test_owner_without_a_topic(make: Any, resolve: Any) -> None:
    """The alarms of an owner without a topic notify that of the stack."""
    config = CONFIG.replace("owners: {", "owners: {platform: {}, ")

    made = resolve(make(config), VariableStage="prod", AlarmTopic="topic")

    alarms = made.resources("CloudWatch::Alarm")
    assert [alarms[name]["AlarmActions"] for name in ("AgeAlarmClicks", "AgeAlarmOrders")] == [
        ["topic"],
        ["arn:aws:sns:eu-west-1:123456789012:prod-shop"],
    ]


def test_alarms_that_notify_nobody(make: Any) -> None:
    """Those of queues whose owner has no topic, and those of the function, until there is a topic for them."""
    body = make(CONFIG).body

    silent = silent_alarms(body, {"AlarmTopic": ""})

    assert {"ErrorsAlarm", "AgeAlarmClicks", "LettersAlarmClicksDlq"} <= set(silent)
    assert {"AgeAlarmOrders", "AgeAlarmLogs"}.isdisjoint(silent)
    assert silent_alarms(body, {"AlarmTopic": "arn:aws:sns:eu-west-1:123456789012:all"}) == []
