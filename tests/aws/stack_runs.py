"""Deploys the configs of stack_cases.py on a local AWS that enforces IAM, changes them, rolls back and undeploys.

Each step is a command of the router. After each one, what exists is compared with the config, the simulator of IAM is
asked what the role may do, and a message of each route becomes an item, by the function with its role.
"""

import argparse
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import boto3

from tests.aws.conftest import in_environment_of
from tests.aws.projects import StackProject
from tests.aws.stack_cases import (
    ACCOUNT,
    BOUNDARY,
    CASES,
    RIGHTS,
    SCHEMA,
    Case,
    Json,
    change_config,
    make_config,
    messages,
)
from tests.support.dev import REGION, LocalAws, local_aws
from tests.support.ops import Canary, as_json, make_document, precompile, read_for_deployment, with_alias, with_canary
from tests.support.program import COMPILED_NAME, load_program
from tests.unit.tools.deploy.template.test_template_checkov import ACCEPTED, PROGRAM, run_checkov
from tests.unit.tools.deploy.template.test_template_lint import lint_findings, wanted

SAM = shutil.which(Path(__file__).parents[2] / ".venv-sam" / "bin" / "sam")
SECONDS = 600
"""The longest wait for the items of all routes, on a machine that has much else to do."""
KNOWN = {"RT704", "RT737"}
"""The local AWS leaves out the time to live of tables; and no topic sends to these queues."""
LISTS = {
    "queues": "sqs list_queues QueueUrls",
    "tables": "dynamodb list_tables TableNames",
    "functions": "lambda list_functions Functions FunctionName",
    "mappings": "lambda list_event_source_mappings EventSourceMappings EventSourceArn",
    "logs": "logs describe_log_groups logGroups logGroupName",
    "roles": "iam list_roles Roles RoleName",
    "policies": "iam list_policies Policies PolicyName",
    "alarms": "cloudwatch describe_alarms MetricAlarms AlarmName",
    "dashboards": "cloudwatch list_dashboards DashboardEntries DashboardName",
    "clusters": "ecs list_clusters clusterArns",
}
"""How all resources of a kind are listed: service, operation, member of the response, and what their name is called."""
ACTIONS = {
    "sqs": ("PurgeQueue", "DeleteQueue", "SetQueueAttributes", "ReceiveMessage", "DeleteMessage", "SendMessage"),
    "dynamodb": ("Scan", "Query", "GetItem", "PutItem", "UpdateItem", "DeleteItem", "DeleteTable", "UpdateTable"),
}
"""Actions of which a role has those only that its routes need."""
NUMBERS = ("resources", "bytes", "accepted", "items", "allowed", "refused")
"""What is counted: of the template, of the messages, and of the calls that IAM allows and refuses."""


class CaseProject(StackProject):
    """A project whose package has the config alone: the function finds the router where the local AWS runs."""

    def write_package(self, plugin: str) -> None:
        """Write the package of the config."""
        with zipfile.ZipFile(self.package, "w") as archive:
            archive.writestr(COMPILED_NAME, precompile(self.config, {"STAGE": self.stack}))


class StackRun:
    """A case on the way from its config to a stack, and back to nothing."""

    def __init__(self, case: Case, seed: int, local: LocalAws, folder: Path) -> None:
        self.wrong: list[str] = []
        self._case, self._local, self._folder = case, local, folder
        self._numbers, self._kept = Counter[str](), ""
        self._project = CaseProject(folder, in_environment_of, local)
        self._stack = self._project.stack
        self._config = make_config(case, seed)
        self._deletes_tables = Random(f"{seed} {case.name}").random() < 0.5
        (folder / "patch.yaml").write_text(json.dumps({"Resources": case.patch}))
        self._patch = ["--patch", str(folder / "patch.yaml")] if case.patch else []
        with in_environment_of(local):
            services = {"cloudformation", *(each.split()[0] for each in LISTS.values())}
            make: Any = boto3.client
            self._clients: Json = {name: make(name) for name in services}
        if BOUNDARY in case.words:
            self._clients["iam"].create_policy(PolicyName="boundary", PolicyDocument=json.dumps(RIGHTS))

    @property
    def line(self) -> str:
        """The line of the table."""
        case, numbers = self._case, [f"{self._numbers[each]:,}" for each in NUMBERS]
        cells = (case.name, case.routes, case.queues, case.tables, *numbers, self._kept, len(self.wrong))
        return f"| {' | '.join(map(str, cells))} |"

    def run(self, with_programs: bool = True) -> None:
        """Take all steps, and inspect the template by SAM and checkov, too."""
        changed = change_config(self._config, self._case)
        lost = [f"{self._stack}-{name}{self._case.end}" for name in ("q0", "new", "new-dlq")]
        self._write(self._config)
        self._inspect(with_programs)
        self._deploy()
        self._judge(self._config, "deployed")
        self._write(changed)
        self._deploy()
        self._judge(changed, "changed")
        self._change("rollback", "--allow-destructive", *(word for name in lost for word in ("--confirm", name)))
        self._write(self._config)
        self._judge(self._config, "rolled back", left=[f"{self._stack}-new"])
        self._undeploy()

    def _write(self, config: Json) -> None:
        self._project.write(json.dumps(config), SCHEMA)

    def _expect(self, what: str, found: Any, expected: Any) -> None:
        if found != expected:
            self.wrong.append(f"{what}: {found}, not {expected}")

    def _named(self, name: str) -> str:
        return name.replace("${STAGE:-dev}", self._stack)

    def _inspect(self, with_programs: bool) -> None:
        """Check the config, and look at its template by cfn-lint, SAM and checkov."""
        path = self._folder / "templates" / "template.json"
        path.parent.mkdir()
        config = ("-c", str(self._project.config))
        kind = ["--worker"] if self._case.has_worker else self._patch
        template = ("template", *config, "--format", "json", "-o", str(path), *kind, *self._case.words)
        for words in (("check", "--strict", *config), template):
            done = self._project.run(*words)
            self._expect(f"router {words[0]}", (done.exit_code, done.exit_code and done.output), (0, 0))
        if self._case.has_canary:
            document = with_alias(make_document(read_for_deployment(self._project.config, {})))
            path.write_text(as_json(with_canary(document, Canary(10, 5))))
        text = path.read_text()
        self._numbers.update(resources=len(json.loads(text)["Resources"]), bytes=len(text))
        # A remark: over 400 resources, of 500.
        self._expect("cfn-lint", [each for each in lint_findings(text) if not each.startswith("I3010 ")], [])
        if not with_programs:
            return
        failed = run_checkov(path.parent)["results"]["failed_checks"]
        found = {each["check_id"] for each in failed}
        self._numbers["accepted"] = len(found)
        self._expect("checkov", found - ACCEPTED.keys(), set())
        env = self._local.environment() | {"SAM_CLI_TELEMETRY": "0", "HOME": str(self._folder)}
        for lint in ([], ["--lint"]):
            validate = [str(SAM), "validate", "--template-file", str(path), *lint]
            sam = subprocess.run(validate, env=env, capture_output=True, text=True, check=False)
            self._expect(" ".join(validate), (sam.returncode, sam.returncode and sam.stdout + sam.stderr), (0, 0))

    def _deploy(self) -> None:
        words = ["-c", str(self._project.config), "--allow-breaking", *self._case.words, *self._patch]
        if self._case.has_worker:
            digest = Random(self._project.config.read_text()).randbytes(32).hex()
            given = {"Image": f"repository/router@sha256:{digest}", "Subnets": "subnet-1", "SecurityGroups": "sg-1"}
            words += ["--worker", *(word for item in given.items() for word in ("--parameter", "=".join(item)))]
        else:
            words += ["--package", str(self._project.package)]
        if self._case.has_canary:
            refused = self._project.run("deploy", "--stack", self._stack, *words, "--yes", "--canary", "10%")
            self._expect("--canary", (refused.exit_code, "RT793" in refused.stderr), (2, True))
        self._change("deploy", *words)

    def _change(self, command: str, *words: str) -> None:
        done = self._project.run(command, "--stack", self._stack, "--yes", "--json", *words, STAGE=self._stack)
        shown = json.loads(done.stdout) if done.stdout.startswith("{") else {}
        # The simulator knows no use of a key by way of a service.
        findings = [each for each in shown.get("findings") or () if ":kms:" not in each["sentence"]]
        self._expect(command, [each for each in findings if each["code"] not in KNOWN], [])
        if not shown.get("executed") or shown["status"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise RuntimeError(f"{command}: {done.output[-2000:]}")

    def _judge(self, config: Json, when: str, left: Sequence[str] = ()) -> None:
        """Compare what exists with a config, deliver messages, and ask for the permissions of the role."""
        queues = {self._named(each["name"]): each for name, each in config["queues"].items() if name[0] != "l"}
        letters = [self._letters(config, each)["name"] for each in queues.values()]
        tables = {self._named(each["name"]): each for each in config["tables"].values()}
        names = self._names()
        self._expect(f"queues, {when}", names["queues"], sorted([*queues, *letters]))
        self._expect(f"tables, {when}", names["tables"], sorted([*tables, *left]))
        self._expect(f"mappings, {when}", names.get("mappings", []), [] if self._case.has_worker else sorted(queues))
        for name, queue in queues.items():
            self._judge_queue(name, queue, self._letters(config, queue))
        for name, table in tables.items():
            self._judge_table(name, table)
        if not self._case.has_worker:
            self._judge_function(config, queues)
            self._deliver(config, when)
        self._judge_role(config)

    def _names(self) -> dict[str, list[str]]:
        """Return by kind the names of what exists and has the name of the stack in its own."""
        found: dict[str, list[str]] = {}
        for kind, how in LISTS.items():
            service, operation, member, *keys = how.split()
            for page in self._clients[service].get_paginator(operation).paginate():
                listed = [each[keys[0]] if keys else each for each in page.get(member, ())]
                own = [each.replace(":", "/").rpartition("/")[2] for each in listed if self._stack in each]
                found[kind] = sorted([*found.get(kind, ()), *own])
        return {kind: names for kind, names in found.items() if names}

    def _letters(self, config: Json, queue: Json) -> Json:
        """Return the settings of the dead-letter queue of a queue."""
        own = {"name": queue["dead_letter"], "retention": "14d", "kms_key": queue.get("kms_key")}
        found: Json = own | config["queues"].get(queue["dead_letter"], {})
        return {**found, "name": self._named(found["name"])}

    def _judge_queue(self, name: str, queue: Json, letters: Json) -> None:
        visibility = 60 if self._case.has_worker else 360 + int(queue["lambda"].get("window", "0s")[:-1])
        redrive = {"deadLetterTargetArn": _arn("sqs", letters["name"]), "maxReceiveCount": queue["max_receive_count"]}
        found, of_letters = self._attributes(name), self._attributes(letters["name"])
        policy = {each: str(value) for each, value in json.loads(found["RedrivePolicy"]).items()}
        self._expect(f"visibility timeout of {name}", found["VisibilityTimeout"], str(visibility))
        self._expect(f"redrive policy of {name}", policy, {each: str(value) for each, value in redrive.items()})
        unnamed = [each for each in queue.get("senders", ()) if each not in found["Policy"]]
        self._expect(f"senders that {name} does not let send", unnamed, [])
        for attributes, settings in ((found, queue), (of_letters, letters)):
            shape = [attributes.get(each) for each in ("MessageRetentionPeriod", "FifoQueue", "KmsMasterKeyId")]
            seconds = str(int(settings["retention"][:-1]) * 86_400)
            fifo = "true" if self._case.end else None
            self._expect(f"{name} and its dead letters", shape, [seconds, fifo, settings.get("kms_key")])
        tags = self._clients["sqs"].list_queue_tags(QueueUrl=found["url"]).get("Tags", {})
        self._expect(f"tags of {name}", self._own(tags), dict(self._case.tags))

    def _judge_table(self, name: str, table: Json) -> None:
        found = self._clients["dynamodb"].describe_table(TableName=name)["Table"]
        keys = [found, *sorted(found.get("GlobalSecondaryIndexes", ()), key=lambda each: str(each["IndexName"]))]
        shape = [[key["AttributeName"] for key in each["KeySchema"]] for each in keys]
        indexes = dict(sorted(table.get("indexes", {}).items()))
        self._expect(f"keys of {name}", shape, [[*each["key"]] for each in (table, *indexes.values())])
        self._expect(f"protection of {name}", found["DeletionProtectionEnabled"], True)
        tags = self._clients["dynamodb"].list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"]
        self._expect(f"tags of {name}", self._own({each["Key"]: each["Value"] for each in tags}), dict(self._case.tags))

    def _own(self, tags: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in tags.items() if not name.startswith("aws:")}

    def _judge_function(self, config: Json, queues: Mapping[str, Json]) -> None:
        client, settings = self._clients["lambda"], config.get("function", {})
        found = client.get_function_configuration(FunctionName=self._stack)
        self._expect("memory", found["MemorySize"], settings.get("memory", 512))
        mappings: Json = {}
        for page in client.get_paginator("list_event_source_mappings").paginate(FunctionName=f"{self._stack}:live"):
            for each in page["EventSourceMappings"]:
                window = f"{each['MaximumBatchingWindowInSeconds']}s"
                name = each["EventSourceArn"].rpartition(":")[2]
                mappings[name] = {"batch_size": each["BatchSize"], "window": window}
                self._expect(f"responses of {name}", each["FunctionResponseTypes"], ["ReportBatchItemFailures"])
        self._expect("mappings", mappings, {name: {"window": "0s"} | each["lambda"] for name, each in queues.items()})

    def _attributes(self, name: str) -> dict[str, str]:
        sqs = self._clients["sqs"]
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        return {"url": url, **sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]}

    def _deliver(self, config: Json, when: str) -> None:
        """Send a message of each route, and wait until the function has written their items and they are deleted."""
        urls = []
        for queue, bodies in messages(config, when).items():
            urls.append(self._attributes(self._named(config["queues"][queue]["name"]))["url"])
            for body in bodies:
                more = {"MessageGroupId": "g", "MessageDeduplicationId": f"{body}"} if self._case.end else {}
                self._clients["sqs"].send_message(QueueUrl=urls[-1], MessageBody=json.dumps(body), **more)
        routes = config["routes"].items()
        missing = {(each["table"], f"{name}#{when}") for name, each in routes if each["write"]["mode"] != "delete"}
        self._numbers["items"] += len(missing)
        end = time.monotonic() + SECONDS
        while missing and time.monotonic() < end:
            for table in {table for table, _ in missing}:
                pages = self._clients["dynamodb"].get_paginator("scan").paginate(TableName=f"{self._stack}-{table}")
                missing -= {(table, item["id"]["S"]) for page in pages for item in page["Items"]}
        self._expect(f"messages without an item, {when}", sorted(missing), [])
        while urls and time.monotonic() < end:
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            left = self._clients["sqs"].get_queue_attributes(QueueUrl=urls[-1], AttributeNames=names)["Attributes"]
            urls = urls[:-1] if set(left.values()) == {"0"} else urls
        self._expect(f"queues with messages, {when}", urls, [])

    def _judge_role(self, config: Json) -> None:
        """Ask IAM: what the routes need is allowed, and neither more, nor the same of other resources."""
        logical, iam = "TaskRole" if self._case.has_worker else "Role", self._clients["iam"]
        found = self._clients["cloudformation"].describe_stack_resource(
            StackName=self._stack, LogicalResourceId=logical
        )
        role = iam.get_role(RoleName=found["StackResourceDetail"]["PhysicalResourceId"])["Role"]
        boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
        self._expect("permissions boundary", boundary in self._case.words, bool(boundary))
        program = load_program(self._project.config, {"STAGE": self._stack})
        sent, again = messages(config, "a"), messages(config, "b", 2)
        needed = wanted(program, self._case.has_worker, {queue: sent[queue] + again[queue] for queue in sent})
        for name, actions in needed.items():
            if name.startswith("key/"):
                continue  # tests/aws/test_least_privilege.py tries keys by calls
            service = "dynamodb" if name.startswith("table/") else "sqs"
            more = actions | {f"{service}:{each}" for each in ACTIONS[service]}
            for resource in (_arn(service, name), _arn(service, f"{name}x"), "*"):
                asked: Json = {"PolicySourceArn": role["Arn"], "ActionNames": sorted(more), "ResourceArns": [resource]}
                results = iam.simulate_principal_policy(**asked)["EvaluationResults"]
                allowed = {each["EvalActionName"] for each in results if each["EvalDecision"] == "allowed"}
                self._expect(f"actions on {resource}", allowed, actions if resource.endswith(f":{name}") else set())
                self._numbers.update(allowed=len(allowed), refused=len(more) - len(allowed))

    def _undeploy(self) -> None:
        """Undeploy: tables are kept unless they are deleted, too, and so are the queues that are to be retained."""
        words = ("--delete-tables", "--confirm", self._stack) if self._deletes_tables else ()
        done = self._project.run("undeploy", "--stack", self._stack, "--yes", *words)
        self._expect("undeploy", (done.exit_code, done.exit_code and done.output), (0, 0))
        declared = self._config["queues"].values()
        tables = [] if self._deletes_tables else [self._named(each["name"]) for each in self._config["tables"].values()]
        kept = {
            "queues": sorted(self._named(each["name"]) for each in declared if each.get("deletion_policy") == "retain"),
            # A table that a rollback takes out of the stack stays.
            "tables": sorted([*tables, f"{self._stack}-new"]),
        }
        found = self._names()
        self._expect("what is left", found, {kind: names for kind, names in kept.items() if names})
        self._kept = ", ".join(f"{kind}: {len(names)}" for kind, names in found.items())


def _arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what became of each case, and return 1 if something of it is wrong."""
    parser = argparse.ArgumentParser(description="Deploys twenty configs on a local AWS, and undeploys them.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", choices=[each.name for each in CASES], help="a case; repeatable")
    options = parser.parse_args(arguments)
    if not (SAM and PROGRAM):
        parser.error("this needs .venv-sam and .venv-checkov: see .github/workflows/long.yml")
    logging.disable(logging.CRITICAL)
    failed = False
    for case in CASES:
        if options.only and case.name not in options.only:
            continue
        with local_aws(enforces_iam=True) as local, tempfile.TemporaryDirectory() as folder:
            run = StackRun(case, options.seed, local, Path(folder))
            try:
                run.run()
            except Exception as error:
                run.wrong.append(f"{type(error).__name__}: {error}")
        failed = failed or bool(run.wrong)
        print(run.line, *run.wrong, sep="\n  ", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
