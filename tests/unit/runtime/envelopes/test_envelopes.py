"""The built-in envelopes, on what AWS and others really send."""

import json
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest

from router.errors import Reject
from router.runtime.envelopes import ENVELOPES, cloudevents, eventbridge, s3_pointer, sns

SNS = {
    "Type": "Notification",
    "MessageId": "dc1e94d9-56c5-5e96-808d-cc7f68faa162",
    "TopicArn": "arn:aws:sns:us-east-2:123456789012:ExampleTopic1",
    "Subject": "TestSubject",
    "Message": '{"order": 7}',
    "Timestamp": "2021-02-16T21:41:19.978Z",
    "SignatureVersion": "1",
    "Signature": "FMG5tlZhJNHLHUXvZgtZzlk24FzVa7oX0T4P03neeXw8ZEXZx6z35j2FOTuNYShn2h0bKNC",
    "SigningCertURL": "https://sns.us-east-2.amazonaws.com/SimpleNotificationService-010a507c.pem",
    "UnsubscribeURL": "https://sns.us-east-2.amazonaws.com/?Action=Unsubscribe",
    "MessageAttributes": {
        "kind": {"Type": "String", "Value": "order"},
        "price": {"Type": "Number", "Value": "19.90"},
        "count": {"Type": "Number", "Value": "3"},
        "raw": {"Type": "Binary", "Value": "/w=="},
        "tags": {"Type": "String.Array", "Value": '["a", 1, null]'},
        "new": {"Type": "String.New", "Value": "x"},
    },
}
EVENT = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "111122223333",
    "time": "2017-12-22T18:43:48Z",
    "region": "us-west-1",
    "resources": [],
    "detail": {"state": "terminated", "load": 0.1},
}
CLOUD = {
    "specversion": "1.0",
    "type": "com.example.order",
    "source": "/orders",
    "id": "A234-1234-1234",
    "comexampleextension1": "value",
    "comexampleothervalue": 5,
    "nothing": None,
    "datacontenttype": "application/json",
    "data": {"order": 7},
}


def without(event: dict[str, Any], *names: str, **changed: Any) -> dict[str, Any]:
    return {name: value for name, value in {**event, **changed}.items() if name not in names}


def test_each_module_is_an_envelope() -> None:
    """Each envelope is found by its name."""
    assert {name: import_module(f"router.runtime.envelopes.{name}").ENVELOPE for name in ENVELOPES} == ENVELOPES


def test_s3_pointer() -> None:
    """A payload that was small enough stays as it is, and so does one that was fetched."""
    assert s3_pointer.unwrap("not JSON", {"a": "b"}) == ("not JSON", {"a": "b"})


@pytest.mark.parametrize("payload", [json.dumps(SNS), json.dumps(SNS).encode(), SNS])
def test_sns(payload: Any) -> None:
    """The message, and its attributes in their types under those of SQS."""
    assert sns.unwrap(payload, {"kind": "from SQS"}) == (
        '{"order": 7}',
        {
            "kind": "from SQS",
            "price": Decimal("19.90"),
            "count": 3,
            "raw": b"\xff",
            "tags": ["a", 1, None],
            "new": "x",
        },
    )


def test_sns_without_attributes() -> None:
    """SNS leaves MessageAttributes out when there are none."""
    assert sns.unwrap(json.dumps(without(SNS, "MessageAttributes")), {}) == ('{"order": 7}', {})


def test_eventbridge() -> None:
    """The detail, exactly, and what the event says about itself as attributes."""
    assert eventbridge.unwrap(json.dumps(EVENT), {"a": "b"}) == (
        {"state": "terminated", "load": Decimal("0.1")},
        {
            "a": "b",
            "eventbridge.id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "eventbridge.source": "aws.ec2",
            "eventbridge.detail-type": "EC2 Instance State-change Notification",
            "eventbridge.account": "111122223333",
            "eventbridge.time": "2017-12-22T18:43:48Z",
            "eventbridge.region": "us-west-1",
        },
    )


def test_eventbridge_takes_what_it_needs() -> None:
    """An event with only source, detail-type and detail is one."""
    event = {"source": "s", "detail-type": "d", "detail": None}
    assert eventbridge.unwrap(event, {}) == (None, {"eventbridge.source": "s", "eventbridge.detail-type": "d"})


def test_cloudevents() -> None:
    """The data, and the context attributes with the extensions."""
    assert cloudevents.unwrap(json.dumps(CLOUD), {"a": "b"}) == (
        {"order": 7},
        {
            "a": "b",
            "cloudevents.specversion": "1.0",
            "cloudevents.type": "com.example.order",
            "cloudevents.source": "/orders",
            "cloudevents.id": "A234-1234-1234",
            "cloudevents.comexampleextension1": "value",
            "cloudevents.comexampleothervalue": 5,
            "cloudevents.datacontenttype": "application/json",
        },
    )


@pytest.mark.parametrize("event", [without(CLOUD, "data"), without(CLOUD, data=None, data_base64=None)])
def test_cloudevents_without_data(event: Any) -> None:
    """Data is optional: without it, or with null as the specification allows, the payload is null."""
    payload, attributes = cloudevents.unwrap(json.dumps(event), {})
    assert (payload, attributes["cloudevents.type"]) == (None, "com.example.order")


@pytest.mark.parametrize("name", ["data", "data_base64"])
def test_cloudevents_with_null_beside_data(name: str) -> None:
    """A null stands for a member that is not set."""
    both: dict[str, Any] = {"data": {}, "data_base64": "e30=", name: None}
    payload, _ = cloudevents.unwrap(json.dumps({**CLOUD, **both}), {})
    assert payload in ({}, b"{}")


def test_cloudevents_with_binary_data() -> None:
    """Data in Base64 is binary."""
    payload, _ = cloudevents.unwrap(json.dumps(without(CLOUD, "data", data_base64="e30=")), {})
    assert payload == b"{}"


@pytest.mark.parametrize(
    ("envelope", "payload", "why"),
    [
        (sns, "{", "it is not JSON"),
        (sns, "", "it is not JSON"),
        (sns, "[" * 65 + "]" * 65, "it is nested over 64 deep"),
        (sns, "[]", "it is no JSON object"),
        (sns, 5, "it is no JSON object"),
        (
            sns,
            without(SNS, Type="SubscriptionConfirmation"),
            "its Type is not Notification; with raw delivery there is no envelope",
        ),
        (sns, without(SNS, "Message"), "it has no Message text"),
        (sns, without(SNS, MessageAttributes=[]), "its MessageAttributes are no object"),
        (sns, without(SNS, MessageAttributes={"a": 5}), "an attribute has no Value text"),
        (sns, without(SNS, MessageAttributes={"a": {"Type": "String", "Value": 5}}), "an attribute has no Value text"),
        (sns, without(SNS, MessageAttributes={"a": {"Type": "Binary", "Value": "?"}}), "an attribute is not Base64"),
        (
            sns,
            without(SNS, MessageAttributes={"a": {"Type": "Number", "Value": "x"}}),
            "an attribute of type Number is none",
        ),
        (
            sns,
            without(SNS, MessageAttributes={"a": {"Type": "Number", "Value": "true"}}),
            "an attribute of type Number is none",
        ),
        (
            sns,
            without(SNS, MessageAttributes={"a": {"Type": "String.Array", "Value": "5"}}),
            "an attribute of type String.Array is none",
        ),
        (eventbridge, without(EVENT, "source"), "it has no source text"),
        (eventbridge, without(EVENT, "detail-type"), "it has no detail-type text"),
        (eventbridge, without(EVENT, "detail"), "it has no detail"),
        (cloudevents, without(CLOUD, specversion="0.3"), "its specversion is not 1.0"),
        (cloudevents, without(CLOUD, id=""), "it has no id text"),
        (cloudevents, without(CLOUD, "type"), "it has no type text"),
        (cloudevents, without(CLOUD, data_base64=""), "it has both data and data_base64"),
        (cloudevents, without(CLOUD, "data", data_base64="?"), "data_base64 is not Base64"),
        (cloudevents, without(CLOUD, "data", data_base64=5), "data_base64 is not Base64"),
    ],
)
def test_what_is_no_such_envelope(envelope: Any, payload: Any, why: str) -> None:
    """It is rejected, and the reason holds nothing of the message."""
    what = {sns: "an SNS notification", eventbridge: "an EventBridge event", cloudevents: "a CloudEvents event"}
    with pytest.raises(Reject) as caught:
        envelope.unwrap(payload, {})
    assert caught.value.reason == f"the payload is not {what[envelope]}: {why}"


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=list(ENVELOPES))
def test_an_envelope_recognizes_what_it_wraps(envelope: Any) -> None:
    """No other envelope does; a pointer to S3 has no object around it."""
    wrapped = json.loads(envelope.wrap('{"a": 1}'))

    found = [each for each in ENVELOPES.values() if each.recognizes(wrapped)]

    assert found == ([] if envelope is s3_pointer.ENVELOPE else [envelope])


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=list(ENVELOPES))
def test_replace_puts_another_payload_into_an_envelope(envelope: Any) -> None:
    """What else is in it stays, unlike with `wrap`."""
    one, two = (json.loads(envelope.wrap(text)) for text in ('{"a": 1}', '{"a": 2}'))
    given = {**one, "more": 1} if envelope is not s3_pointer.ENVELOPE else one

    replaced = envelope.replace(json.dumps(given), '{"a": 2}', lambda name, value: value)

    assert json.loads(replaced) == {**given, **two}


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=list(ENVELOPES))
@pytest.mark.parametrize("text", ['{"a": 1.50}', "[1]", "7", '"7"', "null", "", "{", "1234", "1e99999999999999999999"])
def test_wrap_is_the_inverse_of_unwrap(envelope: Any, text: str) -> None:
    """The payload inside is the text, or the object or list that it is the JSON of."""
    payload, _ = envelope.unwrap(envelope.wrap(text), {})

    assert payload in (text, {"a": Decimal("1.50")}, [1])
