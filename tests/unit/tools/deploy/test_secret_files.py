"""Files that seem to hold secrets are not packed, unless the user allows it."""

from pathlib import Path

import pytest

from router.errors import UsageError
from router.tools.deploy.archive import LeftOut, folder_entries
from router.tools.deploy.secret_files import SecretFiles
from tests.support.config import find_secret

A, Z = "A1b2C3d4" * 5, "z9Y8x7W6" * 5
# In two parts, so that no scanner takes this file for one with secrets.
SECRETS = {
    "an AWS access key": "AKIA" + "ABCDEFGHIJ234567",
    "a private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "an AWS secret key": f'{{"aws_secret_access_key": "{A}"}}',
    "an AWS secret key in another spelling": f"SecretAccessKey: {A}",
    "a GitHub token": "ghp" + f"_{A[:36]}",
    "a fine-grained GitHub token": "github" + f"_pat_{A[:22]}_{Z}",
    "a line of an environment file": "export DB_PASSWORD=correct-horse-1",
    "a GitLab token": "glpat" + f"-{A[:20]}",
    "a Slack token": "xoxb" + f"-1234567890-{A[:24]}",
    "a Stripe key": "sk" + f"_live_{A[:24]}",
    "a Google API key": "AIza" + A[:35],
    "an npm token": "npm" + f"_{A[:36]}",
    "a URL with a password": "postgres" + "://router:hunter2xyz@db.example.org/flows",
    "a password": '{"password": "correct4horse"}',
    "an API key": f"API_KEY = '{A}'",
}
HARMLESS = {
    "an environment file that refers to a variable": "DB_PASSWORD=${PASSWORD_OF_1}",
    "a key of AWS's examples": "AKIAIOSFODNN7EXAMPLE",
    "a secret key of AWS's examples": "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "a property of a schema": '{"password": {"type": "string"}, "token": {"const": "x"}}',
    "a name of a field": 'password = item["password"]\ntoken: "some_name"',
    "a variable": 'password: "${DB_PASSWORD_1}"',
    "a URL without a password": "https://user@example.org/a:b@c",
    "a hash": f"sha256:{'0a1b2c3d' * 8}",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_looks_like_a_secret(text: str) -> None:
    """Keys and tokens by the forms of their issuers, passwords by their names; the line is found."""
    assert find_secret(f"\n{text}\n".encode()) == 2


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_looks_like_no_secret(text: str) -> None:
    """Names, types, variables and documented examples are no secrets."""
    assert find_secret(text.encode()) is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "a.py").touch()
    return tmp_path


def packed(folder: Path, secrets: SecretFiles) -> tuple[list[str], list[LeftOut]]:
    left_out: list[LeftOut] = []
    entries = list(folder_entries([folder / "plugins/a.py"], folder, left_out, secrets))
    for entry in entries:
        entry.read()
    return [entry.name for entry in entries], left_out


@pytest.mark.parametrize(
    "name", ["password.txt", "db_passwords.csv", "prod.tfstate", "my-secret.json", "api_key.txt", "x.pem"]
)
def test_named_as_a_secret(folder: Path, name: str) -> None:
    """A data file that is named as one is left out; the report says how to pack it."""
    (folder / "plugins" / name).touch()

    assert packed(folder, SecretFiles()) == (
        ["plugins/a.py"],
        [LeftOut(f"plugins/{name}", f"its name suggests credentials; --allow-file plugins/{name} packs it")],
    )
    assert packed(folder, SecretFiles((f"plugins/{name}",))) == (["plugins/a.py", f"plugins/{name}"], [])


def test_a_file_with_a_secret(folder: Path) -> None:
    """A file that would be packed fails the build, with its line and without the secret, unless it is allowed."""
    (folder / "plugins" / "map.json").write_text('{\n"aws_secret_access_key": "' + A + '"}')

    with pytest.raises(UsageError) as raised:
        packed(folder, SecretFiles())

    assert str(raised.value) == (
        "plugins/map.json:2: RT790 this looks like a secret: remove it, and use the role of the function; "
        "--allow-file plugins/map.json packs it as it is"
    )
    assert packed(folder, SecretFiles(("plugins/map.json",)))[0] == ["plugins/a.py", "plugins/map.json"]


def test_an_allowed_file_that_does_not_exist(folder: Path) -> None:
    """A name that allows nothing is probably mistyped."""
    with pytest.raises(UsageError, match=r"--allow-file plugins/b\.json: there is no such file in the config's folder"):
        SecretFiles(("plugins/b.json",)).require(folder)
