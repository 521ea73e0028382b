"""Skills, activations, types, tasks and actions, with the command line (fabric-api sections 7, 8 and 11)."""

import json
import time

import pytest

from contract import covers
from definitions import skill, type_

TEXT = json.dumps({"payload": {"text": "one two two\nthree three three\n"}})
OUTPUTS = ["yaml", "k8s", "openapi"]


@covers("skills: save", "skills: list", "skills: describe", "skills: delete")
@pytest.mark.parametrize("prefix", ["", "acme/"])
def test_a_skill_is_saved_listed_described_and_deleted(cli, name, prefix):
    saved = skill(prefix + name)
    ran = cli("skills", "save", cli.file("skill.json", saved))
    assert ran.stdout.startswith("Skill saved: {")
    (listed,) = [one for one in cli("skills", "list", "--json").json() if one["name"] == prefix + name]
    assert listed["title"] == f"Title of {prefix}{name}"
    assert listed["updatedAt"].endswith("Z")
    assert name in cli("skills", "list").stdout
    described = cli("skills", "describe", prefix + name).json()
    assert {key: described[key] for key in saved} == saved
    assert cli("skills", "describe", prefix + name, "--verbose").json()["name"] == prefix + name
    assert cli("skills", "delete", prefix + name).stdout.strip() not in ("", "undefined")
    ran = cli("skills", "delete", prefix + name, code=1)
    assert ran.stderr.startswith("Skill deletion failed: 404 ")
    assert "not found" in ran.stderr


@covers("skills: describe")
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_skill_is_described_in_other_forms(cli, name, output):
    cli("skills", "save", cli.file("skill.json", skill(name)))
    assert cli("skills", "describe", name, "--output", output).stdout.strip() not in ("", "undefined")


@covers("skills: save")
def test_a_skill_in_yaml_is_saved(cli, name):
    text = f"""
camel: 1.0.0
name: {name}
title: In YAML
inputs:
  - name: request
    parameters:
      $ref: acme/order
    routing:
      all: {{action: work, runtime: cortex/jobs, output: response}}
outputs:
  - name: response
    parameters:
      - {{name: found, type: array}}
actions:
  - {{name: work, type: job, image: "acme/work:1"}}
"""
    cli("skills", "save", "--yaml", cli.file("skill.yaml", text))
    assert cli("skills", "describe", name).json()["title"] == "In YAML"


@covers("skills: save")
def test_a_skill_without_inputs_is_refused_with_the_path(cli, name):
    lacking = {key: value for key, value in skill(name).items() if key != "inputs"}
    ran = cli("skills", "save", cli.file("skill.json", lacking), code=1)
    assert ran.stdout.startswith("Failed to save skill: ")
    assert "inputs" in ran.stdout


@covers("skills: list")
def test_skills_are_filtered_sorted_and_limited(cli, name):
    for n in range(3):
        cli("skills", "save", cli.file("skill.json", skill(f"{name}-{n}") | {"title": name}))
    query = ["skills", "list", "--json", "--filter", json.dumps({"title": name}), "--sort", '{"name": -1}']
    assert [one["name"] for one in cli(*query).json()] == [f"{name}-2", f"{name}-1", f"{name}-0"]
    assert [one["name"] for one in cli(*query, "--limit", 1, "--skip", 1).json()] == [f"{name}-1"]
    # What was changed last comes first unless something else is asked for.
    assert [one["name"] for one in cli(*query[:-2]).json()] == [f"{name}-2", f"{name}-1", f"{name}-0"]


@covers("skills: delete, refused")
def test_a_skill_that_is_run_here_is_not_deleted(cli):
    ran = cli("skills", "delete", "word-count", code=1)
    assert ran.stderr.startswith("Skill deletion failed: ")
    assert "Dependency Name" in ran.stdout
    assert cli("skills", "describe", "word-count").json()["name"] == "word-count"


@covers("skills: deploy", "skills: undeploy", "skills: list")
def test_a_skill_is_deployed_and_undeployed(cli, name):
    cli("skills", "save", cli.file("skill.json", skill(f"acme/{name}")))
    assert cli("skills", "deploy", f"acme/{name}").stdout.startswith(f"Deployed Skill acme/{name}: ")
    assert f"acme/{name}" in cli("skills", "list").stdout
    ran = cli("skills", "undeploy", f"acme/{name}")
    assert ran.stdout.startswith(f"Undeploy Skill acme/{name}: ")
    assert "undefined" not in ran.stdout
    assert "Failed to deploy Skill" in cli("skills", "deploy", f"{name}-absent", code=1).stderr


@covers("skills: deploy")
def test_a_deployment_can_be_looked_at_first(cli, name):
    cli("skills", "save", cli.file("skill.json", skill(name)))
    assert cli("skills", "deploy", name, "--dryrun", "--stereotypes", "a", "b").json()["success"] is True


@covers("skills: logs")
def test_an_action_has_logs(cli, name):
    cli("skills", "save", cli.file("skill.json", skill(f"acme/{name}", "acme/work")))
    assert isinstance(cli("skills", "logs", f"acme/{name}", "acme/work").json(), list)
    cli("skills", "logs", f"acme/{name}", "acme/work", "--raw")


@covers("skills: invoke, sync")
def test_a_skill_is_invoked_and_its_result_waited_for(cli):
    answer = cli("skills", "invoke", "word-count", "request", "--params", TEXT, "--sync").json()
    assert answer["success"] is True
    # What a job answers is text.
    assert json.loads(answer["response"])["words"] == 6


@covers("skills: invoke, async", "skills: activation")
def test_the_result_of_an_invocation_is_fetched_later(cli):
    answer = cli("skills", "invoke", "word-count", "request", "--params", TEXT).json()
    assert answer["success"] is True
    deadline = time.monotonic() + 60
    while True:
        activation = cli("agents", "get-activation", answer["activationId"]).json()
        if activation["status"] in ("COMPLETE", "COMPLETED", "ERROR"):
            break
        assert time.monotonic() < deadline, activation
    assert activation["status"] == "COMPLETED"
    assert activation["requestId"] == answer["activationId"]
    assert (activation["skillName"], activation["inputName"]) == ("word-count", "request")
    assert activation["projectId"] == "local"
    assert activation["payload"] == json.loads(TEXT)["payload"]
    assert activation["start"] <= activation["end"]
    assert json.loads(activation["response"])["words"] == 6
    report = cli("agents", "get-activation", answer["activationId"], "--report").stdout
    assert "Status: COMPLETED" in report


@covers("skills: activation")
def test_activations_are_listed_by_skill(cli):
    activation = cli("skills", "invoke", "word-count", "request", "--params", TEXT).json()["activationId"]
    listed = cli("agents", "list-activations", "--skillName", "word-count", "--json").json()
    assert activation in [one["activationId"] for one in listed]


@covers("skills: activation", "skills: cancel")
def test_an_absent_activation_is_not_found(cli, name):
    assert cli("agents", "get-activation", name, code=1).stderr.startswith(f"Failed to get activation {name}: ")
    assert cli("agents", "cancel-activation", name, code=1).stderr.startswith(f"Failed to cancel activation {name}: ")


@covers("skills: cancel")
def test_an_activation_is_cancelled(cli):
    activation = cli("skills", "invoke", "word-count", "request", "--params", TEXT).json()["activationId"]
    assert cli("agents", "cancel-activation", activation).stdout.strip() not in ("", "undefined")


@covers("skills: invoke, sync")
def test_a_skill_that_is_absent_is_not_found(cli, name):
    # The command line ends well all the same.
    ran = cli("skills", "invoke", name, "request", "--params", TEXT, "--sync")
    assert ran.stdout == ""
    assert "404" in ran.stderr


@covers("types: save", "types: get", "types: list", "types: delete")
@pytest.mark.parametrize("prefix", ["", "acme/"])
def test_a_type_is_saved_listed_described_and_deleted(cli, name, prefix):
    saved = type_(prefix + name)
    assert cli("types", "save", cli.file("type.json", saved)).stdout.strip() == "Type definition saved"
    (listed,) = [one for one in cli("types", "list", "--json").json() if one["name"] == prefix + name]
    assert listed["description"] == "Made by a test"
    assert name in cli("types", "list").stdout
    described = cli("types", "describe", prefix + name).json()
    assert {key: described[key] for key in saved} == saved
    cli("types", "delete", prefix + name)
    assert cli("types", "delete", prefix + name, code=1).stderr.startswith("Types deletion failed: 404 ")


@covers("types: save", "types: list")
def test_several_types_are_saved_at_once(cli, name):
    types = {"camel": "1.0.0", "types": [type_(f"{name}-{n}") for n in range(3)]}
    cli("types", "save", cli.file("types.json", types))
    listed = [one["name"] for one in cli("types", "list", "--json").json()]
    assert {f"{name}-{n}" for n in range(3)} <= set(listed)


@covers("types: delete", "skills: delete, refused")
def test_a_type_that_a_skill_refers_to_is_not_deleted(cli, name):
    cli("types", "save", cli.file("type.json", type_(name)))
    refers = skill(f"acme/{name}")
    refers["inputs"][0]["parameters"] = {"$ref": name}
    cli("skills", "save", cli.file("skill.json", refers))
    ran = cli("types", "delete", name, code=1)
    assert ran.stderr.startswith("Types deletion failed: ")
    assert f"acme/{name}" in ran.stdout


@covers("actions: save", "tasks: list", "tasks: get", "tasks: logs", "tasks: pause, resume", "tasks: delete")
def test_a_job_that_is_deployed_is_a_task(cli, name):
    action = cli.file("action.json", {"name": name, "actionType": "job", "image": "acme/work:1"})
    assert cli("actions", "deploy", action).json()["success"] is True
    assert name in [one["name"] for one in cli("tasks", "list", "--json").json()]
    assert name in cli("tasks", "list").stdout
    assert name in cli("tasks", "describe", name).stdout
    cli("tasks", "logs", name)
    for command in ["pauseSchedule", "resumeSchedule", "delete"]:
        assert cli("tasks", command, name).json()["success"] is True
    assert f"Failed to describe task {name}: " in cli("tasks", "describe", name, code=1).stderr


@covers("tasks: get", "tasks: logs", "tasks: delete", "tasks: pause, resume")
def test_an_absent_task_is_not_found(cli, name):
    assert f"Failed to describe task {name}: " in cli("tasks", "describe", name, code=1).stderr
    assert f'Failed to List Task Logs "{name}": ' in cli("tasks", "logs", name, code=1).stderr
    assert f"Failed to delete {name}: " in cli("tasks", "delete", name, code=1).stderr
    assert f'Failed to pause "{name}": ' in cli("tasks", "pauseSchedule", name, code=1).stderr
    assert f'Failed to resume task "{name}": ' in cli("tasks", "resumeSchedule", name, code=1).stderr


@covers("actions: save")
def test_an_action_is_saved(cli, name):
    action = cli.file("action.json", {"name": name, "type": "daemon", "image": "acme/work:1", "port": 5000})
    assert cli("actions", "deploy", action).json()["success"] is True
