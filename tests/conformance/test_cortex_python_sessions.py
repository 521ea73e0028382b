"""Sessions, with the Python client (fabric-api section 6)."""

import pytest
from requests.exceptions import HTTPError

from contract import covers


@covers("sessions: start")
def test_a_session_has_an_id_and_nothing_in_it(cortex):
    one, two = cortex.sessions.start_session(), cortex.sessions.start_session(ttl=1000, description="orders")
    assert isinstance(one, str)
    assert one != two
    assert cortex.sessions.get_session_data(one) == {}


@covers("sessions: put data", "sessions: get data")
def test_what_is_put_is_merged_at_the_top(cortex):
    session = cortex.sessions.start_session()
    cortex.sessions.put_session_data(session, {"a": {"x": 1}, "b": [1, None]})
    cortex.sessions.put_session_data(session, {"a": {"y": 2}, "c": "ü"})
    assert cortex.sessions.get_session_data(session) == {"a": {"y": 2}, "b": [1, None], "c": "ü"}


@covers("sessions: get data")
def test_one_key_is_read_alone(cortex):
    session = cortex.sessions.start_session()
    cortex.sessions.put_session_data(session, {"a b": 1, "c": 2})
    assert cortex.sessions.get_session_data(session, "c") == {"c": 2}
    assert cortex.sessions.get_session_data(session, "a b") == {"a b": 1}
    assert cortex.sessions.get_session_data(session, "d") == {}


@covers("sessions: delete", "sessions: get data", "sessions: put data")
def test_a_deleted_session_is_empty_and_takes_nothing(cortex):
    session = cortex.sessions.start_session()
    cortex.sessions.put_session_data(session, {"a": 1})
    assert cortex.sessions.delete_session(session)["success"] is True
    assert cortex.sessions.get_session_data(session) == {}
    with pytest.raises(HTTPError) as refused:
        cortex.sessions.put_session_data(session, {"a": 1})
    assert refused.value.response.status_code == 404
    with pytest.raises(HTTPError) as refused:
        cortex.sessions.delete_session(session)
    assert refused.value.response.status_code == 404
