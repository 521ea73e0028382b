"""User profiles, with the Cognite client (cdf-iam sections 2, 4 and 6)."""

import pytest
from cognite.client.exceptions import CogniteAPIError, CogniteNotFoundError

from conftest import cognite_client
from contract import covers


@covers("profiles: me")
def test_everybody_has_a_profile(cognite, platform, name):
    mine = cognite.iam.user_profiles.me()
    assert mine.user_identifier == platform.administrator.name
    theirs = cognite_client(platform, platform.principal(name)).iam.user_profiles.me()
    assert theirs.user_identifier == name
    assert theirs.last_updated_time > 1_700_000_000_000


@covers("profiles: retrieve", "errors: not found")
def test_profiles_are_retrieved_by_identifier(cognite, platform, name):
    platform.principal(name)
    profiles = cognite.iam.user_profiles
    assert profiles.retrieve(name).user_identifier == name
    both = profiles.retrieve([name, platform.administrator.name])
    assert [found.user_identifier for found in both] == [name, platform.administrator.name]
    assert profiles.retrieve(f"{name}-absent") is None
    with pytest.raises(CogniteNotFoundError) as refused:
        profiles.retrieve([name, f"{name}-absent"])
    assert refused.value.not_found == [{"userIdentifier": f"{name}-absent"}]


@covers("profiles: list", "requests: paging")
def test_profiles_are_listed(cognite, platform, name):
    for n in range(3):
        platform.principal(f"{name}-{n}")
    listed = [found.user_identifier for found in cognite.iam.user_profiles.list(limit=None)]
    assert len(listed) == len(set(listed))
    # They are ordered by name.
    mine = [found for found in listed if found.startswith(name)]
    assert mine == [f"{name}-0", f"{name}-1", f"{name}-2"]
    assert len(cognite.iam.user_profiles.list(limit=2)) == 2


@covers("profiles: search")
def test_profiles_are_found_by_the_beginning_of_a_name(cognite, platform, name):
    for n in range(3):
        platform.principal(f"{name}-{n}")
    profiles = cognite.iam.user_profiles
    assert [found.user_identifier for found in profiles.search(f"{name}-1")] == [f"{name}-1"]
    assert len(profiles.search(name)) == 3
    assert len(profiles.search(name, limit=2)) == 2
    assert list(profiles.search(name[1:])) == []


@covers("profiles: enable or disable")
def test_profiles_are_disabled_and_enabled(cognite, platform):
    profiles = cognite.iam.user_profiles
    try:
        assert profiles.disable().enabled is False
        with pytest.raises(CogniteAPIError):
            profiles.me()
    finally:
        assert profiles.enable().enabled is True
    assert profiles.me().user_identifier == platform.administrator.name


@covers("profiles: enable or disable", "errors: other")
def test_profiles_are_disabled_by_those_who_may(platform, name):
    with pytest.raises(CogniteAPIError) as refused:
        cognite_client(platform, platform.principal(name)).iam.user_profiles.disable()
    assert refused.value.code == 403
