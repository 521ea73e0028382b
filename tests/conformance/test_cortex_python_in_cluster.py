"""Secrets and connections, with the Python client (fabric-api sections 4 and 5).

The client reads both inside the cluster only: it appends a port to the URL of the platform, which therefore must not
have one. A URL without a port and the variable that names the port make it ask the platform here.
"""

from urllib.parse import urlsplit

import pytest
from cortex import Cortex
from cortex.exceptions import AuthenticationHeaderError
from requests.exceptions import HTTPError, InvalidURL

from contract import covers
from platform_process import PROJECT


@pytest.fixture
def in_cluster(platform, monkeypatch):
    address = urlsplit(platform.url)
    monkeypatch.setenv("CORTEX_ACCOUNTS_SERVICE_PORT_HTTP_CORTEX_ACCOUNTS", str(address.port))
    monkeypatch.setenv("CORTEX_CONNECTIONS_SERVICE_PORT_HTTP_CORTEX_CONNECTIONS", str(address.port))
    return Cortex.client(
        api_endpoint=f"{address.scheme}://{address.hostname}", project=PROJECT, token=platform.administrator.token()
    )


@covers("secrets: save", "secrets: get inside the cluster")
@pytest.mark.parametrize(
    "value", ["v", {"u": 1, "p": "x"}, 17, ["a"], None, {"value": {"nested": True}}, {"value": 1, "other": 2}]
)
def test_a_secret_is_read_as_it_was_saved(cortex, in_cluster, name, value):
    assert cortex.secrets.post_secret(name, value)["success"] is True
    # An object whose only key is `value` is the form of the command line, and means what is in it.
    stored = value["value"] if isinstance(value, dict) and list(value) == ["value"] else value
    assert in_cluster.secrets.get_secret(name)["value"] == stored


@covers("secrets: save", "secrets: get inside the cluster")
@pytest.mark.parametrize("key", ["a/b", "a.b-c_d", "a/b/c"])
def test_the_name_of_a_secret_may_have_slashes(cortex, in_cluster, name, key):
    cortex.secrets.post_secret(f"{name}/{key}", key)
    assert in_cluster.secrets.get_secret(f"{name}/{key}")["value"] == key


@covers("secrets: get inside the cluster")
def test_an_absent_secret_is_not_found(in_cluster, name):
    with pytest.raises(HTTPError) as refused:
        in_cluster.secrets.get_secret(name)
    assert refused.value.response.status_code == 404


@covers("secrets: get inside the cluster", "connections: get inside the cluster")
def test_inside_the_cluster_a_port_of_the_url_is_in_the_way(cortex):
    with pytest.raises(InvalidURL):
        cortex.secrets.get_secret("any")
    with pytest.raises(InvalidURL):
        cortex.connections.get_connection("any")


@covers("secrets: get inside the cluster", "connections: get inside the cluster")
def test_inside_the_cluster_a_token_is_needed_too(platform, in_cluster, name, monkeypatch):
    refused = Cortex.client(
        api_endpoint="http://127.0.0.1", project=PROJECT, token=platform.administrator.token(lifetime=-3600)
    )
    with pytest.raises(AuthenticationHeaderError, match=r"Authentication error: .*expired"):
        refused.secrets.get_secret(name)
    with pytest.raises(AuthenticationHeaderError, match=r"Authentication error: .*expired"):
        refused.connections.get_connection(name)


@covers("connections: save", "connections: get inside the cluster")
def test_a_connection_is_read_with_its_secrets(cortex, in_cluster, name):
    cortex.secrets.post_secret(f"{name}-password", "swordfish")
    connection = {
        "name": f"acme/{name}",
        "title": "Orders",
        "description": "Where orders are",
        "connectionType": "mongo",
        "contentType": "",
        "allowRead": True,
        "allowWrite": False,
        "params": [{"name": "username", "value": "ann"}, {"name": "password", "value": f"#SECURE.{name}-password"}],
    }
    assert cortex.connections.save_connection(connection)["success"] is True
    found = in_cluster.connections.get_connection(f"acme/{name}")
    assert found["params"] == [{"name": "username", "value": "ann"}, {"name": "password", "value": "swordfish"}]
    assert found["connectionType"] == "mongo"
    assert found["allowWrite"] is False


@covers("connections: get inside the cluster")
def test_an_absent_connection_is_not_found(in_cluster, name):
    with pytest.raises(HTTPError) as refused:
        in_cluster.connections.get_connection(name)
    assert refused.value.response.status_code == 404
