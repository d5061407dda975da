"""The bucket that a deployment's code is in: private, encrypted, versioned, reached by TLS only."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from router.aws.deployment_clients import CloudError, Service
from router.errors import UsageError

_ABSENT = frozenset({"404", "NoSuchBucket", "NotFound", "NoSuchKey"})
_OURS_ALREADY = "BucketAlreadyOwnedByYou"
_NO_POLICY = "NoSuchBucketPolicy"
_NO_LOCATION = "us-east-1"
"""The region whose buckets have no location constraint: AmazonS3/latest/API/API_CreateBucket.html"""


class Artifacts:
    """A bucket: one that was named, or with `account` the deployment's own, which is made where it is needed.

    The own bucket's name could be taken by somebody else, so that each call says whose it is to be. One that was named
    may be another account's on purpose.
    """

    def __init__(self, s3: Service, bucket: str, account: str = "", partition: str = "aws") -> None:
        self._s3 = s3
        self.bucket = bucket
        self._partition = partition
        self._owner = {"ExpectedBucketOwner": account} if account else {}

    def prepare(self) -> bool:
        """Make sure of the bucket, and say whether it had to be made; raises UsageError if it will not do."""
        try:
            answer = self._s3.ask("HeadBucket", Bucket=self.bucket, **self._owner)
        except CloudError as error:
            if error.code not in _ABSENT:
                raise
            if not self._owner:
                raise UsageError(f"there is no bucket '{self.bucket}'; without --bucket one is made") from None
            self._make()
            return True
        region = answer.get("BucketRegion", self._s3.region)
        if region != self._s3.region:
            raise UsageError(
                f"the bucket '{self.bucket}' is in {region}, and Lambda takes code from its own region "
                f"({self._s3.region}) only"
            )
        if self._owner and not self._is_finished():
            self._protect()
        return False

    def has(self, key: str, sha256: str) -> bool:
        """Whether an object with that content is there; `sha256` is hexadecimal."""
        try:
            answer = self._s3.ask("HeadObject", Bucket=self.bucket, Key=key, ChecksumMode="ENABLED", **self._owner)
        except CloudError as error:
            # Who may not list a bucket is told 403 of what is not there.
            if error.code in _ABSENT or error.code in ("403", "Forbidden"):
                return False
            raise
        return bool(answer.get("ChecksumSHA256") == _checksum(sha256))

    def put(self, key: str, content: Path | bytes, sha256: str) -> None:
        """Store a file or text; S3 refuses it if it did not arrive as it is."""
        body: Mapping[str, Any] = {"Key": key, "ChecksumSHA256": _checksum(sha256), **self._owner}
        if isinstance(content, bytes):
            self._s3.ask("PutObject", Bucket=self.bucket, Body=content, **body)
            return
        with content.open("rb") as file:
            self._s3.ask("PutObject", Bucket=self.bucket, Body=file, **body)

    def url(self, key: str) -> str:
        """The address of an object, as CloudFormation takes it."""
        suffix = "amazonaws.com.cn" if self._partition == "aws-cn" else "amazonaws.com"
        return f"https://s3.{self._s3.region}.{suffix}/{self.bucket}/{key}"

    def _make(self) -> None:
        region = self._s3.region
        place = {} if region == _NO_LOCATION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self._s3.ask("CreateBucket", Bucket=self.bucket, ObjectOwnership="BucketOwnerEnforced", **place)
        except CloudError as error:
            # Somebody of this account deploys at the same time.
            if error.code != _OURS_ALREADY:
                raise
        self._protect()

    def _is_finished(self) -> bool:
        """Whether a bucket of ours got all of its settings; who made it may have been stopped in between."""
        try:
            self._s3.ask("GetBucketPolicy", Bucket=self.bucket, **self._owner)
        except CloudError as error:
            if error.code != _NO_POLICY:
                raise
            return False
        return True

    def _protect(self) -> None:
        self._set("PutPublicAccessBlock", PublicAccessBlockConfiguration=_NOTHING_PUBLIC)
        self._set("PutBucketEncryption", ServerSideEncryptionConfiguration=_ENCRYPTED)
        self._set("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
        # The last one: it shows that the others are done.
        self._set("PutBucketPolicy", Policy=json.dumps(self._tls_only()))

    def _set(self, operation: str, **parameters: Any) -> None:
        self._s3.ask(operation, Bucket=self.bucket, **self._owner, **parameters)

    def _tls_only(self) -> dict[str, Any]:
        arn = f"arn:{self._partition}:s3:::{self.bucket}"
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [arn, f"{arn}/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        }


_NOTHING_PUBLIC = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_ENCRYPTED = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}


def _checksum(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()
