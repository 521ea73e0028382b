"""The command line's first questions, content and secrets, by its requests (fabric-api sections 2 to 4)."""

import re

import pytest
import requests

from cli_requests import SECONDS, CliRequests, Failed, as_given, encoded
from contract import covers
from platform_process import PROJECT

NAMES = ["plain", "acme/greet", "a b", "ünï"]


@covers("platform: info")
def test_info_has_the_clock_and_no_features_of_its_own(requested):
    info = requested.info()
    assert isinstance(info["serverTs"], int)
    # With features the command line would hide commands; without, it shows those it knows.
    assert info.get("enabledFeatures") is None
    for health in info.get("healths", []):
        assert health["name"]


@covers("platform: version check")
def test_every_version_since_the_first_will_do(requested):
    answer = requested.send("GET", "compatibility/applications/cortex-cli")
    assert answer.status_code == 200
    floor = re.fullmatch(r">=\s*(\d+)\.(\d+)\.(\d+)", answer.json()["semver"])
    assert tuple(map(int, floor.groups())) <= (2, 4, 0)


@covers("authentication: refused token")
def test_a_refused_token_is_told_in_a_header(platform):
    for token in [platform.administrator.token(lifetime=-3600), "x", ""]:
        with pytest.raises(Failed, match=r"Auth Error: .+"):
            CliRequests(platform, token).listed("types", "types")
    answer = requests.get(f"{platform.url}/fabric/v4/projects/{PROJECT}/types", allow_redirects=False, timeout=SECONDS)
    assert answer.status_code == 302
    assert answer.headers["x-auth-error"]
    assert answer.headers["location"]


@covers("content: upload, stream", "content: list", "content: download", "content: delete")
@pytest.mark.parametrize("key", ["plain.txt", "a b/ünï.txt", "deep/er/still.bin"])
def test_a_file_goes_up_and_down(requested, name, key):
    path, content = f"content/{as_given(f'{name}/{key}')}", bytes(range(256)) * 1000
    requested.upload("POST", path, content, "application/x-test")
    (found,) = requested("GET", "content", query={"filter": name})
    assert (found["Key"], found["ContentType"], found["Size"]) == (f"{name}/{key}", "application/x-test", len(content))
    assert found["LastModified"].endswith("Z")
    assert requested.download(path) == content
    requested("DELETE", path)
    assert requested("GET", "content", query={"filter": name}) == []


@covers("content: upload, directory")
def test_a_folder_goes_up(requested, name):
    for n in range(12):
        requested.upload("POST", f"content/{name}/sub/{n}.txt", b"x" * n)
    sizes = {found["Key"]: found["Size"] for found in requested("GET", "content", query={"filter": name})}
    assert sizes == {f"{name}/sub/{n}.txt": n for n in range(12)}


@covers("content: download", "content: delete")
def test_absent_content_is_not_found(requested, name):
    for call in [lambda: requested.download(f"content/{name}"), lambda: requested("DELETE", f"content/{name}")]:
        with pytest.raises(Failed) as failed:
            call()
        assert failed.value.status == 404
        assert failed.value.message


@covers("secrets: save", "secrets: get", "secrets: list", "secrets: delete")
@pytest.mark.parametrize("write", [as_given, encoded], ids=["split", "encoded"])
@pytest.mark.parametrize("value", ["swordfish", {"user": "ann", "n": 1}, 7])
def test_a_secret_is_saved_and_read(requested, name, write, value):
    path = f"secrets/{write(f'a/{name}')}"
    assert requested("POST", path, body={"value": value})["message"]
    assert requested("GET", path)["value"] == value
    assert f"a/{name}" in requested("GET", "secrets", query={"list": True})
    assert requested("DELETE", path)["message"]
    assert f"a/{name}" not in requested("GET", "secrets", query={"list": True})
    for method in ["GET", "DELETE"]:
        with pytest.raises(Failed) as failed:
            requested(method, path)
        assert failed.value.status == 404
