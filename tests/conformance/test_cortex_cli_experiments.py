"""Models, experiments and runs, with the command line (fabric-api sections 9 and 10)."""

import json

import pytest

from contract import covers
from definitions import model


@covers("models: save", "models: list", "models: get", "models: delete")
@pytest.mark.parametrize("prefix", ["", "acme/"])
def test_a_model_is_saved_listed_described_and_deleted(cli, name, prefix):
    saved = model(prefix + name)
    assert cli("models", "save", cli.file("model.json", saved)).stdout.startswith("Model saved\n{")
    (listed,) = [one for one in cli("models", "list", "--json").json() if one["name"] == prefix + name]
    assert listed["title"] == f"Title of {prefix}{name}"
    assert name in cli("models", "list").stdout
    described = cli("models", "describe", prefix + name, "--verbose").json()
    assert {key: described[key] for key in saved} == saved
    assert cli("models", "delete", prefix + name).json()["success"] is True
    assert cli("models", "delete", prefix + name, code=1).stderr.startswith("Model deletion failed: 404 ")


@covers("models: list")
def test_models_are_found_by_field_and_tag(cli, name):
    one = model(name) | {"status": name, "tags": [{"label": name, "value": "orders"}]}
    cli("models", "save", cli.file("model.json", one))
    cli("models", "save", cli.file("model.json", model(f"{name}-other")))
    found = cli("models", "list", "--json", "--filter", json.dumps({"status": name})).json()
    assert [one["name"] for one in found] == [name]
    found = cli("models", "list", "--json", "--tags", name).json()
    assert [one["name"] for one in found] == [name]


@covers("models: publish")
@pytest.mark.parametrize("prefix", ["", "acme/"])
def test_a_model_is_published_and_unpublished(cli, name, prefix):
    cli("models", "save", cli.file("model.json", model(prefix + name)))
    assert cli("models", "publish", prefix + name).stdout.strip() == "Model published"
    published = cli("models", "describe", prefix + name).json()["status"]
    assert cli("models", "unpublish", prefix + name).stdout.strip() == "Model unpublished"
    assert cli("models", "describe", prefix + name).json()["status"] != published
    assert "404" in cli("models", "publish", f"{name}-absent", code=1).stderr


@pytest.fixture
def experiment(cli, name):
    """The name of an experiment of a model of the same name."""
    saved = {"camel": "1.0.0", "name": f"acme/{name}", "title": f"Title of {name}", "modelId": name}
    assert cli("experiments", "save", cli.file("experiment.json", saved)).stdout.strip() == "Experiment saved"
    return f"acme/{name}"


def create_run(cli, experiment, **fields) -> str:
    ran = cli("experiments", "create-run", cli.file("run.json", {"experimentName": experiment, **fields}))
    assert ran.stdout.startswith("Run created\n")
    return json.loads(ran.stdout.removeprefix("Run created\n"))["runId"]


@covers("experiments: save", "experiments: list", "experiments: get", "experiments: delete")
def test_an_experiment_is_saved_listed_described_and_deleted(cli, experiment, name):
    listed = cli("experiments", "list", "--json").json()["experiments"]
    (found,) = [one for one in listed if one["name"] == experiment]
    assert (found["title"], found["_version"]) == (f"Title of {name}", 1)
    assert experiment in cli("experiments", "list").stdout
    described = cli("experiments", "describe", experiment).json()
    assert (described["name"], described["modelId"]) == (experiment, name)
    assert cli("experiments", "delete", experiment).json()["success"] is True
    gone = cli("experiments", "describe", experiment, code=1).stderr
    assert gone.startswith(f"Failed to describe experiment {experiment}: 404 ")
    assert cli("experiments", "delete", experiment, code=1).stderr.startswith("Experiment deletion failed: 404 ")


@covers("experiments: create run", "experiments: get run", "experiments: list runs", "experiments: delete run")
def test_runs_are_created_listed_described_and_deleted(cli, experiment):
    one = create_run(cli, experiment, runId="run-01", params={"depth": 3}, startTime=1_714_557_600, took=4.5)
    two = create_run(cli, experiment)
    assert one == "run-01"
    assert cli("experiments", "describe-run", experiment, one).json()["params"] == {"depth": 3}
    assert {run["runId"] for run in cli("experiments", "list-runs", experiment, "--json").json()} == {one, two}
    table = cli("experiments", "list-runs", experiment).stdout
    assert one in table
    assert "depth: 3" in table
    found = cli("experiments", "list-runs", experiment, "--json", "--filter", '{"runId": "run-01"}').json()
    assert [run["runId"] for run in found] == [one]
    ran = cli("experiments", "delete-run", experiment, one)
    assert ran.stdout.strip() == f"Run {one} in experiment {experiment} deleted"
    assert "404" in cli("experiments", "describe-run", experiment, one, code=1).stderr
    assert cli("experiments", "delete-run", experiment, one, code=1).stderr.startswith("Run deletion failed: 404 ")


@covers("experiments: save artifact", "experiments: get artifact")
def test_an_artifact_goes_up_and_down(cli, experiment):
    run, content = create_run(cli, experiment), bytes(range(256)) * 4000
    (cli.folder / "model.bin").write_bytes(content)
    ran = cli("experiments", "upload-artifact", experiment, run, "model.bin", "model")
    assert "Artifact successfully uploaded." in ran.stdout
    key = f"experiments/{experiment}/{run}/artifacts/model"
    assert cli("experiments", "describe-run", experiment, run).json()["artifacts"] == {"model": key}
    down = cli.binary("experiments", "download-artifact", experiment, run, "model")
    assert (down.returncode, down.stdout) == (0, content)


@covers("experiments: get artifact")
def test_an_absent_artifact_is_not_found(cli, experiment):
    run = create_run(cli, experiment)
    assert "404" in cli("experiments", "download-artifact", experiment, run, "absent", code=1).stderr


@covers("models: runs")
def test_runs_of_a_model_are_those_of_its_experiments(cli, experiment, name):
    cli("models", "save", cli.file("model.json", model(name)))
    run = create_run(cli, experiment)
    listed = cli("models", "list-runs", name, "--json").json()
    assert [(one["runId"], one["experimentName"]) for one in listed] == [(run, experiment)]
    # The table has no room for all of the id.
    assert run[:20] in cli("models", "list-runs", name).stdout
