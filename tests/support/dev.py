"""What tests of other rooms use of `router.dev`."""

from router.dev.emulator import (
    ACCOUNT,
    REGION,
    LocalAws,
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
from router.dev.new.files import NewFile, write_files
from router.dev.records import MESSAGE_ID, META, RECEIPT_HANDLE, make_body, make_record, read_record
from router.dev.run_tests import Suite, run_test
from router.dev.samples import from_lines, from_tests
from router.dev.stateful import write_together
from router.dev.yaml_edit import YamlFile

__all__ = [
    "ACCOUNT",
    "MESSAGE_ID",
    "META",
    "RECEIPT_HANDLE",
    "REGION",
    "LocalAws",
    "NewFile",
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
    "local_aws",
    "make_body",
    "make_record",
    "read_record",
    "refuse_foreign",
    "run_test",
    "scan_table",
    "write_files",
    "write_together",
]
