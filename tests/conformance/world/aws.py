"""Messages of AWS: results of rules of IoT Core, and events of S3 and EC2 by EventBridge."""

from random import Random
from typing import Any

from tests.conformance.world.values import address, hexadecimal, optional, seconds, time, token, uuid, word

Message = dict[str, Any]
ACCOUNT = "111122223333"


def iot_rule(random: Random) -> Message:
    """What `SELECT *, topic(2) AS device_id, timestamp() AS received_at FROM 'devices/+/telemetry'` gives."""
    device = f"sensor-{random.randrange(50)}"
    return {
        "temperature": random.choice([random.randrange(-200, 400) / 10, random.randrange(40)]),
        "humidity": random.choice([random.randrange(1000) / 10, None]),
        "battery": {"level": random.randrange(101), "charging": random.random() < 0.2},
        "firmware": f"1.{random.randint(0, 9)}.{random.randint(0, 9)}",
        "measured_at": time(random, fraction=random.choice([3, 6])),
        "device_id": device,
        "topic": f"devices/{device}/telemetry",
        "client_id": device,
        "received_at": seconds(random) * 1000 + random.randrange(1000),
        "trace_id": uuid(random),
    } | optional(random, 0.4, errors=[{"code": random.choice([12, "E12"]), "text": word(random)}])


def _event(random: Random, source: str, kind: str, resources: list[str], detail: Message) -> Message:
    return {
        "version": "0",
        "id": uuid(random),
        "detail-type": kind,
        "source": source,
        "account": ACCOUNT,
        "time": time(random),
        "region": "eu-west-1",
        "resources": resources,
        "detail": detail,
    }


def eventbridge_s3(random: Random) -> Message:
    """An object of S3 is created, deleted, or gets tags: by EventBridge."""
    kind = random.choice(["Object Created", "Object Deleted", "Object Tags Added"])
    bucket = f"bucket-{random.randint(1, 3)}"
    stored: Message = {"key": f"{word(random)}/{word(random)}.json"}
    if kind != "Object Deleted":
        stored |= {"etag": hexadecimal(random)}
    if kind == "Object Created":
        stored |= {"size": random.randrange(10**7), "sequencer": f"00{hexadecimal(random, 16).upper()}"}
    if kind == "Object Deleted":
        stored |= {"sequencer": f"00{hexadecimal(random, 16).upper()}"}
    stored |= optional(random, 0.5, **{"version-id": token(random, 32)})
    detail = {
        "version": "0",
        "bucket": {"name": bucket},
        "object": stored,
        "request-id": token(random, 16).upper(),
        "requester": random.choice([ACCOUNT, "s3.amazonaws.com"]),
    } | optional(random, 0.8, **{"source-ip-address": address(random)})
    if kind == "Object Created":
        detail["reason"] = random.choice(["PutObject", "CopyObject", "CompleteMultipartUpload"])
    if kind == "Object Deleted":
        detail |= {
            "reason": "DeleteObject",
            "deletion-type": random.choice(["Permanently Deleted", "Delete Marker Created"]),
        }
    return _event(random, "aws.s3", kind, [f"arn:aws:s3:::{bucket}"], detail)


def eventbridge_ec2(random: Random) -> Message:
    """An instance of EC2 changes its state, or is about to be interrupted: by EventBridge."""
    instance = f"i-{hexadecimal(random, 17)}"
    resources = [f"arn:aws:ec2:eu-west-1:{ACCOUNT}:instance/{instance}"]
    if random.random() < 0.3:
        detail = {"instance-id": instance, "instance-action": random.choice(["terminate", "stop"])}
        return _event(random, "aws.ec2", "EC2 Spot Instance Interruption Warning", resources, detail)
    state = random.choice(["pending", "running", "stopping", "stopped", "shutting-down", "terminated"])
    detail = {"instance-id": instance, "state": state}
    return _event(random, "aws.ec2", "EC2 Instance State-change Notification", resources, detail)
