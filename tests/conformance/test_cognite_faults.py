"""What the Python client of CDF makes of faults, which the platform makes on request (cdf-iam section 5)."""

import pytest
from cognite.client import global_config
from cognite.client.data_classes import SecurityCategoryWrite
from cognite.client.exceptions import CogniteAPIError, CogniteProjectAccessError

from conftest import cognite_client
from contract import covers
from platform_process import PROJECT


@pytest.fixture
def cognite_of(platform_with, monkeypatch):
    def client(*faults: str):
        monkeypatch.setattr(global_config, "max_retries", 3)
        platform = platform_with(*(f"--fault={fault}" for fault in faults))
        return cognite_client(platform, platform.administrator)

    return client


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_fault_is_got_over(cognite_of, status):
    cognite = cognite_of(f"* */securitycategories: status={status}, count=2")
    created = cognite.iam.security_categories.create(SecurityCategoryWrite("x"))
    assert [found.id for found in cognite.iam.security_categories.list()] == [created.id]


def test_a_failure_of_the_platform_is_told(cognite_of):
    cognite = cognite_of("GET */groups: status=500, count=1")
    with pytest.raises(CogniteAPIError) as failed:
        cognite.iam.groups.list()
    assert failed.value.code == 500
    assert failed.value.message
    assert cognite.iam.groups.list(all=True) == []


@covers("errors: unauthorized")
def test_a_token_that_is_refused_in_one_project_names_the_other(platform_with, monkeypatch):
    # The client remembers the answer for some seconds, whoever asks.
    asks = CogniteProjectAccessError._attempt_to_get_projects.__wrapped__
    monkeypatch.setattr(CogniteProjectAccessError, "_attempt_to_get_projects", staticmethod(asks))
    platform = platform_with("--fault=GET */elsewhere/groups: x-auth-error=expired, count=1")
    cognite = cognite_client(platform, platform.administrator, project="elsewhere")
    with pytest.raises(CogniteProjectAccessError) as refused:
        cognite.iam.groups.list()
    assert refused.value.maybe_projects == [PROJECT]
    assert f"Did you intend to use one of: ['{PROJECT}']?" in str(refused.value)
    assert cognite.iam.groups.list(all=True) == []
