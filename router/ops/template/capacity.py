"""The capacity of tables: on demand, or provisioned and scaled by what is consumed of it.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.HowTo.SDK.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-applicationautoscaling-scalingpolicy.html
"""

from collections.abc import Iterator, Mapping

from msgspec import UnsetType

from router.config import spec
from router.ops.template.expressions import Json, ref, resource
from router.ops.template.plan import PlannedTable, StackPlan


def billing(table: PlannedTable) -> Json:
    """Return the properties of a table for its capacity; scaling begins at the least units."""
    capacity = table.settings.capacity
    if isinstance(capacity, UnsetType):
        return {"BillingMode": "PAY_PER_REQUEST"}
    units = {f"{what}CapacityUnits": range_.min for what, range_ in _ranges(capacity).items()}
    return {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units}


def scaling_resources(plan: StackPlan) -> dict[str, Json]:
    """Return what scales the capacity of tables, by a role that AWS makes: the router's own needs no permission."""
    return {id_: each for table in plan.tables.values() if table.made for id_, each in _scaling(table)}


def _scaling(table: PlannedTable) -> Iterator[tuple[str, Json]]:
    capacity = table.settings.capacity
    for what, range_ in {}.items() if isinstance(capacity, UnsetType) else _ranges(capacity).items():
        if range_.most == range_.min:
            continue
        end = table.id.removeprefix("Table")
        target: Json = {
            "ServiceNamespace": "dynamodb",
            "ScalableDimension": f"dynamodb:table:{what}CapacityUnits",
            "ResourceId": {"Fn::Join": ["/", ["table", ref(table.id)]]},
            "MinCapacity": range_.min,
            "MaxCapacity": range_.most,
        }
        yield f"{what}Units{end}", resource("ApplicationAutoScaling::ScalableTarget", target)
        metric = f"DynamoDB{what}CapacityUtilization"
        policy: Json = {
            "PolicyName": metric,
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": ref(f"{what}Units{end}"),
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": range_.target,
                "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
            },
        }
        yield f"{what}Scaling{end}", resource("ApplicationAutoScaling::ScalingPolicy", policy)


def _ranges(capacity: spec.Capacity) -> Mapping[str, spec.CapacityRange]:
    return {"Read": capacity.read, "Write": capacity.write}
