"""Sessions, with the Cognite client (cdf-iam sections 2 to 4)."""

import pytest
from cognite.client.data_classes import ClientCredentials, GroupWrite
from cognite.client.data_classes.capabilities import SessionsAcl
from cognite.client.exceptions import CogniteAPIError, CogniteNotFoundError

from conftest import cognite_client
from contract import covers

# The largest id there can be, which no session has.
ABSENT = 2**53 - 1


@pytest.fixture
def sessions(cognite):
    return cognite.iam.sessions


@covers("sessions: create with client credentials", "sessions: retrieve")
@pytest.mark.parametrize("kind", ["DEFAULT", "CLIENT_CREDENTIALS"])
def test_client_credentials_make_a_session(sessions, kind):
    created = sessions.create(ClientCredentials("app-1", "a secret of app-1"), session_type=kind)
    assert created.type == "CLIENT_CREDENTIALS"
    assert created.client_id == "app-1"
    assert created.nonce
    found = sessions.retrieve(created.id)
    assert (found.type, found.client_id) == ("CLIENT_CREDENTIALS", "app-1")


@covers("sessions: create with client credentials")
def test_a_client_secret_stays_secret(platform, sessions):
    created = sessions.create(ClientCredentials("app-1", "swordfish-of-app-1"))
    assert "swordfish-of-app-1" not in str(sessions.retrieve(created.id).dump())
    assert "swordfish-of-app-1" not in platform.log()


@covers("sessions: create with token exchange", "sessions: retrieve")
@pytest.mark.parametrize("kind", ["DEFAULT", "TOKEN_EXCHANGE"])
def test_a_token_makes_a_session(sessions, kind):
    created = sessions.create(session_type=kind)
    assert created.type == "TOKEN_EXCHANGE"
    assert created.status == "READY"
    assert created.client_id is None
    found = sessions.retrieve(created.id)
    assert (found.id, found.type, found.status) == (created.id, "TOKEN_EXCHANGE", "READY")
    assert found.expiration_time > found.creation_time > 1_700_000_000_000


@covers("sessions: create with one-shot token exchange")
def test_a_token_makes_a_session_for_once(sessions):
    created = sessions.create(session_type="ONESHOT_TOKEN_EXCHANGE")
    assert created.type == "ONESHOT_TOKEN_EXCHANGE"
    assert sessions.retrieve(created.id).type == "ONESHOT_TOKEN_EXCHANGE"


@covers("sessions: create with token exchange")
def test_each_session_has_a_nonce_of_its_own(sessions):
    one, two = sessions.create(), sessions.create()
    assert one.id != two.id
    assert one.nonce != two.nonce
    assert one.nonce not in str(sessions.retrieve(one.id).dump())


@covers("sessions: list")
def test_sessions_are_listed_by_status(sessions):
    ready, revoked = sessions.create().id, sessions.create().id
    sessions.revoke(revoked)
    assert {ready, revoked} <= {session.id for session in sessions.list(limit=None)}
    listed = {session.id for session in sessions.list("ready", limit=None)}
    assert ready in listed
    assert revoked not in listed
    listed = {session.id for session in sessions.list("REVOKED", limit=None)}
    assert revoked in listed
    assert ready not in listed


@covers("sessions: list", "requests: paging")
def test_more_sessions_than_a_page_are_listed(sessions):
    created = {sessions.create().id for _ in range(130)}
    listed = [session.id for session in sessions.list(limit=None)]
    assert len(listed) == len(set(listed))
    assert created <= set(listed)
    assert len(sessions.list()) == 25
    assert len(sessions.list(limit=120)) == 120
    assert len(sessions.revoke(sorted(created))) == 130


@covers("sessions: retrieve", "errors: not found")
def test_a_session_that_is_absent(sessions):
    there = sessions.create().id
    assert sessions.retrieve(ABSENT) is None
    assert [session.id for session in sessions.retrieve([there])] == [there]
    with pytest.raises(CogniteNotFoundError) as refused:
        sessions.retrieve([there, ABSENT])
    assert refused.value.not_found == [{"id": ABSENT}]


@covers("sessions: revoke")
def test_revoked_sessions_come_back_in_their_order(sessions):
    ids = [sessions.create().id for _ in range(3)]
    one = sessions.revoke(ids[0])
    assert (one.id, one.status) == (ids[0], "REVOKED")
    revoked = sessions.revoke([ids[2], ids[1]])
    assert [session.id for session in revoked] == [ids[2], ids[1]]
    assert {session.status for session in sessions.retrieve(ids)} == {"REVOKED"}


@covers("sessions: revoke", "errors: not found")
def test_a_session_that_is_absent_is_not_revoked(sessions):
    there = sessions.create().id
    with pytest.raises(CogniteNotFoundError) as refused:
        sessions.revoke([there, ABSENT])
    assert refused.value.not_found == [{"id": ABSENT}]
    assert sessions.retrieve(there).status == "READY"


@covers("sessions: revoke", "sessions: list", "sessions: create with token exchange", "errors: other")
def test_who_may_not_list_sessions_sees_only_their_ids(cognite, platform, name):
    rights = [SessionsAcl([SessionsAcl.Action.Create, SessionsAcl.Action.Delete], SessionsAcl.Scope.All())]
    principal = platform.principal(name)
    cognite.iam.groups.create(GroupWrite(name, capabilities=rights, members=[principal.name]))
    theirs = cognite_client(platform, principal).iam.sessions
    created = theirs.create()
    with pytest.raises(CogniteAPIError) as refused:
        theirs.list()
    assert refused.value.code == 403
    assert theirs.revoke(created.id).dump() == {"id": created.id}
    assert cognite.iam.sessions.retrieve(created.id).status == "REVOKED"


@covers("sessions: create with token exchange", "sessions: revoke", "errors: other")
def test_who_may_only_list_sessions_changes_none(cognite, platform, name):
    principal = platform.principal(name)
    rights = [SessionsAcl([SessionsAcl.Action.List], SessionsAcl.Scope.All())]
    cognite.iam.groups.create(GroupWrite(name, capabilities=rights, members=[principal.name]))
    theirs, there = cognite_client(platform, principal).iam.sessions, cognite.iam.sessions.create().id
    assert theirs.retrieve(there).status == "READY"
    for refuse in [theirs.create, lambda: theirs.revoke(there)]:
        with pytest.raises(CogniteAPIError) as refused:
            refuse()
        assert refused.value.code == 403
    assert theirs.retrieve(there).status == "READY"


@covers("errors: other")
@pytest.mark.parametrize(
    "item",
    [{}, {"tokenExchange": False}, {"clientId": "only"}, {"tokenExchange": True, "oneshotTokenExchange": True}],
    ids=str,
)
def test_a_session_of_no_kind_is_refused(cognite, item):
    with pytest.raises(CogniteAPIError) as refused:
        cognite.post("/api/v1/projects/local/sessions", json={"items": [item]})
    assert refused.value.code in (400, 422)
