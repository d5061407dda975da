"""The S3 bucket of a deployment's code: private, encrypted, versioned, accessible by TLS only."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from router.errors import UsageError
from router.tools.control_plane.clients import AwsCallError, ServiceClient
from router.tools.control_plane.deployed import ABSENT, DENIED
from router.tools.control_plane.resource_changes import Tags

_ALREADY_OWNED = "BucketAlreadyOwnedByYou"
_NO_POLICY = "NoSuchBucketPolicy"
_NO_LOCATION = "us-east-1"
"""The region whose buckets have no location constraint: AmazonS3/latest/API/API_CreateBucket.html"""


class Artifacts:
    """A bucket: one that the user named, or with `account` the deployment's own, which is created if it is missing.

    One that is created gets `tags`; later deployments, of other stacks too, leave them as they are.

    Somebody else could own a bucket with the name of the deployment's own, so each call states the expected owner. A
    bucket that the user named may belong to another account on purpose.
    """

    def __init__(
        self, s3: ServiceClient, bucket: str, account: str = "", partition: str = "aws"
    ) -> None:
        self.tags: Tags = {}
        self._s3 = s3
        self.bucket = bucket
        self._partition = partition
        self._owner = {"ExpectedBucketOwner": account} if account else {}

    def prepare(self) -> None:
        """Create the bucket if needed; raises UsageError if it cannot be used."""
        try:
            response = self._call("HeadBucket")
        except AwsCallError as error:
            if error.code not in ABSENT:
                raise
            if not self._owner:
                raise UsageError(
                    f"there is no bucket '{self.bucket}'; without --bucket one is created"
                ) from None
            self._create()
            return
        region = response.get("BucketRegion", self._s3.region)
        if region != self._s3.region:
            raise UsageError(
                f"the bucket '{self.bucket}' is in {region}, and Lambda loads code from its own region "
                f"({self._s3.region}) only"
            )
        if self._owner and not self._is_protected():
            self._protect()

    def has(self, key: str, sha256: str) -> bool:
        """Whether an object with that content exists; `sha256` is hexadecimal."""
        try:
            response = self._call("HeadObject", Key=key, ChecksumMode="ENABLED")
        except AwsCallError as error:
            # Without the permission to list the bucket, S3 responds 403 for an object that does not exist.
            if error.code in ABSENT | DENIED:
                return False
            raise
        return bool(response.get("ChecksumSHA256") == _checksum(sha256))

    def put(self, key: str, content: bytes, sha256: str) -> None:
        """Store an object; S3 verifies its checksum."""
        self._call("PutObject", Key=key, Body=content, ChecksumSHA256=_checksum(sha256))

    def get(self, key: str, version: str = "") -> bytes | None:
        """Return the content of an object, or of one of its versions; None if there is none."""
        of_version = {"VersionId": version} if version else {}
        try:
            response = self._call("GetObject", Key=key, **of_version)
            return bytes(response["Body"].read())
        except AwsCallError as error:
            if error.code not in ABSENT:
                raise
            return None

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of the objects with a prefix, the newest first; none if there is no bucket."""
        found: list[tuple[Any, str]] = []
        try:
            for page in self._s3.pages(
                "ListObjectsV2", Bucket=self.bucket, Prefix=prefix, **self._owner
            ):
                found += [(each["LastModified"], each["Key"]) for each in page.get("Contents", ())]
        except AwsCallError as error:
            if error.code not in ABSENT:
                raise
        return [key for _, key in sorted(found, reverse=True)]

    def url(self, key: str) -> str:
        """Return the URL of an object for CloudFormation."""
        suffix = "amazonaws.com.cn" if self._partition == "aws-cn" else "amazonaws.com"
        return f"https://s3.{self._s3.region}.{suffix}/{self.bucket}/{key}"

    def _create(self) -> None:
        region = self._s3.region
        location = (
            {}
            if region == _NO_LOCATION
            else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        try:
            self._s3.call(
                "CreateBucket",
                Bucket=self.bucket,
                ObjectOwnership="BucketOwnerEnforced",
                **location,
            )
        except AwsCallError as error:
            # Another deployment of this account has created it meanwhile.
            if error.code != _ALREADY_OWNED:
                raise
        tags = [{"Key": name, "Value": value} for name, value in self.tags.items()]
        if tags:
            self._call("PutBucketTagging", Tagging={"TagSet": tags})
        self._protect()

    def _is_protected(self) -> bool:
        """Whether the own bucket has all of its settings: a deployment may have been stopped after it created it."""
        try:
            self._call("GetBucketPolicy")
        except AwsCallError as error:
            if error.code != _NO_POLICY:
                raise
            return False
        return True

    def _protect(self) -> None:
        self._call("PutPublicAccessBlock", PublicAccessBlockConfiguration=_NOTHING_PUBLIC)
        self._call("PutBucketEncryption", ServerSideEncryptionConfiguration=_ENCRYPTED)
        self._call("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
        # The last setting: its presence shows that the others are made.
        self._call("PutBucketPolicy", Policy=json.dumps(self._tls_only()))

    def _call(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        return self._s3.call(operation, Bucket=self.bucket, **self._owner, **parameters)

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
