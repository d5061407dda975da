"""What tests of other rooms use of `router.dev`."""

from router.dev.emulator import (
    REGION,
    LocalAws,
    QueueSpec,
    TableSpec,
    clients,
    clients_of,
    create_queues,
    create_tables,
    local_aws,
    scan_table,
)
from router.dev.records import MESSAGE_ID, META
from router.dev.run_tests import Suite, run_test
from router.dev.samples import from_lines, from_tests

__all__ = [
    "MESSAGE_ID",
    "META",
    "REGION",
    "LocalAws",
    "QueueSpec",
    "Suite",
    "TableSpec",
    "clients",
    "clients_of",
    "create_queues",
    "create_tables",
    "from_lines",
    "from_tests",
    "local_aws",
    "run_test",
    "scan_table",
]
