"""Sessions and connections, by the requests of the command line (fabric-api sections 5 and 6)."""

import pytest

from cli_requests import Failed, encoded
from contract import covers
from definitions import connection


@covers("sessions: save", "sessions: describe", "sessions: list", "sessions: delete")
@pytest.mark.parametrize("prefix", ["", "acme/"])
def test_a_session_is_saved_listed_described_and_deleted(requested, name, prefix):
    session = {"sessionId": prefix + name, "ttl": 600, "description": "Orders of today"}
    saved = requested("POST", "sessions", body=session)
    assert saved["sessionId"] == prefix + name
    # A message would be shown in the place of this one.
    assert saved.get("message", "Session saved") == "Session saved"
    (listed,) = [
        one for one in requested("GET", "sessions", query={"limit": 20})["sessions"] if name in one["sessionId"]
    ]
    assert {key: listed[key] for key in session} == session
    path = f"sessions/{encoded(prefix + name)}"
    assert requested("GET", path, query={"verbose": True})["sessionId"] == prefix + name
    requested("DELETE", path)
    for method in ["GET", "DELETE"]:
        with pytest.raises(Failed) as failed:
            requested(method, path)
        assert failed.value.status == 404


@covers("sessions: save")
def test_a_session_may_leave_everything_to_the_platform(requested):
    saved = requested("POST", "sessions", body={})["sessionId"]
    assert requested("GET", f"sessions/{saved}")["ttl"] == 900


@covers("sessions: save")
@pytest.mark.parametrize("wrong", [{"ttl": "soon"}, {"ttl": -1}, {"sessionId": 7}], ids=str)
def test_a_session_that_is_wrong_is_refused(requested, wrong):
    with pytest.raises(Failed) as failed:
        requested("POST", "sessions", body=wrong)
    assert failed.value.status in (400, 422)


@covers("connections: save", "connections: list", "connections: describe", "connections: delete")
@pytest.mark.parametrize("prefix", ["", "acme/"])
def test_a_connection_is_saved_listed_described_and_deleted(requested, name, prefix):
    saved = connection(prefix + name)
    requested("POST", "connections", body=saved)
    (listed,) = [one for one in requested.listed("connections", "connections") if one["name"] == prefix + name]
    assert listed["createdAt"].endswith("Z")
    for field in ["title", "description", "connectionType"]:
        assert listed[field] == saved[field]
    path = f"connections/{encoded(prefix + name)}"
    described = requested("GET", path)
    # Outside of the cluster a secret is only named.
    assert {key: described[key] for key in saved} == saved
    requested("DELETE", path)
    for method in ["GET", "DELETE"]:
        with pytest.raises(Failed) as failed:
            requested(method, path)
        assert failed.value.status == 404


@covers("connections: list")
def test_connections_are_filtered_sorted_and_limited(requested, name):
    for n, kind in enumerate(["mongo", "s3", "s3"]):
        one = connection(f"{name}-{n}") | {"title": name, "connectionType": kind}
        requested("POST", "connections", body=one)

    def names(**query):
        found = requested.listed("connections", "connections", **query)
        return [one["name"].removeprefix(f"{name}-") for one in found]

    assert names(filter={"title": name}) == ["2", "1", "0"]
    assert names(filter={"title": name}, sort={"name": 1}) == ["0", "1", "2"]
    assert names(filter={"title": name}, limit=1, skip=1) == ["1"]
    assert names(filter={"title": name, "connectionType": "mongo"}) == ["0"]


@covers("connections: list")
@pytest.mark.parametrize("query", [{"filter": "{"}, {"sort": "x"}, {"limit": "x"}, {"skip": -1}], ids=str)
def test_a_query_that_makes_no_sense_is_refused(requested, query):
    with pytest.raises(Failed) as failed:
        requested.listed("connections", "connections", **query)
    assert failed.value.status == 400


@covers("connections: types")
def test_there_are_types_of_connections(requested):
    answer = requested.send("GET", "connectiontypes", query={"limit": 20, "skip": 0, "sort": {"updatedAt": -1}}).json()
    assert answer["success"] is True
    assert answer["connectionTypes"]
    for one in answer["connectionTypes"]:
        assert one["name"]
        assert one["title"]
