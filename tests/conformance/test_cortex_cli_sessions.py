"""Sessions and connections, with the command line (fabric-api sections 5 and 6)."""

import pytest

from contract import covers
from definitions import connection


@covers("sessions: save", "sessions: describe", "sessions: list", "sessions: delete")
def test_a_session_is_saved_listed_described_and_deleted(cli, name):
    session = {"sessionId": name, "ttl": 600, "description": "Orders of today"}
    assert cli("sessions", "save", cli.file("session.json", session)).stdout.strip() == "Session saved"
    (listed,) = [one for one in cli("sessions", "list", "--json").json() if one["sessionId"] == name]
    assert (listed["ttl"], listed["description"]) == (600, "Orders of today")
    assert "Orders of today" in cli("sessions", "list").stdout
    described = cli("sessions", "describe", name).json()
    assert described["sessionId"] == name
    cli("sessions", "delete", name)
    gone = cli("sessions", "describe", name, code=1)
    assert gone.stderr.startswith(f"Failed to describe session {name}: ")


@covers("sessions: save")
def test_a_session_may_leave_everything_to_the_platform(cli):
    before = {one["sessionId"] for one in cli("sessions", "list", "--json").json()}
    cli("sessions", "save", cli.file("session.json", {}))
    assert {one["sessionId"] for one in cli("sessions", "list", "--json").json()} != before


@covers("sessions: describe", "sessions: delete")
def test_an_absent_session_is_not_found(cli, name):
    assert name in cli("sessions", "describe", name, "--verbose", code=1).stderr
    assert cli("sessions", "delete", name, code=1).stderr.startswith("Session deletion failed: 404 ")


@covers("connections: save", "connections: list", "connections: describe", "connections: delete")
@pytest.mark.parametrize("prefix", ["", "acme/"])
def test_a_connection_is_saved_listed_described_and_deleted(cli, name, prefix):
    saved = connection(prefix + name)
    assert cli("connections", "save", cli.file("connection.json", saved)).stdout.strip() == "Connection saved"
    (listed,) = [one for one in cli("connections", "list", "--json").json() if one["name"] == prefix + name]
    assert (listed["title"], listed["connectionType"]) == (f"Title of {prefix}{name}", "mongo")
    assert listed["createdAt"].endswith("Z")
    assert name in cli("connections", "list").stdout
    described = cli("connections", "describe", prefix + name).json()
    assert {key: described[key] for key in saved} == saved
    cli("connections", "delete", prefix + name)
    assert name in cli("connections", "describe", prefix + name, code=1).stderr
    assert cli("connections", "delete", prefix + name, code=1).stderr.startswith("Connection deletion failed: 404 ")


@covers("connections: list")
def test_connections_are_sorted_and_limited(cli, name):
    # Beyond every other name, so that they come first and last.
    names = [f"~{name}-{n}" for n in range(3)]
    for one in names:
        cli("connections", "save", cli.file("connection.json", connection(one)))
    query = ["connections", "list", "--json", "--sort", '{"name": -1}']
    assert [one["name"] for one in cli(*query, "--limit", 3).json()] == names[::-1]
    assert [one["name"] for one in cli(*query, "--limit", 1, "--skip", 1).json()] == names[1:2]


@covers("connections: types")
def test_there_are_types_of_connections(cli):
    types = cli("connections", "list-types", "--json").json()
    assert types
    for one in types:
        assert one["name"]
        assert one["title"]
