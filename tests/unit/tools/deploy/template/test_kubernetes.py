"""The manifests of Kubernetes, against the published schemas of Kubernetes and KEDA."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from click.testing import CliRunner

from router.tools.deploy.template.worker import worker_command
from tests.support.cli import app

SCHEMAS = json.loads((Path(__file__).parent / "kubernetes" / "schemas.json").read_text())
KINDS = ["ServiceAccount", "ConfigMap", "Deployment", "PodDisruptionBudget", "TriggerAuthentication", "ScaledObject"]
REGION = {"AWS_REGION": "eu-west-1"}
FLOW = """\
queues: {q: {dead_letter: letters}}
tables: {things: {key: {id: S}}}
routes: {r: {queue: q, table: things}}
"""


class Manifests:
    """The manifests that the command prints for a config, given from `queues:` on, and the text of them."""

    def __init__(self, folder: Path, config: str, *more: str, **env: str) -> None:
        (folder / "routes.yaml").write_text(f"version: 1\n{config}")
        words = ["template", "--format", "kubernetes", "-c", str(folder / "routes.yaml"), *more]
        done = CliRunner(env={"AWS_DEFAULT_REGION": None, "AWS_REGION": None, **env}).invoke(app, words)
        self.text, self.code = done.output, done.exit_code
        documents = [*yaml.safe_load_all(self.text)] if self.code == 0 else []
        self.documents: list[dict[str, Any]] = documents

    def of(self, kind: str) -> dict[str, Any]:
        """The manifest of a kind."""
        (found,) = (each for each in self.documents if each["kind"] == kind)
        return found

    def pod(self) -> dict[str, Any]:
        """The pods."""
        found: dict[str, Any] = self.of("Deployment")["spec"]["template"]["spec"]
        return found

    def triggers(self) -> list[dict[str, Any]]:
        """What KEDA knows of each queue."""
        return [each["metadata"] for each in self.of("ScaledObject")["spec"]["triggers"]]


def faults(manifest: dict[str, Any]) -> list[str]:
    """What the published schema of its kind says against a manifest."""
    schema = {**SCHEMAS["kinds"][manifest["kind"]], "$defs": SCHEMAS["$defs"]}
    return [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(manifest)]


@pytest.mark.parametrize(
    "config",
    [
        FLOW,
        f"worker: {{cpu: 2048, memory: 4096, architecture: x86_64, environment: {{MORE: \"a: 'ü' # \\n{{\"}}}}\n{FLOW}",
    ],
    ids=["small", "large"],
)
def test_manifests_are_sound(tmp_path: Path, config: str) -> None:
    """The schemas of Kubernetes and KEDA find nothing, nor a property that they do not know."""
    manifests = Manifests(tmp_path, config, **REGION)

    assert [each["kind"] for each in manifests.documents] == KINDS, manifests.text
    assert [faults(each) for each in manifests.documents] == [[]] * len(KINDS)


def test_what_the_schemas_find(tmp_path: Path) -> None:
    """They find a misspelt property of each, so that they would find ours."""
    manifests = Manifests(tmp_path, FLOW, **REGION)
    for each in manifests.documents:
        each["specs"] = {}
    manifests.pod()["containers"][0]["imagee"] = "x"
    manifests.of("ScaledObject")["spec"]["triggers"][0]["typo"] = "x"

    assert [bool(faults(each)) for each in manifests.documents] == [True] * len(KINDS)


def test_the_pods(tmp_path: Path) -> None:
    """They run as nobody in particular, write nowhere, may take longer to stop than the worker, and are probed."""
    manifests = Manifests(tmp_path, FLOW, **REGION)

    pod = manifests.pod()
    (container,) = pod["containers"]
    probes = {name: each["httpGet"]["path"] for name, each in container.items() if name.endswith("Probe")}
    grace = int(container["command"][container["command"].index("--grace") + 1])
    assert container["command"] == [*worker_command("/srv/router/routes.yaml", "0.0.0.0:9090")]
    assert (pod["securityContext"]["runAsNonRoot"], container["securityContext"]) == (
        True,
        {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    )
    assert pod["terminationGracePeriodSeconds"] > grace + 1
    assert probes == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert container["ports"] == [{"name": "metrics", "containerPort": 9090}]


def test_they_belong_together(tmp_path: Path) -> None:
    """Selectors find the pods, and what is referred to by name is there."""
    manifests = Manifests(tmp_path, FLOW, **REGION)

    deployment, budget, scaled = map(manifests.of, ("Deployment", "PodDisruptionBudget", "ScaledObject"))
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    names = {kind: manifests.of(kind)["metadata"]["name"] for kind in KINDS}
    sources = manifests.pod()["containers"][0]["envFrom"]
    assert [each["spec"]["selector"]["matchLabels"] for each in (deployment, budget)] == [labels, labels]
    assert scaled["spec"]["scaleTargetRef"]["name"] == names["Deployment"]
    assert manifests.pod()["serviceAccountName"] == names["ServiceAccount"]
    assert sources[0] == {"configMapRef": {"name": names["ConfigMap"]}}
    references = [each["authenticationRef"]["name"] for each in scaled["spec"]["triggers"]]
    assert references == [names["TriggerAuthentication"]]


def test_sizes(tmp_path: Path) -> None:
    """A process for each core, and the numbers of the config."""
    settings = "{cpu: 2048, memory: 4096, architecture: x86_64, min_tasks: 2, max_tasks: 7, backlog_per_task: 50}"

    manifests = Manifests(tmp_path, f"worker: {settings}\n{FLOW}", **REGION)

    pod, scaled = manifests.pod(), manifests.of("ScaledObject")["spec"]
    (container,) = pod["containers"]
    assert (container["command"][-2:], pod["nodeSelector"]["kubernetes.io/arch"]) == (["--processes", "2"], "amd64")
    assert container["resources"] == {
        "requests": {"cpu": "2000m", "memory": "4096Mi"},
        "limits": {"memory": "4096Mi"},
    }
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (2, 7)
    assert manifests.triggers()[0]["queueLength"] == "50"


def test_queues(tmp_path: Path) -> None:
    """A trigger for each, by its name in the account of the pods, or its URL; with its region."""
    far = "https://sqs.us-east-1.amazonaws.com/123456789012/there"
    config = f"""\
queues: {{near: {{name: "${{STAGE:-dev}}-near", dead_letter: letters}}}}
tables: {{things: {{key: {{id: S}}}}}}
routes:
  a: {{queue: near, table: things, item: {{id: id}}}}
  b: {{queue: "arn:aws-cn:sqs:cn-north-1:123456789012:far", table: things, item: {{id: id}}}}
  c: {{queue: "{far}", table: things, item: {{id: id}}}}
  d: {{queue: "arn:aws:sqs:${{AWS_REGION:-us-west-2}}:123456789012:own", table: things, item: {{id: id}}}}
"""
    (tmp_path / "stage.env").write_text("STAGE=prod\n")
    given = ("--env-file", str(tmp_path / "stage.env"))

    manifests = Manifests(tmp_path, config, *given, AWS_REGION="eu-central-1", STAGE="not of the file")
    default = Manifests(tmp_path, config, AWS_DEFAULT_REGION="eu-central-1", STAGE="not of the file")

    found = [(each["queueURL"], each["awsRegion"]) for each in manifests.triggers()]
    assert found == [
        ("prod-near", "eu-central-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/far", "cn-north-1"),
        (far, "us-east-1"),
        ("https://sqs.eu-central-1.amazonaws.com/123456789012/own", "eu-central-1"),
    ]
    assert manifests.of("ConfigMap")["data"] == {"AWS_REGION": "eu-central-1", "STAGE": "prod"}
    assert (default.triggers()[0]["queueURL"], default.of("ConfigMap")["data"]["STAGE"]) == ("dev-near", "dev")


def test_a_fifo_queue(tmp_path: Path) -> None:
    """Its limits are said, and only where there is one."""
    fifo = FLOW.replace("q: {dead_letter: letters}", "q: {name: q.fifo, dead_letter: letters.fifo}")

    with_one, without = (Manifests(tmp_path, config, **REGION).text for config in (fifo, FLOW))

    sentence = "# On a FIFO queue the messages of a group are delivered one after the other, to one pod at a time"
    assert (sentence in with_one, "FIFO" in without) == (True, False)


def test_secrets(tmp_path: Path) -> None:
    """What only the environment of the worker has is for a Secret, and so is what has no value."""
    settings = 'worker: {environment: {API_TOKEN: "${PASSWORD:-changeme}", PLAIN: "${STAGE}", AREA: north}}\n'
    config = settings + FLOW.replace("letters}", 'letters, name: "${STAGE:-dev}-q"}')

    manifests = Manifests(tmp_path, config, **REGION)

    assert manifests.of("ConfigMap")["data"] == {"AWS_REGION": "eu-west-1", "STAGE": "dev", "AREA": "north"}
    assert "changeme" not in manifests.text
    sentence = (
        "# Variables that the Secret message-router, or the ConfigMap, has to have: PASSWORD, API_TOKEN, PLAIN.\n"
    )
    assert sentence in manifests.text
    assert {"secretRef": {"name": "message-router", "optional": True}} in manifests.pod()["containers"][0]["envFrom"]


def test_other_variables_make_other_pods(tmp_path: Path) -> None:
    """A pod reads them once, at its start."""
    config = FLOW.replace("letters}", 'letters, name: "${STAGE:-dev}-q"}')

    marks = []
    for text in (config, config, config.replace("-dev", "-prod")):
        metadata = Manifests(tmp_path, text, **REGION).of("Deployment")["spec"]["template"]["metadata"]
        marks.append(metadata["annotations"]["message-router/variables"])

    assert (marks[0] == marks[1], marks[0] == marks[2]) == (True, False)


@pytest.mark.parametrize(
    ("config", "env", "sentence"),
    [
        (FLOW, {}, "router: KEDA needs the region of the queues: set AWS_REGION in the environment or in --env-file"),
        (
            FLOW.replace("letters}", 'letters, name: "${STAGE}-q"}'),
            REGION,
            "router: the name of the queue 'q' has a variable without a value: pass one by --env-file",
        ),
    ],
)
def test_cannot(tmp_path: Path, config: str, env: dict[str, str], sentence: str) -> None:
    """Kubernetes has no references to a region, nor parameters."""
    manifests = Manifests(tmp_path, config, **env)

    assert (manifests.code, sentence in manifests.text) == (2, True), manifests.text
