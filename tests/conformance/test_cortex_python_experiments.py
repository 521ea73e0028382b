"""Experiments and runs, with the Python client (fabric-api section 10)."""

import io

import pytest
from cortex.exceptions import APIException
from cortex.experiment import Experiment
from requests.exceptions import HTTPError

from contract import covers
from platform_process import PROJECT


@pytest.fixture
def experiment(cortex, name):
    """An experiment without runs, as an object of the client's."""
    return Experiment(cortex.experiments.save_experiment(f"acme/{name}", "churn", title="Churn"), cortex.experiments)


@covers("experiments: save", "experiments: get")
@pytest.mark.parametrize("prefix", ["", "acme/"])
def test_an_experiment_is_read_as_it_was_saved(cortex, name, prefix):
    saved = cortex.experiments.save_experiment(
        prefix + name, "churn", title="Churn", tags=[{"label": "team", "value": "orders"}]
    )
    found = cortex.experiments.get_experiment(prefix + name)
    for answer in [saved, found]:
        assert answer["name"] == prefix + name
        assert answer["modelId"] == "churn"
        assert answer["title"] == "Churn"
        assert answer["tags"] == [{"label": "team", "value": "orders"}]
        assert answer["_version"] == 1
        assert answer["_projectId"] == PROJECT


@covers("experiments: list")
def test_saved_experiments_are_listed(cortex, name):
    cortex.experiments.save_experiment(name, title="Churn")
    listed = {found["name"]: found for found in cortex.experiments.list_experiments()}
    assert listed[name]["title"] == "Churn"


@covers("experiments: delete", "experiments: get")
def test_a_deleted_experiment_is_gone_with_its_runs(cortex, name):
    cortex.experiments.save_experiment(name)
    run = cortex.experiments.create_run(name)["runId"]
    assert cortex.experiments.delete_experiment(name) is True
    for call, arguments in [
        (cortex.experiments.get_experiment, (name,)),
        (cortex.experiments.get_run, (name, run)),
        (cortex.experiments.delete_experiment, (name,)),
    ]:
        with pytest.raises(HTTPError) as refused:
            call(*arguments)
        assert refused.value.response.status_code == 404


@covers("experiments: set meta")
def test_meta_of_an_experiment_is_saved_with_it(cortex, name):
    bare = Experiment(cortex.experiments.save_experiment(name), cortex.experiments)
    bare.set_meta("team", {"lead": "ann"})
    found = cortex.experiments.get_experiment(name)
    assert found["meta"] == {"team": {"lead": "ann"}}
    assert found["_version"] == 2


@covers("experiments: create run", "experiments: get run", "experiments: runs")
def test_a_run_has_an_id_of_its_own(cortex, experiment):
    one = cortex.experiments.create_run(experiment.name)
    two = cortex.experiments.create_run(experiment.name, params={"depth": 3})
    assert one["runId"] != two["runId"]
    for created in [one, two]:
        found = cortex.experiments.get_run(experiment.name, created["runId"])
        assert found["runId"] == created["runId"]
        assert found["experimentName"] == experiment.name
        assert found["_projectId"] == PROJECT
        assert found["_createdAt"].endswith("Z")
        assert found["_updatedAt"].endswith("Z")
    assert cortex.experiments.get_run(experiment.name, two["runId"])["params"] == {"depth": 3}
    assert {run["runId"] for run in cortex.experiments.list_runs(experiment.name)} == {one["runId"], two["runId"]}


@covers("experiments: create run", "experiments: get run", "experiments: runs")
def test_runs_of_an_absent_experiment_are_not_found(cortex, name):
    for call, arguments in [
        (cortex.experiments.create_run, (name,)),
        (cortex.experiments.get_run, (name, "r1")),
        (cortex.experiments.list_runs, (name,)),
    ]:
        with pytest.raises(HTTPError) as refused:
            call(*arguments)
        assert refused.value.response.status_code == 404


@covers("experiments: create run", "experiments: update run")
def test_a_run_that_is_used_as_a_block_knows_how_long_it_took(cortex, experiment):
    run = experiment.start_run()
    with run:
        begun = cortex.experiments.get_run(experiment.name, run.id)
        assert begun["startTime"] == run.start_time
        assert begun.get("endTime") is None
        assert begun.get("took") is None
    ended = cortex.experiments.get_run(experiment.name, run.id)
    assert ended["startTime"] == run.start_time
    assert ended["endTime"] == run.end_time
    assert ended["took"] == pytest.approx(run.took)


@covers("experiments: update run")
def test_an_update_leaves_what_it_does_not_name(cortex, experiment):
    run = cortex.experiments.create_run(experiment.name, params={"depth": 3})["runId"]
    assert cortex.experiments.update_run(experiment.name, run, took=1.5, startTime=10, endTime=12) is True
    found = cortex.experiments.get_run(experiment.name, run)
    assert (found["took"], found["startTime"], found["endTime"]) == (1.5, 10, 12)
    assert found["params"] == {"depth": 3}


@covers("experiments: meta, param, metric")
@pytest.mark.parametrize("value", [3, 0.25, "text", True, None, {"a": [1]}, [1, 2]])
def test_params_metrics_and_meta_are_set_one_by_one(cortex, experiment, value):
    run = experiment.start_run()
    run.log_param("depth", value)
    run.log_metric("auc", value)
    run.set_meta("why", value)
    run.log_param("width", 2)
    found = cortex.experiments.get_run(experiment.name, run.id)
    assert found["params"] == {"depth": value, "width": 2}
    assert found["metrics"] == {"auc": value}
    assert found["meta"] == {"why": value}


@covers("experiments: meta, param, metric", "experiments: update run", "experiments: delete run")
def test_an_absent_run_is_not_found(cortex, experiment):
    for call, arguments in [
        (cortex.experiments.update_param, (experiment.name, "absent", "depth", 1)),
        (cortex.experiments.update_metric, (experiment.name, "absent", "auc", 1)),
        (cortex.experiments.update_meta, (experiment.name, "absent", "why", 1)),
        (cortex.experiments.update_run, (experiment.name, "absent")),
        (cortex.experiments.delete_run, (experiment.name, "absent")),
        (cortex.experiments.get_artifact, (experiment.name, "absent", "model")),
    ]:
        with pytest.raises(HTTPError) as refused:
            call(*arguments)
        assert refused.value.response.status_code == 404


@pytest.fixture
def runs(cortex, experiment):
    """Ids of four runs, the later the better and the longer."""
    ids = []
    for n in range(4):
        run = cortex.experiments.create_run(experiment.name)["runId"]
        cortex.experiments.update_run(experiment.name, run, took=n + 0.5, startTime=100 * n, endTime=100 * n + n)
        cortex.experiments.update_param(experiment.name, run, "depth", n)
        cortex.experiments.update_metric(experiment.name, run, "auc", 0.5 + n / 10)
        ids.append(run)
    return ids


def found_runs(cortex, experiment, query, **options):
    return [run["runId"] for run in cortex.experiments.find_runs(experiment.name, query, **options)]


@covers("experiments: find runs")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"params.depth": 2}, [2]),
        ({"metrics.auc": {"$gt": 0.6}}, [2, 3]),
        ({"metrics.auc": {"$gte": 0.6}}, [1, 2, 3]),
        ({"startTime": {"$lt": 200}}, [0, 1]),
        ({"startTime": {"$lte": 200}, "took": {"$ne": 0.5}}, [1, 2]),
        ({"params.depth": {"$in": [0, 3, 9]}}, [0, 3]),
        ({"params.depth": {"$nin": [0, 3]}}, [1, 2]),
        ({"params.absent": 1}, []),
        ({}, [0, 1, 2, 3]),
    ],
    ids=str,
)
def test_runs_are_found_by_dotted_paths_and_comparisons(cortex, experiment, runs, query, expected):
    assert found_runs(cortex, experiment, query, sort={"startTime": 1}) == [runs[n] for n in expected]


@covers("experiments: find runs")
def test_runs_are_found_by_their_id(cortex, experiment, runs):
    assert found_runs(cortex, experiment, {"runId": runs[1]}) == [runs[1]]


@covers("experiments: find runs")
def test_runs_are_sorted_and_limited(cortex, experiment, runs):
    assert found_runs(cortex, experiment, {}, sort={"took": -1}, limit=2) == [runs[3], runs[2]]
    assert found_runs(cortex, experiment, {}, sort={"metrics.auc": 1}, limit=3) == runs[:3]
    # What was changed last comes first unless something else is asked for.
    cortex.experiments.update_param(experiment.name, runs[0], "late", True)
    assert found_runs(cortex, experiment, {}, limit=1) == [runs[0]]


@covers("experiments: find runs")
def test_no_more_than_25_runs_are_found_unless_asked_for(cortex, experiment):
    for _ in range(27):
        cortex.experiments.create_run(experiment.name)
    assert len(found_runs(cortex, experiment, {})) == 25
    assert len(found_runs(cortex, experiment, {}, limit=26)) == 26


@covers("experiments: last run")
def test_the_last_run_is_the_one_that_ended_last(experiment, runs):
    assert experiment.last_run().id == runs[3]


@covers("experiments: last run")
def test_an_experiment_without_runs_has_no_last_one(experiment):
    with pytest.raises(APIException, match=f"Last run for experiment {experiment.name} not found"):
        experiment.last_run()


@covers("experiments: delete run", "experiments: runs")
def test_a_deleted_run_is_gone(cortex, experiment, runs):
    assert cortex.experiments.delete_run(experiment.name, runs[2]) is True
    left = {run["runId"] for run in cortex.experiments.list_runs(experiment.name)}
    assert left == {runs[0], runs[1], runs[3]}


@covers("experiments: delete runs")
def test_runs_are_deleted_by_a_filter_or_all(cortex, experiment, runs):
    assert cortex.experiments.delete_runs(experiment.name, {"params.depth": {"$lt": 2}}) == "Runs deleted"
    assert found_runs(cortex, experiment, {}, sort={"startTime": 1}) == runs[2:]
    assert cortex.experiments.delete_runs(experiment.name) == "Runs deleted"
    assert found_runs(cortex, experiment, {}) == []


@covers("experiments: save artifact", "experiments: get artifact")
def test_an_object_is_an_artifact(experiment):
    run = experiment.start_run()
    run.log_artifact("model", {"weights": [1.5, 2.5]})
    assert experiment.get_run(run.id).get_artifact("model") == {"weights": [1.5, 2.5]}


@covers("experiments: save artifact", "experiments: get artifact")
@pytest.mark.parametrize("content", [b"", b"\x00\xff\n" * 500_000], ids=["empty", "1.5 MB"])
def test_bytes_are_an_artifact(cortex, experiment, content):
    run = cortex.experiments.create_run(experiment.name)["runId"]
    assert cortex.experiments.update_artifact(experiment.name, run, "raw/bytes.bin", io.BytesIO(content)) is True
    assert cortex.experiments.get_artifact(experiment.name, run, "raw/bytes.bin") == content


@covers("experiments: save artifact", "experiments: get artifact")
def test_an_artifact_is_managed_content(cortex, experiment):
    run = cortex.experiments.create_run(experiment.name)["runId"]
    cortex.experiments.update_artifact(experiment.name, run, "model", iter([b"ab", b"cd"]))
    key = f"experiments/{experiment.name}/{run}/artifacts/model"
    assert cortex.experiments.get_run(experiment.name, run)["artifacts"] == {"model": key}
    assert cortex.content.download(key).read() == b"abcd"


@covers("experiments: get artifact")
def test_an_absent_artifact_is_not_found(cortex, experiment):
    run = cortex.experiments.create_run(experiment.name)["runId"]
    with pytest.raises(HTTPError) as refused:
        cortex.experiments.get_artifact(experiment.name, run, "absent")
    assert refused.value.response.status_code == 404
