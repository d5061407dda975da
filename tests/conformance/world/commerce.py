"""Orders of Shopify, and events of Stripe with expanded objects."""

from random import Random
from typing import Any

from tests.conformance.world.values import address, digits, optional, seconds, sometimes, time, token, word

Message = dict[str, Any]
OFFSETS = ("-04:00", "-05:00")
"""Those of a shop in New York, in summer and in winter."""


def shopify_order(random: Random) -> Message:
    """An order as the webhooks `orders/create` and `orders/updated` have it (Admin API 2026-01)."""
    number = random.randrange(1001, 99_999)
    created, updated = (time(random, random.choice(OFFSETS)) for _ in range(2))
    lines = [_line(random) for _ in range(random.choice([1, 1, 2, 3]))]
    total = f"{random.randrange(500, 90_000) / 100:.2f}"
    paid = random.random() < 0.7
    cancelled = random.random() < 0.2
    return {
        "id": int(digits(random, 13)),
        "admin_graphql_api_id": f"gid://shopify/Order/{digits(random, 13)}",
        "app_id": sometimes(random, int(digits(random, 6))),
        "browser_ip": sometimes(random, address(random)),
        "buyer_accepts_marketing": random.random() < 0.5,
        "cancel_reason": random.choice(["customer", "inventory"]) if cancelled else None,
        "cancelled_at": updated if cancelled else None,
        "cart_token": sometimes(random, token(random, 32)),
        "checkout_id": sometimes(random, int(digits(random, 14))),
        "client_details": sometimes(
            random, {"accept_language": "en-US", "browser_height": None, "user_agent": "Mozilla"}
        ),
        "closed_at": sometimes(random, updated, 0.2),
        "confirmed": True,
        "contact_email": sometimes(random, f"{word(random)}@example.com", 0.8),
        "created_at": created,
        "currency": random.choice(["USD", "CAD"]),
        "current_total_price": total,
        "current_total_price_set": _money(total),
        "customer": sometimes(random, _customer(random), 0.8),
        "discount_codes": [{"code": "SPRING", "amount": "5.00", "type": "fixed_amount"}] if number % 3 == 0 else [],
        "email": random.choice(["", f"{word(random)}@example.com"]),
        "financial_status": "paid" if paid else "pending",
        "fulfillment_status": sometimes(random, "fulfilled", 0.4),
        "fulfillments": [],
        "gateway": "shopify_payments" if paid else "",
        "landing_site": sometimes(random, f"/products/{word(random)}?utm_source=mail"),
        "line_items": lines,
        "name": f"#{number}",
        "note": sometimes(random, "Please ring twice.", 0.3),
        "note_attributes": [],
        "number": number - 1000,
        "order_number": number,
        "order_status_url": f"https://shop.example.com/orders/{token(random, 32)}/authenticate?key={word(random)}",
        "payment_gateway_names": ["shopify_payments"] if paid else [],
        "phone": sometimes(random, f"+1{digits(random, 10)}", 0.3),
        "processed_at": created,
        "referring_site": random.choice([None, "", "https://search.example.com/"]),
        "shipping_address": sometimes(random, _address(random), 0.9),
        "shipping_lines": [],
        "source_name": "web",
        "subtotal_price": total,
        "tags": random.choice(["", "gift, wholesale"]),
        "tax_lines": [{"price": "1.20", "rate": 0.0725, "title": "State Tax", "channel_liable": None}][: number % 2],
        "taxes_included": False,
        "test": False,
        "token": token(random, 32),
        "total_discounts": "0.00",
        "total_price": total,
        "total_weight": random.randrange(5000),
        "updated_at": updated,
        "user_id": sometimes(random, int(digits(random, 11)), 0.1),
    }


def _money(amount: str) -> Message:
    return {
        "shop_money": {"amount": amount, "currency_code": "USD"},
        "presentment_money": {"amount": amount, "currency_code": "USD"},
    }


def _line(random: Random) -> Message:
    price = f"{random.randrange(100, 9000) / 100:.2f}"
    return {
        "id": int(digits(random, 14)),
        "fulfillable_quantity": random.randint(0, 3),
        "fulfillment_status": sometimes(random, "fulfilled", 0.4),
        "gift_card": False,
        "grams": random.randrange(2000),
        "name": f"{word(random).title()} - Large",
        "price": price,
        "price_set": _money(price),
        "product_id": sometimes(random, int(digits(random, 13)), 0.9),
        "properties": [{"name": "Engraving", "value": word(random)}] if random.random() < 0.3 else [],
        "quantity": random.randint(1, 3),
        "sku": random.choice(["", None, f"SKU-{digits(random, 5)}"]),
        "taxable": True,
        "title": word(random).title(),
        "variant_id": sometimes(random, int(digits(random, 14)), 0.9),
        "variant_title": sometimes(random, "Large"),
        "vendor": sometimes(random, word(random).title()),
    }


def _customer(random: Random) -> Message:
    return {
        "id": int(digits(random, 13)),
        "email": sometimes(random, f"{word(random)}@example.com", 0.8),
        "created_at": time(random, random.choice(OFFSETS)),
        "updated_at": time(random, random.choice(OFFSETS)),
        "first_name": sometimes(random, word(random).title(), 0.8),
        "last_name": word(random).title(),
        "state": random.choice(["enabled", "disabled"]),
        "note": None,
        "verified_email": True,
        "tags": "",
        "default_address": sometimes(random, _address(random), 0.8),
    }


def _address(random: Random) -> Message:
    return {
        "first_name": sometimes(random, word(random).title(), 0.8),
        "last_name": word(random).title(),
        "address1": f"{random.randint(1, 99)} Main Street",
        "address2": random.choice([None, "", "Floor 2"]),
        "phone": sometimes(random, f"+1{digits(random, 10)}"),
        "city": word(random).title(),
        "zip": digits(random, 5),
        "province": "New York",
        "country": "United States",
        "company": None,
        "latitude": sometimes(random, random.randrange(40_000_000, 45_000_000) / 10**6),
        "longitude": sometimes(random, -random.randrange(70_000_000, 75_000_000) / 10**6),
        "country_code": "US",
        "province_code": sometimes(random, "NY", 0.9),
    }


def stripe_expanded(random: Random) -> Message:
    """An event of Stripe about an invoice or a payment, whose customer and charge may be expanded."""
    kind = random.choice(["invoice.paid", "invoice.payment_failed", "payment_intent.succeeded"])
    about = _invoice(random, kind) if kind.startswith("invoice") else _payment(random)
    return {
        "id": f"evt_{token(random)}",
        "object": "event",
        "account": sometimes(random, f"acct_{token(random, 16)}", 0.2),
        "api_version": "2026-01-28.basil",
        "created": seconds(random),
        "data": {"object": about} | optional(random, 0.2, previous_attributes={"status": "open"}),
        "livemode": False,
        "pending_webhooks": random.randrange(3),
        "request": {"id": sometimes(random, f"req_{token(random, 14)}"), "idempotency_key": None},
        "type": kind,
    }


def _invoice(random: Random, kind: str) -> Message:
    paid = kind == "invoice.paid"
    return {
        "id": f"in_{token(random)}",
        "object": "invoice",
        "amount_due": random.randrange(10**5),
        "attempt_count": random.randint(1, 4),
        "charge": random.choice([None, f"ch_{token(random)}", _charge(random)]),
        "currency": "eur",
        "customer": _customer_of_stripe(random),
        "due_date": sometimes(random, seconds(random), 0.3),
        "lines": {
            "object": "list",
            "data": [
                {
                    "id": f"il_{token(random)}",
                    "amount": random.randrange(-500, 5000),
                    "description": sometimes(random, "Seat"),
                }
                for _ in range(random.randint(1, 3))
            ],
            "has_more": False,
            "url": f"/v1/invoices/in_{token(random)}/lines",
        },
        "metadata": {word(random): word(random) for _ in range(random.choice([0, 1, 2]))},
        "next_payment_attempt": None if paid else seconds(random),
        "number": sometimes(random, f"{token(random, 8).upper()}-0001", 0.9),
        "status": "paid" if paid else "open",
        "tax_percent": sometimes(random, random.choice([19, 19.5]), 0.6),
    }


def _payment(random: Random) -> Message:
    return {
        "id": f"pi_{token(random)}",
        "object": "payment_intent",
        "amount": random.randrange(50, 10**6),
        "currency": random.choice(["usd", "eur"]),
        "customer": _customer_of_stripe(random),
        "latest_charge": random.choice([f"ch_{token(random)}", _charge(random)]),
        "metadata": {},
        "payment_method_types": random.choice([["card"], ["card", "link"]]),
        "receipt_email": sometimes(random, f"{word(random)}@example.com"),
        "status": "succeeded",
    }


def _customer_of_stripe(random: Random) -> Any:
    id_ = f"cus_{token(random, 14)}"
    full = {"id": id_, "object": "customer", "email": sometimes(random, f"{word(random)}@example.com"), "balance": 0}
    return random.choice([id_, full | {"metadata": {}, "name": sometimes(random, word(random).title())}])


def _charge(random: Random) -> Message:
    return {
        "id": f"ch_{token(random)}",
        "object": "charge",
        "amount": random.randrange(50, 10**6),
        "outcome": sometimes(
            random, {"network_status": "approved_by_network", "risk_score": random.randrange(100)}, 0.8
        ),
        "paid": True,
        "receipt_url": sometimes(random, f"https://pay.example.com/receipts/{token(random)}"),
    }
