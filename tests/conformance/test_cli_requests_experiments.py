"""Models, experiments and runs, by the requests of the command line (fabric-api sections 9 and 10)."""

import pytest

from cli_requests import Failed, as_given, encoded
from contract import covers
from definitions import model


def refused(status: int, requested, *call, **options) -> None:
    with pytest.raises(Failed) as failed:
        requested(*call, **options)
    assert failed.value.status == status
    assert failed.value.message


@covers("models: save", "models: list", "models: get", "models: delete")
@pytest.mark.parametrize("prefix", ["", "acme/"])
def test_a_model_is_saved_listed_described_and_deleted(requested, name, prefix):
    saved = model(prefix + name)
    requested("POST", "models", body=saved)
    (listed,) = [one for one in requested.listed("models", "models") if one["name"] == prefix + name]
    assert listed["title"] == f"Title of {prefix}{name}"
    assert listed["updatedAt"].endswith("Z")
    path = f"models/{encoded(prefix + name)}"
    described = requested("GET", path, query={"verbose": True})
    assert {key: described[key] for key in saved} == saved
    requested("DELETE", path)
    refused(404, requested, "GET", path)
    refused(404, requested, "DELETE", path)


@covers("models: list")
def test_models_are_found_by_field_and_tag(requested, name):
    one = model(name) | {"status": name, "tags": [{"label": name, "value": "orders"}]}
    requested("POST", "models", body=one)
    requested("POST", "models", body=model(f"{name}-other"))
    for query in [{"filter": {"status": name}}, {"tags": name}]:
        assert [found["name"] for found in requested.listed("models", "models", **query)] == [name]


@covers("models: publish")
@pytest.mark.parametrize("name_in_path", [as_given, encoded], ids=["split", "encoded"])
def test_a_model_is_published_and_unpublished(requested, name, name_in_path):
    requested("POST", "models", body=model(f"acme/{name}"))
    path = f"models/{name_in_path(f'acme/{name}')}"
    statuses = []
    for call in ["publish", "unpublish"]:
        requested("POST", f"{path}/{call}", body={})
        statuses.append(requested("GET", f"models/{encoded(f'acme/{name}')}")["status"])
        refused(404, requested, "POST", f"models/{name}-absent/{call}", body={})
    assert statuses[0] != statuses[1]


@pytest.fixture
def experiment(requested, name) -> str:
    """The name of an experiment of a model of the same name."""
    saved = {"camel": "1.0.0", "name": f"acme/{name}", "title": f"Title of {name}", "modelId": name}
    requested("POST", "experiments", body=saved)
    return f"acme/{name}"


@pytest.fixture
def runs(experiment) -> str:
    """The path of its runs."""
    return f"experiments/{encoded(experiment)}/runs"


def create_run(requested, runs: str, experiment: str, **fields) -> str:
    return requested("POST", runs, body={"experimentName": experiment, **fields})["runId"]


@covers("experiments: save", "experiments: list", "experiments: get", "experiments: delete")
def test_an_experiment_is_saved_listed_described_and_deleted(requested, experiment, name):
    (found,) = [one for one in requested.listed("experiments", "experiments") if one["name"] == experiment]
    assert (found["title"], found["_version"]) == (f"Title of {name}", 1)
    path = f"experiments/{encoded(experiment)}"
    described = requested("GET", path)
    assert (described["name"], described["modelId"]) == (experiment, name)
    requested("DELETE", path)
    refused(404, requested, "GET", path)
    refused(404, requested, "DELETE", path)


@covers("experiments: list")
def test_experiments_are_found_by_model(requested, experiment, name):
    by_filter = requested.listed("experiments", "experiments", filter={"modelId": name})
    by_model = requested.listed("experiments", "experiments", modelId=name)
    for found in [by_filter, by_model]:
        assert [one["name"] for one in found] == [experiment]


@covers("experiments: create run", "experiments: get run", "experiments: list runs", "experiments: delete run")
def test_runs_are_created_listed_described_and_deleted(requested, experiment, runs):
    one = create_run(
        requested, runs, experiment, runId="run-01", params={"depth": 3}, startTime=1_714_557_600, took=4.5
    )
    two = create_run(requested, runs, experiment)
    assert one == "run-01"
    assert requested("GET", f"{runs}/{one}")["params"] == {"depth": 3}
    listed = requested.listed(runs, "runs", sort={"startTime": -1})
    assert {run["runId"] for run in listed} == {one, two}
    for run in listed:
        # The command line looks into these, and cannot look into null.
        assert all(isinstance(run.get(field, {}), dict) for field in ["params", "metrics", "artifacts"])
    assert [run["runId"] for run in requested.listed(runs, "runs", filter={"runId": one})] == [one]
    requested("DELETE", f"{runs}/{one}")
    refused(404, requested, "GET", f"{runs}/{one}")
    refused(404, requested, "DELETE", f"{runs}/{one}")


@covers("experiments: update run")
def test_a_run_is_updated(requested, experiment, runs):
    run = create_run(requested, runs, experiment, params={"depth": 3})
    requested("POST", f"{runs}/{run}", body=requested("GET", f"{runs}/{run}") | {"took": 1.5})
    found = requested("GET", f"{runs}/{run}")
    assert (found["took"], found["params"]) == (1.5, {"depth": 3})


@covers("experiments: save artifact", "experiments: get artifact")
@pytest.mark.parametrize("artifact", ["model", "deep/er.bin"])
def test_an_artifact_goes_up_and_down(requested, experiment, runs, artifact):
    run, content = create_run(requested, runs, experiment), bytes(range(256)) * 4000
    answer = requested.upload("PUT", f"{runs}/{run}/artifacts/{artifact}", content)
    # The command line never reads the answer, and waits until the connection ends.
    assert answer.headers["connection"] == "close"
    key = f"experiments/{experiment}/{run}/artifacts/{artifact}"
    assert requested("GET", f"{runs}/{run}")["artifacts"] == {artifact: key}
    assert requested.download(f"content/{key}") == content


@covers("experiments: get artifact")
def test_an_absent_artifact_is_not_found(requested, experiment, runs):
    run = create_run(requested, runs, experiment)
    with pytest.raises(Failed) as failed:
        requested.download(f"content/experiments/{experiment}/{run}/artifacts/absent")
    assert failed.value.status == 404


@covers("models: runs")
@pytest.mark.parametrize("prefix", ["", "acme/"])
def test_runs_of_a_model_are_those_of_its_experiments(requested, name, prefix):
    requested("POST", "models", body=model(prefix + name))
    made = []
    for n in range(2):
        experiment = f"{name}-{n}"
        requested("POST", "experiments", body={"name": experiment, "modelId": prefix + name})
        made.append((create_run(requested, f"experiments/{experiment}/runs", experiment), experiment))
    found = requested.listed(f"models/{as_given(prefix + name)}/experiments/runs", "runs", sort={"_updatedAt": -1})
    assert [(run["runId"], run["experimentName"]) for run in found] == made[::-1]
    assert len(requested.listed(f"models/{as_given(prefix + name)}/experiments/runs", "runs", limit=1)) == 1
