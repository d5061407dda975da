"""Tables as resources: kept when the stack goes, or when they leave it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-table.html
"""

from router.ops.template.expressions import Json, sub
from router.ops.template.plan import Plan, Table

_ROLES = ("HASH", "RANGE")


def table_resources(plan: Plan) -> dict[str, Json]:
    """The tables that are made."""
    return {table.id: _table(table) for table in plan.tables.values() if table.made}


def _table(table: Table) -> Json:
    key = table.settings.key
    properties: Json = {
        "TableName": sub(table.name),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in key.items()],
        "KeySchema": [
            {"AttributeName": name, "KeyType": role} for name, role in zip(key, _ROLES[: len(key)], strict=True)
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "DeletionProtectionEnabled": True,
    }
    if table.settings.ttl:
        properties["TimeToLiveSpecification"] = {"AttributeName": table.settings.ttl, "Enabled": True}
    if table.kms_key:
        properties["SSESpecification"] = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": sub(table.kms_key)}
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    }
