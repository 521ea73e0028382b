"""Models, with the Python client (fabric-api section 9)."""

import pytest
from requests.exceptions import HTTPError

from contract import covers
from definitions import model


@covers("models: save", "models: get")
@pytest.mark.parametrize("prefix", ["", "acme/"])
def test_a_model_is_read_as_it_was_saved(cortex, name, prefix):
    saved = model(prefix + name)
    assert cortex.models.save_model(saved)["success"] is True
    found = cortex.models.get_model(prefix + name)
    assert {key: found[key] for key in saved} == saved


@covers("models: save")
def test_a_model_without_a_name_is_refused(cortex):
    with pytest.raises(HTTPError) as refused:
        cortex.models.save_model({"title": "no name"})
    assert refused.value.response.status_code in (400, 422)
    assert "name" in refused.value.response.text


@covers("models: list")
def test_saved_models_are_listed(cortex, name):
    cortex.models.save_model(model(name))
    listed = {found["name"]: found for found in cortex.models.list_models()}
    assert listed[name]["title"] == f"Title of {name}"


@covers("models: delete", "models: get", "models: list")
def test_a_deleted_model_is_not_found(cortex, name):
    cortex.models.save_model(model(name))
    assert cortex.models.delete_model(name) is True
    for call in [cortex.models.get_model, cortex.models.delete_model]:
        with pytest.raises(HTTPError) as refused:
            call(name)
        assert refused.value.response.status_code == 404
    assert name not in [found["name"] for found in cortex.models.list_models()]
