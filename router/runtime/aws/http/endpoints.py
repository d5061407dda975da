"""The endpoint of a service of AWS, by region or from the environment.

https://docs.aws.amazon.com/general/latest/gr/rande.html and, for the environment,
https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from router.errors import UsageError

ServiceName = Literal["dynamodb", "s3", "sqs"]

# By the prefix of a region's name: the domain, and the domain of dual-stack endpoints ("" where there is none).
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
    """A service's address; `secure` is TLS."""

    name: str
    port: int
    secure: bool

    @property
    def host(self) -> str:
        """The Host header: the name, and the port unless it is the default one."""
        usual = 443 if self.secure else 80
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == usual else f"{name}:{self.port}"


def find_endpoint(service: ServiceName, region: str, env: Mapping[str, str]) -> Endpoint:
    """Return the endpoint of a service in a region; raises UsageError for an endpoint in `env` that is no URL."""
    given = _given(service, env)
    if given:
        return parse_endpoint(given)
    fips = env.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true"
    dual_stack = env.get("AWS_USE_DUALSTACK_ENDPOINT", "").lower() == "true"
    return Endpoint(_host(service, region, fips=fips, dual_stack=dual_stack), 443, secure=True)


def find_bucket(bucket: str, region: str, env: Mapping[str, str]) -> tuple[Endpoint, str]:
    """Return the endpoint of a bucket of S3 in a region, and how its paths begin; raises UsageError.

    As with the SDKs the bucket is a part of the host, but for one that no certificate covers, and for an endpoint that
    the environment names.
    """
    endpoint = find_endpoint("s3", region, env)
    if "." in bucket or _given("s3", env):
        return endpoint, f"/{bucket}/"
    return Endpoint(f"{bucket}.{endpoint.name}", endpoint.port, endpoint.secure), "/"


def _given(service: ServiceName, env: Mapping[str, str]) -> str:
    """The URL that the environment names for a service; "" if none."""
    if env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return ""
    return env.get(f"AWS_ENDPOINT_URL_{service.upper()}", "") or env.get("AWS_ENDPOINT_URL", "")


def parse_endpoint(url: str) -> Endpoint:
    """Return the endpoint of a URL; raises UsageError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    named = is_host(host) and port != 0
    if (
        not named
        or parts.scheme not in ("http", "https")
        or parts[2:] not in _NO_PATH
        or "@" in parts.netloc
    ):
        raise UsageError(f"the endpoint '{_without_user(url)}' is not http(s)://HOST[:PORT]")
    secure = parts.scheme == "https"
    return Endpoint(host, port or (443 if secure else 80), secure)


def is_host(name: str) -> bool:
    """Whether a host can have a name: an address, or labels of up to 63 letters, digits, `-` and `_`."""
    if ":" in name:
        from ipaddress import ip_address  # takes longer to import than this module

        try:
            return bool(ip_address(name))
        except ValueError:
            return False
    labels = name.removesuffix(".").split(".")
    return name.isascii() and all(
        len(each) <= 63 and each.replace("-", "").replace("_", "").isalnum() for each in labels
    )


def _without_user(url: str) -> str:
    """A URL without user and password, to be shown."""
    start, sign, rest = url.rpartition("@")
    return f"{start.partition('://')[0]}://{rest}" if sign and "://" in start else rest


def _host(service: ServiceName, region: str, *, fips: bool, dual_stack: bool) -> str:
    domains = next(
        (both for start, both in _PARTITIONS.items() if region.startswith(start)), _COMMERCIAL
    )
    domain = domains[1] if dual_stack else domains[0]
    if not domain:
        raise UsageError(
            f"region {region} has no dual-stack endpoints: unset AWS_USE_DUALSTACK_ENDPOINT"
        )
    name = f"{service}-fips" if fips else service
    if service == "s3":
        if fips and region.startswith("cn-"):
            raise UsageError(
                f"S3 has no FIPS endpoint in region {region}: unset AWS_USE_FIPS_ENDPOINT"
            )
        return f"{name}.{'dualstack.' if dual_stack else ''}{region}.{domains[0]}"
    # In GovCloud, the default names are those of FIPS endpoints.
    if region.startswith("us-gov-") and not dual_stack:
        name = service
    return f"{name}.{region}.{domain}"
