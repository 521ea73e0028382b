"""Groups and the inspection of tokens, with the Cognite client (cdf-iam sections 2, 4 and 6)."""

import pytest
from cognite.client.data_classes import GroupWrite
from cognite.client.data_classes.capabilities import AssetsAcl, EventsAcl, GroupsAcl, RawAcl, UnknownAcl
from cognite.client.data_classes.iam import GroupAttributes, GroupAttributesToken
from cognite.client.exceptions import CogniteAPIError, CogniteNotFoundError

from conftest import cognite_client
from contract import covers
from platform_process import PROJECT

CAPABILITIES = [
    AssetsAcl([AssetsAcl.Action.Read, AssetsAcl.Action.Write], AssetsAcl.Scope.All()),
    EventsAcl([EventsAcl.Action.Write], EventsAcl.Scope.DataSet([123, 456])),
    RawAcl([RawAcl.Action.Read], RawAcl.Scope.Table({"orders": ["may", "june"], "all-of-it": []})),
    GroupsAcl([GroupsAcl.Action.List], GroupsAcl.Scope.CurrentUser()),
]


# The platform knows more kinds of rights than this version of the client.
@pytest.mark.filterwarnings("ignore:Unknown capability")
@covers("token: inspect")
def test_the_administrator_may_do_everything(cognite, platform):
    inspection = cognite.iam.token.inspect()
    assert inspection.subject == platform.administrator.name
    assert [project.url_name for project in inspection.projects] == [PROJECT]
    assert cognite.iam.verify_capabilities(CAPABILITIES) == []


@covers("token: inspect", "groups: list")
def test_rights_are_those_of_the_groups(cognite, platform, name):
    principal = platform.principal(name)
    theirs = cognite_client(platform, principal)
    assert theirs.iam.groups.list() == []
    assert theirs.iam.token.inspect().projects == []
    group = cognite.iam.groups.create(GroupWrite(name, capabilities=CAPABILITIES[:2], members=[principal.name]))
    assert [found.id for found in theirs.iam.groups.list()] == [group.id]
    inspection = theirs.iam.token.inspect()
    assert inspection.subject == principal.name
    assert [(project.url_name, project.groups) for project in inspection.projects] == [(PROJECT, [group.id])]
    held = {str(held.capability): held.project_scope.projects for held in inspection.capabilities}
    assert held == {str(capability): [PROJECT] for capability in CAPABILITIES[:2]}
    assert theirs.iam.verify_capabilities(CAPABILITIES[:2]) == []
    missing = theirs.iam.verify_capabilities(CAPABILITIES)
    assert theirs.iam.compare_capabilities(missing, CAPABILITIES[2:]) == []
    assert theirs.iam.compare_capabilities(CAPABILITIES[2:], missing) == []


@covers("groups: create", "groups: list all")
def test_a_group_is_read_as_it_was_created(cognite, platform, name):
    written = GroupWrite(
        name,
        capabilities=CAPABILITIES,
        attributes=GroupAttributes(GroupAttributesToken(["app-1", "app-2"])),
        metadata={"team": "orders", "ünï": "cødé"},
        members=[platform.administrator.name, "somebody"],
    )
    created = cognite.iam.groups.create(written)
    assert 0 < created.id < 2**53
    assert created.is_deleted is False
    assert created.deleted_time == -1
    found = cognite.iam.groups.list(all=True).get(id=created.id)
    for group in [created, found]:
        assert group.as_write().dump() == written.dump()
        assert group.is_managed_in_cdf
        assert not group.is_externally_managed


@covers("groups: create", "groups: list all")
def test_a_group_of_the_identity_provider_has_its_id(cognite, name):
    created = cognite.iam.groups.create(GroupWrite(name, source_id=f"idp-{name}"))
    found = cognite.iam.groups.list(all=True).get(id=created.id)
    assert found.source_id == f"idp-{name}"
    assert found.is_externally_managed
    assert not found.is_managed_in_cdf
    assert found.capabilities is None


@covers("groups: create", "groups: list")
def test_a_group_of_all_accounts_is_everybodys(cognite, platform, name):
    group = cognite.iam.groups.create(GroupWrite(name, members="allUserAccounts"))
    theirs = cognite_client(platform, platform.principal(name))
    assert group.members == "allUserAccounts"
    assert group.id in [found.id for found in theirs.iam.groups.list()]
    cognite.iam.groups.delete(group.id)


@covers("groups: create")
def test_a_right_that_nobody_knows_yet_is_kept(cognite, name):
    raw = {"holodeckAcl": {"actions": ["ENTER"], "scope": {"deck": {"ids": [1]}}}}
    unknown = UnknownAcl(actions=None, scope=None, raw_data=raw, allow_unknown=True)
    created = cognite.iam.groups.create(GroupWrite(name, capabilities=[unknown]))
    assert cognite.iam.groups.list(all=True).get(id=created.id).dump()["capabilities"] == [raw]


@covers("groups: create")
def test_several_groups_come_back_in_their_order(cognite, name):
    created = cognite.iam.groups.create([GroupWrite(f"{name}-{n}") for n in range(5)])
    assert [group.name for group in created] == [f"{name}-{n}" for n in range(5)]


@covers("groups: create")
def test_two_groups_may_have_one_name(cognite, name):
    one, two = (cognite.iam.groups.create(GroupWrite(name)) for _ in range(2))
    assert one.id != two.id


@covers("groups: create", "errors: other")
@pytest.mark.parametrize(
    "wrong",
    [
        {"metadata": {"k" * 33: "v"}},
        {"metadata": {"k": "v" * 513}},
        {"metadata": {f"k{n}": "v" for n in range(17)}},
        {"metadata": {f"k{n}": "v" * 500 for n in range(9)}},
        {"source_id": "idp", "members": ["somebody"]},
    ],
    ids=["long key", "long value", "many", "much", "members and source"],
)
def test_a_group_that_breaks_a_rule_is_refused(cognite, name, wrong):
    with pytest.raises(CogniteAPIError) as refused:
        cognite.iam.groups.create(GroupWrite(name, **wrong))
    assert refused.value.code == 400
    assert refused.value.message
    assert name not in [group.name for group in cognite.iam.groups.list(all=True)]


@covers("groups: delete", "groups: list all", "errors: not found")
def test_a_deleted_group_is_not_listed_and_not_found(cognite, name):
    kept, deleted = cognite.iam.groups.create([GroupWrite(f"{name}-kept"), GroupWrite(f"{name}-deleted")])
    cognite.iam.groups.delete([deleted.id])
    listed = [group.id for group in cognite.iam.groups.list(all=True)]
    assert kept.id in listed
    assert deleted.id not in listed
    with pytest.raises(CogniteNotFoundError) as refused:
        cognite.iam.groups.delete([kept.id, deleted.id])
    assert refused.value.not_found == [{"id": deleted.id}]
    assert refused.value.failed == [kept.id, deleted.id]
    # One that is absent spares the others.
    assert kept.id in [group.id for group in cognite.iam.groups.list(all=True)]
    cognite.iam.groups.delete(kept.id)


@covers("groups: list", "groups: list all", "groups: create", "groups: delete", "errors: other")
def test_a_principal_that_may_only_read_does_not_write(cognite, platform, name):
    reading = [
        GroupsAcl([GroupsAcl.Action.List, GroupsAcl.Action.Read], GroupsAcl.Scope.All()),
    ]
    group = cognite.iam.groups.create(GroupWrite(name, source_id=f"idp-{name}", capabilities=reading))
    reader = cognite_client(platform, platform.principal(name, f"idp-{name}"))
    assert [found.id for found in reader.iam.groups.list()] == [group.id]
    assert group.id in [found.id for found in reader.iam.groups.list(all=True)]
    for refuse in [
        lambda: reader.iam.groups.create(GroupWrite(f"{name}-more")),
        lambda: reader.iam.groups.delete(group.id),
        lambda: reader.iam.security_categories.list(),
        lambda: reader.iam.sessions.list(),
    ]:
        with pytest.raises(CogniteAPIError) as refused:
            refuse()
        assert refused.value.code == 403
    assert group.id in [found.id for found in reader.iam.groups.list()]


@covers("groups: list all", "errors: other")
def test_all_groups_are_for_those_who_may_list_them(platform, name):
    theirs = cognite_client(platform, platform.principal(name))
    with pytest.raises(CogniteAPIError) as refused:
        theirs.iam.groups.list(all=True)
    assert refused.value.code == 403
