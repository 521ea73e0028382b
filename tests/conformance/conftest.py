"""One platform for all tests, and a client of each vendor for it.

Tests share the platform and not what is in it: each names what it makes with `name`, which no other test has.
"""

import logging
import os
import uuid

import pytest
from cognite.client import ClientConfig, CogniteClient, global_config
from cognite.client.credentials import Token
from cortex import Cortex

import cortex_cli
from cli_requests import CliRequests
from platform_process import PROJECT, ROOT, Platform

# Neither the newest release of the client nor a pause before it tries again has anything to do with the platform.
global_config.disable_pypi_version_check = True
global_config.max_retries = 0


# The client of Fabric has this log write every refusal once more than the one before.
logging.getLogger("http_status").disabled = True


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory):
    """Clients find nothing of whoever runs the tests: no profile in the home folder, nothing in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in list(os.environ):
            if name.startswith("CORTEX_") and name != "CORTEX_CLI":
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def platform(tmp_path_factory):
    """A platform that serves the skill `word-count`."""
    platform = Platform(tmp_path_factory.mktemp("platform"), "--skill", str(ROOT / "examples" / "word-count"))
    yield platform
    platform.stop()


@pytest.fixture
def platform_with(tmp_path_factory):
    """Starts platforms with other options, for one test."""
    platforms = []

    def start(*options: str) -> Platform:
        platforms.append(Platform(tmp_path_factory.mktemp("platform"), "--memory", *options))
        return platforms[-1]

    yield start
    for platform in platforms:
        platform.stop()


@pytest.fixture
def name() -> str:
    """A name that nothing else has."""
    return f"n{uuid.uuid4().hex[:12]}"


@pytest.fixture
def cortex(platform):
    """The Python client of Fabric, as the administrator."""
    return Cortex.client(api_endpoint=platform.url, project=PROJECT, config=platform.administrator.pat)


@pytest.fixture(scope="session")
def cli(request, tmp_path_factory):
    """The command line of Fabric, configured for the administrator."""
    if cortex_cli.program() is None:
        pytest.skip("there is no cortex-cli 2.4.0 (CORTEX_CLI names one)")
    return cortex_cli.CortexCli(request.getfixturevalue("platform"), tmp_path_factory.mktemp("cli"))


@pytest.fixture
def cognite(platform):
    """The Python client of CDF, as the administrator."""
    return cognite_client(platform, platform.administrator)


def cognite_client(platform: Platform, principal, project: str = PROJECT) -> CogniteClient:
    """A client that makes a new token for each request."""
    config = ClientConfig("conformance", project=project, base_url=platform.url, credentials=Token(principal.token))
    return CogniteClient(config)


@pytest.fixture(scope="session")
def requested(platform):
    """The requests of the command line, as the administrator."""
    return CliRequests(platform)
