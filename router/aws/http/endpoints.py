"""Where a service of AWS is: its host by region, or what the environment says instead.

https://docs.aws.amazon.com/general/latest/gr/rande.html and, for the environment,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from router.errors import UsageError

ServiceName = Literal["dynamodb", "sqs"]

# By the beginning of a region's name: the domain, and that of names that answer by IPv6 too ("" where there is none).
_PARTITIONS: Mapping[str, tuple[str, str]] = {
    "cn-": ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    "us-iso-": ("c2s.ic.gov", "api.aws.ic.gov"),
    "us-isob-": ("sc2s.sgov.gov", "api.aws.scloud"),
    "us-isof-": ("csp.hci.ic.gov", ""),
    "eu-isoe-": ("cloud.adc-e.uk", ""),
    "eusc-": ("amazonaws.eu", "api.amazonwebservices.eu"),
}
_NO_PATH = (("", "", ""), ("/", "", ""))
_COMMERCIAL = ("amazonaws.com", "api.aws")


class Endpoint(Struct, frozen=True):
    """A service's address; `secure` is TLS, `host` goes into the Host header (with the port, unless it is usual)."""

    name: str
    port: int
    secure: bool

    @property
    def host(self) -> str:
        """The Host header."""
        usual = 443 if self.secure else 80
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == usual else f"{name}:{self.port}"


def find_endpoint(service: ServiceName, region: str, env: Mapping[str, str]) -> Endpoint:
    """The endpoint of a service in a region; raises UsageError for an endpoint in `env` that is no URL."""
    given = ""
    if env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        given = env.get(f"AWS_ENDPOINT_URL_{service.upper()}", "") or env.get("AWS_ENDPOINT_URL", "")
    if given:
        return parse_endpoint(given)
    fips = env.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true"
    dual_stack = env.get("AWS_USE_DUALSTACK_ENDPOINT", "").lower() == "true"
    return Endpoint(_host(service, region, fips=fips, dual_stack=dual_stack), 443, secure=True)


def parse_endpoint(url: str) -> Endpoint:
    """The endpoint of a URL; raises UsageError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    named = is_host(host) and port != 0
    if not named or parts.scheme not in ("http", "https") or parts[2:] not in _NO_PATH or "@" in parts.netloc:
        raise UsageError(f"the endpoint '{_without_user(url)}' is not http(s)://HOST[:PORT]")
    secure = parts.scheme == "https"
    return Endpoint(host, port or (443 if secure else 80), secure)


def is_host(name: str) -> bool:
    """Whether a name can be that of a host: an address, or labels of up to 63 letters, digits, `-` and `_`."""
    if ":" in name:
        try:
            return bool(ip_address(name))
        except ValueError:
            return False
    labels = name.removesuffix(".").split(".")
    return name.isascii() and all(
        len(each) <= 63 and each.replace("-", "").replace("_", "").isalnum() for each in labels
    )


def _without_user(url: str) -> str:
    """A URL as it may be shown: it may have a password."""
    start, sign, rest = url.rpartition("@")
    return f"{start.partition('://')[0]}://{rest}" if sign and "://" in start else rest


def _host(service: ServiceName, region: str, *, fips: bool, dual_stack: bool) -> str:
    domains = next((both for start, both in _PARTITIONS.items() if region.startswith(start)), _COMMERCIAL)
    domain = domains[1] if dual_stack else domains[0]
    if not domain:
        raise UsageError(f"region {region} has no dual-stack endpoints: unset AWS_USE_DUALSTACK_ENDPOINT")
    government = region.startswith("us-gov-")
    # In GovCloud, the usual names are those of FIPS endpoints already.
    name = service if not fips or (government and not dual_stack) else f"{service}-fips"
    return f"{name}.{region}.{domain}"
