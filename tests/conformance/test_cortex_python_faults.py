"""What the Python client of Fabric makes of faults, which the platform makes on request (fabric-api section 1)."""

import io
import time

import pytest
from cortex import Cortex
from cortex.exceptions import AuthenticationHeaderError
from requests.exceptions import HTTPError, RetryError
from urllib3.exceptions import ProtocolError

from platform_process import PROJECT

CONTENT = "/fabric/v4/projects/*/content*"


@pytest.fixture
def cortex_of(platform_with):
    def client(*faults: str):
        platform = platform_with(*(f"--fault={fault}" for fault in faults))
        return Cortex.client(api_endpoint=platform.url, project=PROJECT, config=platform.administrator.pat)

    return client


@pytest.mark.parametrize("fault", ["status=500", "status=502", "status=503", "status=504", "reset"])
def test_a_fault_is_got_over_once(cortex_of, fault):
    assert cortex_of(f"GET {CONTENT}: {fault}, count=1").content.list() == []


def test_a_fault_that_lasts_is_told(cortex_of):
    cortex = cortex_of(f"GET {CONTENT}: status=503, count=2")
    with pytest.raises(RetryError, match="too many 503"):
        cortex.content.list()
    assert cortex.content.list() == []


def test_an_upload_is_not_repeated_and_nothing_was_done(cortex_of):
    cortex = cortex_of(f"POST {CONTENT}: status=503, count=1")
    with pytest.raises(HTTPError) as failed:
        cortex.content.upload("key", "file", io.BytesIO(b"x"), "text/plain")
    assert failed.value.response.status_code == 503
    assert cortex.content.list() == []
    cortex.content.upload("key", "file", io.BytesIO(b"x"), "text/plain")
    assert len(cortex.content.list()) == 1


def test_a_token_is_refused_for_the_reason_that_was_given(cortex_of):
    cortex = cortex_of("* */models: x-auth-error=on holiday, count=1")
    with pytest.raises(AuthenticationHeaderError, match="Authentication error: on holiday"):
        cortex.models.list_models()
    assert cortex.models.list_models() == []


def test_a_token_that_is_too_old_is_expired(platform_with):
    platform = platform_with("--token-ttl=1h")
    long_ago = int(time.time()) - 7200
    old = platform.administrator.token(iat=long_ago, nbf=long_ago)
    with pytest.raises(AuthenticationHeaderError, match="expired"):
        Cortex.client(api_endpoint=platform.url, project=PROJECT, token=old).models.list_models()
    new = Cortex.client(api_endpoint=platform.url, project=PROJECT, token=platform.administrator.token())
    assert new.models.list_models() == []


def test_a_download_that_is_cut_is_noticed(cortex_of):
    cortex = cortex_of(f"GET {CONTENT}: cut=50%, count=1")
    cortex.content.upload_streaming("key", io.BytesIO(b"x" * 1_000_000))
    with pytest.raises(ProtocolError):
        cortex.content.download("key").read()
    assert len(cortex.content.download("key").read()) == 1_000_000
