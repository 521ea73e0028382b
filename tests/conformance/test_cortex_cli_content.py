"""Managed content and secrets, with the command line (fabric-api sections 3 and 4)."""

import pytest

from contract import covers


def listed(cli, prefix: str) -> dict[str, dict]:
    return {found["Key"]: found for found in cli("content", "list", "--prefix", prefix, "--json").json()}


@covers("content: upload, stream", "content: list", "content: download", "content: delete")
@pytest.mark.parametrize("key", ["plain.txt", "a b/ünï.txt", "deep/er/still.bin"])
def test_a_file_goes_up_and_down(cli, name, key):
    content = bytes(range(256)) * 1000
    (cli.folder / "file").write_bytes(content)
    ran = cli("content", "upload", f"{name}/{key}", "file", "--content-type", "application/x-test")
    assert ran.stdout.strip() == "Content successfully uploaded."
    found = listed(cli, name)
    assert list(found) == [f"{name}/{key}"]
    assert found[f"{name}/{key}"]["Size"] == len(content)
    assert found[f"{name}/{key}"]["ContentType"] == "application/x-test"
    down = cli.binary("content", "download", f"{name}/{key}")
    assert (down.returncode, down.stdout) == (0, content)
    assert cli("content", "delete", f"/{name}/{key}").stdout.strip() == "Content successfully deleted."
    assert listed(cli, name) == {}


@covers("content: list")
def test_content_is_shown_as_a_table(cli, name):
    cli("content", "upload", f"{name}/shown", cli.file("shown", "1234567"))
    table = cli("content", "list", "--prefix", name).stdout
    assert f"{name}/shown" in table
    assert "application/octet-stream" in table
    assert "7" in table


@covers("content: upload, directory")
def test_a_folder_goes_up(cli, name):
    folder = cli.folder / name
    (folder / "sub").mkdir(parents=True)
    for n in range(12):
        (folder / "sub" / f"{n}.txt").write_text("x" * n)
    ran = cli("content", "upload", name, str(folder), "--recursive")
    assert ran.stdout.count("Content successfully uploaded.") == 12
    assert {key: found["Size"] for key, found in listed(cli, name).items()} == {
        f"{name}/sub/{n}.txt": n for n in range(12)
    }


@covers("content: download", "content: delete")
def test_absent_content_is_not_found(cli, name):
    down = cli("content", "download", f"{name}/absent", code=1)
    assert "Failed to download content" in down.stderr
    assert "404" in down.stderr
    assert cli("content", "delete", f"{name}/absent", code=1).stderr.startswith("Failed to delete content: 404 ")


@covers("secrets: save", "secrets: get", "secrets: list", "secrets: delete")
@pytest.mark.parametrize("prefix", ["", "a/b."])
def test_a_secret_is_saved_and_read(cli, name, prefix):
    key = f"{prefix}{name}"
    assert cli("secrets", "save", key, "swordfish").stdout.strip()
    assert cli("secrets", "describe", key, "--json").json()["value"] == "swordfish"
    assert '"swordfish"' in cli("secrets", "describe", key).stdout
    assert key in cli("secrets", "list", "--json").json()
    assert key in cli("secrets", "list").stdout
    assert cli("secrets", "delete", key).stdout.strip()
    assert key not in cli("secrets", "list", "--json").json()


@covers("secrets: save", "secrets: get")
def test_a_secret_may_be_an_object(cli, name):
    cli("secrets", "save", name, "--data", '{"user": "ann", "password": {"n": 1}}')
    assert cli("secrets", "describe", name, "--json").json()["value"] == {"user": "ann", "password": {"n": 1}}


@covers("secrets: get", "secrets: delete")
def test_an_absent_secret_is_not_found(cli, name):
    assert "not found" in cli("secrets", "describe", name, code=1).stderr
    assert cli("secrets", "delete", name, code=1).stderr.startswith("Secret deletion failed: 404 ")
