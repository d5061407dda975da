"""What checkov finds in templates, and why that is accepted; it is installed in .venv-checkov, beside the environment.

It needs an older boto3 than the router does, so that it is left out where it is not installed.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from router.tools.deploy.template.canary import Canary, with_canary
from tests.support.ops import as_json, make_document, read_for_deployment, with_alias
from tests.unit.tools.deploy.template.test_template_lint import EVERYTHING, MORE

ROOT = Path(__file__).parents[5]
PROGRAM = shutil.which("checkov") or shutil.which(ROOT / ".venv-checkov" / "bin" / "checkov")
pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="checkov is not installed"),
    pytest.mark.timeout(300),  # 25 seconds, on a busy machine
]
ACCEPTED = {
    "CKV_AWS_27": "SQS encrypts queues itself (SqsManagedSseEnabled), which the check does not know, or by kms_key",
    "CKV_AWS_111": "network interfaces are made by Lambda for a function in a network, and have no ARN before that",
    "CKV_AWS_115": "how many invocations are reserved is up to the account: function.reserved_concurrency",
    "CKV_AWS_116": "a dead-letter queue of the function is for asynchronous invocations; here the queues have theirs",
    "CKV_AWS_117": "SQS and DynamoDB are reached by TLS from everywhere: function.vpc is for those who must",
    "CKV_AWS_119": "tables are encrypted by DynamoDB's own key, or by kms_key",
    "CKV_AWS_158": "logs are encrypted by CloudWatch, and hold no values of messages; a patch gives them a key",
    "CKV_AWS_173": "Lambda encrypts variables by its own key, and secrets can be references; a patch gives a key",
}
"""The findings, with the reason why the template stays as it is."""


def run_checkov(templates: Path) -> Any:
    """What checkov reports of the templates of a folder."""
    words = ["-d", str(templates), "--framework", "cloudformation", "--quiet", "--compact", "-o", "json"]
    done = subprocess.run([str(PROGRAM), *words], capture_output=True, text=True, check=False, env=dict(os.environ))
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0, done.stdout
    return report


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The checks that fail of the templates of the sample, and of a config that has all there is."""
    folder, templates = tmp_path_factory.mktemp("config"), tmp_path_factory.mktemp("templates")
    (folder / "routes.yaml").write_text(EVERYTHING, encoding="utf-8")
    (folder / "more.yaml").write_text(MORE, encoding="utf-8")
    for name, path in (("sample", ROOT / "routes.yaml"), ("everything", folder / "routes.yaml")):
        config = read_for_deployment(path, {})
        function = with_canary(with_alias(make_document(config)), Canary(10, 5))
        (templates / f"{name}.json").write_text(as_json(function), encoding="utf-8")
        (templates / f"{name}-worker.json").write_text(as_json(make_document(config, as_worker=True)), encoding="utf-8")
    report = run_checkov(templates)
    assert report["summary"]["resource_count"] > 100, report
    return {each["check_id"] for each in report["results"]["failed_checks"]}


def test_nothing_else_is_found(failed: set[str]) -> None:
    """Every other check passes."""
    assert failed - {*ACCEPTED} == set()


def test_each_reason_is_needed(failed: set[str]) -> None:
    """What passes needs none."""
    assert {*ACCEPTED} - failed == set()
