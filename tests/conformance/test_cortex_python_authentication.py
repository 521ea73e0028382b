"""How the Python client says who it is, and what it makes of a refusal (fabric-auth sections 5 and 7)."""

import json

import jwcrypto.jwk
import pytest
from cortex import Cortex
from cortex.exceptions import AuthenticationHeaderError, BadTokenException
from cortex.utils import _get_fabric_info, generate_token

from contract import covers
from platform_process import PROJECT


@covers("platform: info")
def test_info_needs_nobody_and_has_the_clock(platform):
    info = _get_fabric_info(platform.administrator.pat)
    assert isinstance(info["serverTs"], int)
    assert info["serverTs"] > 1_700_000_000_000


@covers("authentication: personal access config")
def test_a_personal_access_config_makes_tokens(platform):
    client = Cortex.client(api_endpoint=platform.url, project=PROJECT, config=platform.administrator.pat)
    assert client.sessions.start_session()


@covers("authentication: personal access config")
def test_a_personal_access_config_in_the_environment_is_enough(platform, monkeypatch):
    monkeypatch.setenv("CORTEX_PERSONAL_ACCESS_CONFIG", platform.pat_file.read_text())
    assert Cortex.client(project=PROJECT).sessions.start_session()


@covers("authentication: token")
def test_a_token_is_enough(platform):
    token = generate_token(platform.administrator.pat)
    assert Cortex.client(api_endpoint=platform.url, project=PROJECT, token=token).sessions.start_session()


@covers("authentication: message")
def test_a_message_is_enough(platform):
    message = {
        "apiEndpoint": platform.url,
        "token": platform.administrator.token(),
        "projectId": PROJECT,
        "payload": {},
    }
    assert Cortex.from_message(message).sessions.start_session()


@covers("authentication: message")
def test_a_message_of_the_client_itself_is_enough(cortex):
    message = cortex.message({"a": 1}).to_params() | {"projectId": PROJECT}
    assert Cortex.from_message(message).sessions.start_session()


def refusal(platform, token: str) -> str:
    client = Cortex.client(api_endpoint=platform.url, project=PROJECT, token=token)
    with pytest.raises(AuthenticationHeaderError) as refused:
        client.models.list_models()
    return str(refused.value)


@covers("authentication: refused token")
def test_an_expired_token_is_told_to_be_expired(platform):
    text = refusal(platform, platform.administrator.token(lifetime=-3600))
    assert text.startswith("Authentication error: ")
    assert "expired" in text


@covers("authentication: refused token")
@pytest.mark.parametrize(
    "claims",
    [{"aud": "somebody-else"}, {"iss": "somebody-else"}, {"sub": "nobody-we-know"}, {"nbf": 4_000_000_000}],
    ids=lambda claims: "-".join(claims),
)
def test_a_token_for_or_from_somebody_else_is_refused(platform, claims):
    text = refusal(platform, platform.administrator.token(**claims))
    assert text.startswith("Authentication error: ")
    assert text != "Authentication error: None"


@covers("authentication: refused token")
def test_a_token_with_a_key_of_somebody_else_is_refused(platform):
    forged = platform.administrator.token(key=jwcrypto.jwk.JWK.generate(kty="OKP", crv="Ed25519"))
    assert refusal(platform, forged) != "Authentication error: None"


@covers("authentication: refused token")
def test_a_token_with_another_content_is_refused(platform):
    mine, other = platform.administrator.token(), platform.administrator.token(sub="other")
    header, _, signature = mine.split(".")
    assert refusal(platform, f"{header}.{other.split('.')[1]}.{signature}") != "Authentication error: None"


@covers("authentication: refused token")
def test_a_refused_token_never_shows_in_the_refusal(platform):
    token = platform.administrator.token(lifetime=-3600)
    assert token not in refusal(platform, token)
    assert token not in platform.log()


def test_a_token_of_a_platform_that_is_not_there_cannot_be_made(platform):
    elsewhere = json.loads(platform.pat_file.read_text()) | {"url": "http://127.0.0.1:1"}
    with pytest.raises(BadTokenException, match="Unable to generate a JWT token"):
        Cortex.client(project=PROJECT, config=elsewhere).models.list_models()
