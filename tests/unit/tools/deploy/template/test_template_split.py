"""Tests of how a config that is too large for a stack can be split: each part fits, and all routes are in one."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from router.errors import ConfigError, UsageError
from router.tools.deploy.template import limits
from router.tools.deploy.template.document import DeployableConfig, read_for_deployment
from router.tools.deploy.template.parts import Split, find_split, make_fitting, make_template, require_room

Read = Callable[..., DeployableConfig]
MAKE = make_template(as_worker=False)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a config, and files that it includes."""

    def read(config: str, **included: str) -> DeployableConfig:
        for name, text in included.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        path = tmp_path / "routes.yaml"
        path.write_text(f"version: 1\n{config}")
        return read_for_deployment(path, {})

    return read


def flows(names: Sequence[str]) -> str:
    """Flows with a queue and a table of their own."""
    queues = "".join(f"  {name}: {{dead_letter: {name}-dlq}}\n" for name in names)
    tables = "".join(f"  {name}: {{key: {{id: S}}}}\n" for name in names)
    routes = "".join(f"  {name}: {{queue: {name}, table: {name}}}\n" for name in names)
    return f"queues:\n{queues}tables:\n{tables}routes:\n{routes}"


def of(split: Split | None) -> tuple[str, list[tuple[str, ...]], tuple[str, ...]]:
    """What parts are by, their names, and the tables that are shared."""
    assert split
    return split.by, [part.names for part in split.parts], split.shared


def test_by_file(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many files are together as fit; each part was made, and has no more than a stack holds."""
    teams = {team: flows([f"{team}-{number}" for number in range(5)]) for team in ("a", "b", "c")}
    config = read("include: ['?.yaml']\n", **teams)
    monkeypatch.setattr(limits, "MAX_RESOURCES", 140)

    split = find_split(config, MAKE)

    assert of(split) == ("file", [("a.yaml", "b.yaml"), ("c.yaml",)], ())
    assert split
    assert [len(part.routes) for part in split.parts] == [10, 5]
    assert all(part.resources <= 140 for part in split.parts)


def test_by_owner(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """A config of one file is split by owner."""
    names = [f"flow{number}" for number in range(10)]
    text = flows(names)
    for number, name in enumerate(names):
        owner = "odd" if number % 2 else "even"
        text = text.replace(f"table: {name}}}", f"table: {name}, owner: {owner}}}")
    config = read(text)
    monkeypatch.setattr(limits, "MAX_RESOURCES", 80)

    split = find_split(config, MAKE)

    assert of(split) == ("owner", [("even",), ("odd",)], ())


def test_by_queue(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without owners, or if one of them has too much, by queue; a queue is in one part with all its routes."""
    queues = "".join(f"  q{number}: {{dead_letter: letters{number // 2}}}\n" for number in range(8))
    routes = "".join(
        f"  r{number}: {{queue: q{number % 8}, table: things, when: kind == '{number}'}}\n" for number in range(24)
    )
    config = read(f"queues:\n{queues}tables: {{things: {{key: {{id: S}}}}}}\nroutes:\n{routes}")
    monkeypatch.setattr(limits, "MAX_RESOURCES", 60)

    with pytest.raises(UsageError) as raised:
        make_fitting(config, MAKE)

    first, second, *parts, shared = str(raised.value).splitlines()
    assert first.endswith("and CloudFormation accepts 60; split the config, and deploy a stack for each part")
    assert second == f"by queue, these {len(parts)} parts fit, each with a --stack of its own:"
    assert parts[0].startswith("  1. q0 + q1, q2 + q3")
    assert sum(int(part.partition(" routes")[0].rpartition(" ")[2]) for part in parts) == 24
    assert shared == (
        "several parts write to things: write 'managed: false' on a table in all parts but the first that has it"
    )


def test_many_names_are_counted(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of many queues names some of them."""
    config = read(flows([f"flow{number}" for number in range(16)]))
    monkeypatch.setattr(limits, "MAX_RESOURCES", 118)

    split = find_split(config, MAKE)

    assert split
    assert str(split.parts[0]).startswith("flow0, flow1, flow2, flow3, flow4, flow5 and 3 more: 9 routes, ")
    assert sum(len(part.routes) for part in split.parts) == 16


@pytest.mark.parametrize(("count", "refused"), [(166, ConfigError), (167, UsageError)])
def test_what_is_too_large_is_refused_before_the_rules(tmp_path: Path, count: int, refused: type[Exception]) -> None:
    """If queues, their mappings and tables are more than 500, a fault that a rule finds is not reported any more."""
    path = tmp_path / "routes.yaml"
    text = flows([f"flow{number}" for number in range(count)])
    schema = "{type: object, required: [n], properties: {n: {type: integer}}}"
    path.write_text(f"version: 1\n{text}  faulty: {{queue: flow0, table: flow0, schema: {schema}, item: {{id: n}}}}\n")

    with pytest.raises(refused) as raised:
        read_for_deployment(path, {}, partial(require_room, make=MAKE))

    assert ("by queue, these 3 parts fit" in str(raised.value)) == (refused is UsageError)


@pytest.mark.parametrize("flows_of_a_part", [9, 10, 70])
def test_a_part_has_as_many_flows_as_fit(read: Read, monkeypatch: pytest.MonkeyPatch, flows_of_a_part: int) -> None:
    """Whether that is more or less than was tried first, for the first part and for the last."""
    names = [f"flow{number}" for number in range(2 * flows_of_a_part + 3)]
    config = read(flows(names))
    monkeypatch.setattr(limits, "MAX_RESOURCES", 1000)
    most = len(MAKE(read(flows(names[:flows_of_a_part]))).body["Resources"])
    monkeypatch.setattr(limits, "MAX_RESOURCES", most)

    split = find_split(config, MAKE)

    assert split
    first, *others = [len(part.routes) for part in split.parts]
    assert (first, sum(others)) == (flows_of_a_part, flows_of_a_part + 3)


def test_no_split_fits(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a single queue has too much, only the limits are reported."""
    config = read(flows(["one", "two"]))
    monkeypatch.setattr(limits, "MAX_RESOURCES", 5)

    with pytest.raises(UsageError) as raised:
        make_fitting(config, MAKE)

    assert str(raised.value).endswith("; split the config, and deploy a stack for each part")


def test_a_split_is_no_help(read: Read) -> None:
    """An environment that is too large is too large in each part."""
    config = read(f"function: {{environment: {{MORE: {'x' * 5000}}}}}\n{flows(['one', 'two'])}")

    with pytest.raises(UsageError) as raised:
        make_fitting(config, MAKE)

    assert str(raised.value).endswith("shorten function.environment, or let a plugin read a file")


def test_a_worker_is_split_too(read: Read) -> None:
    """A service scales on fifty queues."""
    config = read(flows([f"flow{number}" for number in range(51)]))

    with pytest.raises(UsageError, match=r"(?s)a service can scale on 50 queues.*by queue, these 2 parts fit"):
        make_fitting(config, make_template(as_worker=True))


def test_variables_of_other_parts_are_no_parameters(read: Read) -> None:
    """More variables than a template has parameters: each part has those of its own routes."""
    texts = [", ".join(f"'${{V{part}_{number}:-}}'" for number in range(110)) for part in range(2)]
    routes = "".join(
        f"  r{part}: {{queue: q{part}, table: things, item: {{id: id, some: {{value: [{texts[part]}]}}}}}}\n"
        for part in range(2)
    )
    config = read(
        "queues: {q0: {dead_letter: l0}, q1: {dead_letter: l1}}\n"
        f"tables: {{things: {{key: {{id: S}}}}}}\nroutes:\n{routes}"
    )

    with pytest.raises(UsageError, match=r"(?s)the template has 2[23]\d parameters.*by queue, these 2 parts fit"):
        make_fitting(config, make_template(as_worker=True))
