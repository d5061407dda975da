"""Signatures: AWS's published vectors, and the same as botocore makes."""

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from router.runtime.aws.http.signing import Credentials, Signer, SigningScope

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
MOMENT = "20150830T123600Z"
HEADERS = {"Host": "example.amazonaws.com", "X-Amz-Date": MOMENT}


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ],
    ids=["get-vanilla", "post-vanilla"],
)
def test_published_vectors(method: str, signature: str) -> None:
    """The signatures of AWS's own test suite for Signature Version 4."""
    signer = Signer(KEYS, SigningScope("us-east-1", "service"), MOMENT, method, "/", HEADERS)

    assert signer.authorization(b"") == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )


TOKENS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)
VALUES = st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=30)


@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=200),
    region=TOKENS,
    service=TOKENS,
    extra=st.dictionaries(TOKENS.map(lambda name: f"X-{name.lower()}"), VALUES, max_size=3),
    token=st.sampled_from(["", "a-token"]),
)
def test_as_botocore(body: bytes, region: str, service: str, extra: dict[str, str], token: str) -> None:
    """For any request, the header is what botocore would send."""
    credentials = Credentials("AKID", "secret", token)
    request = AWSRequest("POST", "https://host.example:8443/", headers=extra, data=body)
    SigV4Auth(BotoCredentials("AKID", "secret", token or None), service, region).add_auth(request)
    headers = {"Host": "host.example:8443", **extra, "X-Amz-Date": request.headers["X-Amz-Date"]}
    if token:
        headers["X-Amz-Security-Token"] = token

    signer = Signer(credentials, SigningScope(region, service), headers["X-Amz-Date"], "POST", "/", headers)
    before = signer.authorization(b"another body")

    assert (signer.authorization(body), signer.authorization(b"another body")) == (
        request.headers["Authorization"],
        before,
    )
