"""The command line's configuration and first questions, and refusals (fabric-api section 2, fabric-auth section 4)."""

import json
import re

import pytest

from contract import covers
from cortex_cli import CortexCli
from platform_process import PROJECT

EXPORT = re.compile(r"^export (\w+)=(.*)$", re.MULTILINE)


@covers("platform: info")
def test_a_personal_access_config_is_all_it_needs(cli, platform):
    assert "Configuration for profile default saved." in cli.configured.stdout
    profile = json.loads((cli.config / "config").read_text())["profiles"]["default"]
    assert (profile["url"], profile["project"]) == (platform.url, PROJECT)
    assert cli("configure", "list", "--color", "off").stdout == "default [active]\n"
    described = cli("configure", "describe", "default").stdout
    assert f"Cortex URL: {platform.url}" in described
    assert f"Project: {PROJECT}" in described


@covers("platform: info")
def test_its_tokens_are_taken(cli):
    token = cli("configure", "token", "--ttl", "1h").stdout.strip()
    listed = cli("content", "list", "--prefix", "nothing/", environment={"CORTEX_TOKEN": token})
    assert listed.stdout.strip() == "No content found"


@covers("platform: info")
def test_its_environment_is_enough(cli, platform):
    environment = dict(EXPORT.findall(cli("configure", "env").stdout))
    assert environment["CORTEX_URI"] == environment["CORTEX_URL"] == platform.url
    assert environment["CORTEX_PROJECT"] == PROJECT
    assert cli("content", "list", "--prefix", "nothing/", environment=environment).stdout.strip() == "No content found"


@covers("platform: version check")
def test_the_version_check_is_passed(cli):
    ran = cli("types", "list")
    assert "Unable to contact cortex for compatibility check" not in ran.stderr
    assert "Update required" not in ran.stderr


@covers("platform: version check")
def test_the_version_check_can_be_left_out(cli):
    cli("types", "list", "--no-compat")


@covers("authentication: refused token")
def test_an_expired_token_is_told_to_be_expired(cli, platform):
    expired = platform.administrator.token(lifetime=-3600)
    ran = cli("models", "list", "--no-compat", code=1, environment={"CORTEX_TOKEN": expired})
    assert "Auth Error: " in ran.stderr
    assert "expired" in ran.stderr


@covers("authentication: refused token")
def test_a_token_of_somebody_else_is_refused(cli, platform):
    other = platform.administrator.token(iss="somebody-else")
    assert "Auth Error: " in cli("models", "list", code=1, environment={"CORTEX_TOKEN": other}).stderr


@covers("authentication: refused token")
def test_a_key_that_the_platform_does_not_know_is_refused(cli, platform, tmp_path, name):
    stranger = json.loads(platform.pat_file.read_text()) | {"username": name}
    (tmp_path / "pat.json").write_text(json.dumps(stranger))
    other = CortexCli(platform, tmp_path, tmp_path / "pat.json")
    assert "Auth Error: " in other("models", "list", "--no-compat", code=1).stderr


@pytest.mark.parametrize("arguments", [("models", "describe"), ("types", "describe"), ("experiments", "describe")])
def test_what_is_absent_is_told_by_name(cli, name, arguments):
    assert name in cli(*arguments, name, code=1).stderr
