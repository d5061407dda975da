"""Signatures: all of AWS's published vectors that a request of the router can look like.

https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite
"""

from pathlib import Path

from tests.support.aws import Credentials, Signer, SigningScope

NEVER_SENT = {
    # Every request of the router goes to the path "/".
    "get-relative": "path",
    "get-relative-relative": "path",
    "get-slash": "path",
    "get-slash-dot-slash": "path",
    "get-slash-pointless-dot": "path",
    "get-slashes": "path",
    "get-space": "path",
    "get-special-character": "path",
    "get-utf8": "path",
    # None has a query.
    "get-vanilla-empty-query-key": "query",
    "get-vanilla-query-order-encoded": "query",
    "get-vanilla-query-order-key": "query",
    "get-vanilla-query-order-key-case": "query",
    "get-vanilla-query-order-value": "query",
    "get-vanilla-query-unreserved": "query",
    "get-vanilla-utf8-query": "query",
    "post-vanilla-empty-query-value": "query",
    "post-vanilla-query": "query",
    # None has a header twice.
    "get-header-key-duplicate": "header",
    "get-header-value-order": "header",
}
TOKEN = "x-amz-security-token:"


def test_published_vectors(sigv4_suite: Path) -> None:
    """Each signature is the published one."""
    files = sorted(sigv4_suite.rglob("*.req"))
    found = {file.stem: (_signed(file), file.with_suffix(".authz").read_text()) for file in files}
    wrong = {name for name, (ours, published) in found.items() if ours != published}
    assert (wrong, len(found)) == (set(NEVER_SENT), 34)


def _signed(file: Path) -> str:
    head, _, body = file.read_bytes().decode().partition("\n\n")
    request, *lines = head.split("\n")
    method, _, rest = request.partition(" ")
    path = rest.rpartition(" ")[0].partition("?")[0]
    headers: dict[str, str] = {}
    for line in "\n".join(lines).replace("\n ", " ").splitlines():  # a line may go on in the next
        name, _, value = line.partition(":")
        headers[name] = value
    # Where keys are temporary the signer adds their token, unless it comes after signing.
    for line in file.with_suffix(".creq").read_text().splitlines():
        if line.startswith(TOKEN):
            headers.setdefault("X-Amz-Security-Token", line.removeprefix(TOKEN))
    keys = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    moment = headers["X-Amz-Date"]
    signer = Signer(keys, SigningScope("us-east-1", "service"), moment, method, path, headers)
    return signer.authorization(body.encode())
