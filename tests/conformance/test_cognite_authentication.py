"""What the Cognite client makes of a platform that refuses its token (cdf-iam section 4)."""

import jwcrypto.jwk
import pytest
import requests
from cognite.client import ClientConfig, CogniteClient
from cognite.client.credentials import Token
from cognite.client.exceptions import CogniteAPIError, CogniteProjectAccessError

from contract import covers
from platform_process import PROJECT


def client(platform, token: str) -> CogniteClient:
    return CogniteClient(ClientConfig("conformance", project=PROJECT, base_url=platform.url, credentials=Token(token)))


@covers("errors: unauthorized")
@pytest.mark.parametrize(
    "wrong",
    [
        {"lifetime": -3600},
        {"aud": "somebody-else"},
        {"iss": "somebody-else"},
        {"sub": "nobody-we-know"},
        {"nbf": 4_000_000_000},
        {"exp": None},
        {"key": jwcrypto.jwk.JWK.generate(kty="OKP", crv="Ed25519")},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_a_token_that_is_no_good_is_unauthorized(platform, wrong):
    refused = client(platform, platform.administrator.token(**wrong))
    with pytest.raises(CogniteProjectAccessError) as error:
        refused.iam.groups.list()
    assert str(error.value).startswith(
        f"You don't have access to the requested CDF project={PROJECT!r}, reason: Unauthorized. "
        "The token may have expired or it was invalid."
    )


@covers("errors: unauthorized")
@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."])
def test_what_is_no_token_is_unauthorized(platform, token):
    with pytest.raises((CogniteProjectAccessError, CogniteAPIError)) as error:
        client(platform, token).iam.security_categories.list()
    assert "401" in str(error.value)


@covers("errors: unauthorized")
def test_the_body_of_a_refusal_is_that_of_this_api(platform):
    url = f"{platform.url}/api/v1/projects/{PROJECT}/groups"
    answer = requests.get(url, headers={"Authorization": "Bearer x"}, allow_redirects=False, timeout=30)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == 401
    assert answer.json()["error"]["message"]
    assert "x-auth-error" not in answer.headers
