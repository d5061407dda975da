"""What tests of other rooms use of `router.tools.dev`."""

from router.tools.dev.emulator import (
    ACCOUNT,
    REGION,
    LocalAws,
    QueueSettings,
    clients,
    clients_of,
    create_queues,
    create_table,
    for_embedded_aws,
    in_batches,
    local_aws,
    refuse_foreign,
    scan_table,
)
from router.tools.dev.guard import wait_for_saving
from router.tools.dev.new.files import NewFile, write_files
from router.tools.dev.new.inference import infer_schema
from router.tools.dev.new_plugin import plan_plugin
from router.tools.dev.records import MESSAGE_ID, META, RECEIPT_HANDLE, make_body, make_record, read_record
from router.tools.dev.run_tests import Suite, run_test
from router.tools.dev.samples import from_lines, from_tests
from router.tools.dev.yaml_edit import YamlFile
from router.tools.memory.deliveries import write_together

__all__ = [
    "ACCOUNT",
    "MESSAGE_ID",
    "META",
    "RECEIPT_HANDLE",
    "REGION",
    "LocalAws",
    "NewFile",
    "QueueSettings",
    "Suite",
    "YamlFile",
    "clients",
    "clients_of",
    "create_queues",
    "create_table",
    "for_embedded_aws",
    "from_lines",
    "from_tests",
    "in_batches",
    "infer_schema",
    "local_aws",
    "make_body",
    "make_record",
    "plan_plugin",
    "read_record",
    "refuse_foreign",
    "run_test",
    "scan_table",
    "wait_for_saving",
    "write_files",
    "write_together",
]
