"""What people do: callbacks of Twilio, tracks of Segment and logs of Auth0."""

from random import Random
from typing import Any

from tests.conformance.world.values import address, digits, hexadecimal, optional, sometimes, time, token, uuid, word

Message = dict[str, Any]


def twilio_status(random: Random) -> Message:
    """The callback about the status of a message of Twilio, its parameters as JSON: each is text."""
    status = random.choice(["queued", "sent", "delivered", "undelivered", "failed"])
    sid = f"SM{hexadecimal(random)}"
    failed = status in ("undelivered", "failed")
    return (
        {
            "SmsSid": sid,
            "SmsStatus": status,
            "MessageStatus": status,
            "To": f"+1{digits(random, 10)}",
            "MessageSid": sid,
            "AccountSid": f"AC{hexadecimal(random)}",
            "From": f"+1{digits(random, 10)}",
            "ApiVersion": "2010-04-01",
        }
        | ({"ErrorCode": random.choice(["30003", "30006"])} if failed else {})
        | optional(random, 0.4, MessagingServiceSid=f"MG{hexadecimal(random)}")
        | ({"RawDlrDoneDate": digits(random, 10)} if status == "delivered" else {})
    )


def segment_track(random: Random) -> Message:
    """A call of `track` of Segment, after its server added to it."""
    name, properties = random.choice(
        [
            ("Order Completed", _order_completed(random)),
            ("Product Viewed", {"product_id": token(random, 8), "price": 9, "url": None}),
            ("Signed Up", {"plan": random.choice(["Pro Annual", "Free"]), "referrer": sometimes(random, word(random))}),
        ]
    )
    return {
        "anonymousId": sometimes(random, uuid(random), 0.9),
        "channel": random.choice(["server", "client"]),
        "context": {
            "app": {"name": "Shop", "version": "5.4.1"},
            "ip": address(random),
            "library": {"name": "analytics.js", "version": "2.11.1"},
            "locale": "en-US",
            "userAgent": "Mozilla/5.0",
        }
        | optional(random, 0.5, page={"path": f"/{word(random)}", "referrer": "", "search": "", "title": word(random)})
        | optional(random, 0.3, traits={"email": f"{word(random)}@example.com", "logins": random.randrange(90)}),
        "event": name,
        "integrations": random.choice([{}, {"All": True, "Mixpanel": False}]),
        "messageId": f"ajs-next-{hexadecimal(random)}",
        "originalTimestamp": time(random, fraction=3),
        "properties": properties,
        "receivedAt": time(random, fraction=3),
        "sentAt": time(random, fraction=3),
        "timestamp": time(random, fraction=3),
        "type": "track",
        "userId": sometimes(random, f"user-{random.randrange(10**6)}", 0.7),
        "version": 2,
    }


def _order_completed(random: Random) -> Message:
    products = [{"product_id": token(random, 8), "sku": sometimes(random, "G-32"), "price": 18.99, "quantity": 1}]
    return {
        "order_id": token(random, 10),
        "total": random.choice([27.5, 30]),
        "revenue": 25,
        "currency": "USD",
        "coupon": sometimes(random, "hasbros"),
        "products": products * random.randint(1, 3),
    }


def auth0_log(random: Random) -> Message:
    """A log of Auth0 that a log stream delivers: a login, a failed login, or an exchange of a code."""
    kind = random.choice(["s", "fp", "seacft", "limit_wc"])
    id_ = f"90020260{digits(random, 40)}"
    data: Message = {
        "date": time(random, fraction=3),
        "type": kind,
        "client_id": token(random, 32),
        "client_name": sometimes(random, "Shop", 0.8),
        "ip": random.choice([address(random), "2001:db8::1"]),
        "user_agent": "Chrome 131.0.0 / Mac OS X 10.15.7",
        "hostname": "acme.eu.auth0.example",
        "user_id": random.choice(["", f"auth0|{hexadecimal(random, 24)}"]),
        "log_id": id_,
        "tenant_name": "acme",
        "_id": id_,
        "isMobile": random.random() < 0.3,
    }
    if kind in ("s", "fp"):
        data |= {"connection": "Users", "connection_id": f"con_{token(random, 16)}", "strategy": "auth0"}
        data |= {"user_name": f"{word(random)}@example.com", "strategy_type": "database"}
    if kind == "fp":
        data |= {"description": "Wrong email or password."}
    if kind == "s":
        data |= {
            "details": {
                "completedAt": 1767323045000,
                "elapsedTime": sometimes(random, 312),
                "session_id": token(random),
            }
        }
    if kind == "limit_wc":
        data |= {"description": "An IP address is blocked after 10 attempts.", "details": None}
    return {"log_id": id_, "data": data}
