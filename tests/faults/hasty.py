"""Runs a Python file or module as the main program with short timeouts and few retries, so that a test can wait.

With few retries some writes are left to the next delivery of their message, as in a long outage.
"""

import runpy
import sys

from router.runtime.aws import boto
from router.runtime.aws.http import queues, tables
from router.runtime.deliver import writer
from router.tools.dlq import queues as dead_letter_queues
from router.tools.dlq import redrive

boto.DYNAMODB_TIMEOUT = 1
boto.SQS_TIMEOUT = 2
tables.SECONDS = 1
queues.SECONDS = 2
writer.MAX_TRIES = 2
dead_letter_queues.VISIBILITY_SECONDS = 8
redrive.LEAST_LEASE_SECONDS = 1

sys.argv = sys.argv[1:]
if sys.argv[0].endswith(".py"):
    runpy.run_path(sys.argv[0], run_name="__main__")
else:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
