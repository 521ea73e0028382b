"""Security categories, and what lists and chunks have in common, with the Cognite client (cdf-iam sections 2 to 4)."""

import pytest
from cognite.client import global_config
from cognite.client.data_classes import SecurityCategoryWrite
from cognite.client.exceptions import CogniteAPIError, CogniteDuplicatedError, CogniteNotFoundError
from requests.adapters import HTTPAdapter

from contract import covers
from platform_process import PROJECT

PATH = f"/api/v1/projects/{PROJECT}/securitycategories"


@pytest.fixture
def categories(cognite):
    return cognite.iam.security_categories


@covers("security categories: create", "security categories: list", "requests: gzip", "requests: plain")
@pytest.mark.parametrize("is_plain", [False, True], ids=["gzip", "plain"])
def test_a_category_is_created_and_listed(categories, name, monkeypatch, is_plain):
    monkeypatch.setattr(global_config, "disable_gzip", is_plain)
    encodings, send = [], HTTPAdapter.send

    def noted(adapter, request, **options):
        encodings.append(request.headers.get("Content-Encoding"))
        return send(adapter, request, **options)

    monkeypatch.setattr(HTTPAdapter, "send", noted)
    created = categories.create(SecurityCategoryWrite(name))
    assert encodings == [None if is_plain else "gzip"]
    assert created.name == name
    assert 0 < created.id < 2**53
    assert categories.list(limit=None).get(id=created.id).name == name


@covers("security categories: create")
def test_several_categories_come_back_in_their_order(categories, name):
    created = categories.create([SecurityCategoryWrite(f"{name}-{n}") for n in (2, 0, 1)])
    assert [category.name for category in created] == [f"{name}-2", f"{name}-0", f"{name}-1"]


@covers("security categories: create", "errors: duplicated")
def test_a_name_that_is_taken_is_duplicated(categories, name):
    categories.create(SecurityCategoryWrite(name))
    with pytest.raises(CogniteDuplicatedError) as refused:
        categories.create([SecurityCategoryWrite(f"{name}-other"), SecurityCategoryWrite(name)])
    assert refused.value.duplicated == [{"name": name}]
    # One that is taken keeps the others from being made.
    assert f"{name}-other" not in [category.name for category in categories.list(limit=None)]


@covers("security categories: create", "errors: duplicated")
def test_a_name_that_comes_twice_is_duplicated(categories, name):
    with pytest.raises((CogniteDuplicatedError, CogniteAPIError)) as refused:
        categories.create([SecurityCategoryWrite(name), SecurityCategoryWrite(name)])
    assert {"name": name} in refused.value.duplicated


@covers("security categories: delete", "errors: not found")
def test_a_deleted_category_is_not_found(categories, name):
    kept, deleted = categories.create([SecurityCategoryWrite(f"{name}-kept"), SecurityCategoryWrite(f"{name}-deleted")])
    categories.delete(deleted.id)
    with pytest.raises(CogniteNotFoundError) as refused:
        categories.delete([deleted.id, kept.id])
    assert refused.value.not_found == [{"id": deleted.id}]
    assert kept.id in [category.id for category in categories.list(limit=None)]


@covers("requests: paging", "security categories: list")
@pytest.mark.parametrize("limit", [1, 3, 25])
def test_a_list_has_no_more_than_was_asked_for(categories, name, limit):
    categories.create([SecurityCategoryWrite(f"{name}-{n}") for n in range(25)])
    assert len(categories.list(limit=limit)) == limit
    assert len(categories.list()) == 25


@covers("requests: paging", "requests: chunks", "security categories: create", "security categories: delete")
def test_more_than_one_chunk_and_more_than_one_page(categories, name):
    before = {category.id for category in categories.list(limit=None)}
    names = [f"{name}-{n}" for n in range(2500)]
    created = categories.create([SecurityCategoryWrite(one) for one in names])
    assert [category.name for category in created] == names
    ids = [category.id for category in created]
    assert len(set(ids)) == 2500
    listed = [category.id for category in categories.list(limit=None)]
    assert len(listed) == len(set(listed))
    assert set(listed) - before == set(ids)
    assert len(categories.list(limit=1700)) == 1700
    categories.delete(ids)
    assert not set(ids) & {category.id for category in categories.list(limit=None)}


@covers("requests: chunks", "security categories: delete", "errors: not found")
def test_a_chunk_that_is_refused_leaves_the_others(categories, name):
    created = categories.create([SecurityCategoryWrite(f"{name}-{n}") for n in range(1500)])
    absent = 2**53 - 1
    with pytest.raises(CogniteNotFoundError) as refused:
        categories.delete([category.id for category in created] + [absent])
    assert refused.value.not_found == [{"id": absent}]
    assert (len(refused.value.successful), len(refused.value.failed)) == (1000, 501)
    left = {category.id for category in categories.list(limit=None)}
    assert not left & {category.id for category in created[:1000]}
    assert {category.id for category in created[1000:]} <= left
    categories.delete([category.id for category in created[1000:]])


@covers("requests: chunks", "errors: other")
def test_more_than_a_chunk_at_once_is_refused(cognite, name):
    with pytest.raises(CogniteAPIError) as refused:
        cognite.post(PATH, json={"items": [{"name": f"{name}-{n}"} for n in range(1001)]})
    assert refused.value.code == 400


@covers("errors: other")
@pytest.mark.parametrize(
    "body",
    [{}, {"items": {}}, {"items": [{}]}, {"items": [{"name": 7}]}, {"items": [{"name": ""}]}, {"items": "x"}],
    ids=str,
)
def test_a_body_that_is_wrong_is_refused_with_a_reason(cognite, body):
    with pytest.raises(CogniteAPIError) as refused:
        cognite.post(PATH, json=body)
    assert refused.value.code in (400, 422)
    assert refused.value.message


@covers("errors: other")
@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1001}, {"limit": "many"}, {"cursor": "made-up"}], ids=str)
def test_a_query_that_is_wrong_is_refused_with_a_reason(cognite, query):
    with pytest.raises(CogniteAPIError) as refused:
        cognite.get(PATH, params=query)
    assert refused.value.code in (400, 422)
    assert refused.value.message


@covers("errors: other")
def test_a_path_that_there_is_not_is_refused_as_this_api_does(cognite):
    with pytest.raises(CogniteAPIError) as refused:
        cognite.get(f"/api/v1/projects/{PROJECT}/holodecks")
    assert refused.value.code == 404
    assert refused.value.message
