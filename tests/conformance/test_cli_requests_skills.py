"""Skills, types, tasks and actions, by the requests of the command line (fabric-api sections 7, 8 and 11)."""

import json

import pytest

from cli_requests import Failed, as_given, encoded, wait_for
from contract import covers
from definitions import skill, type_

TEXT = {"payload": {"text": "one two two\nthree three three\n"}}
ENDED = ("COMPLETE", "COMPLETED", "ERROR")
FORMS = {
    "json": lambda text: json.loads(text)["name"],
    "yaml": lambda text: "\nname: " in f"\n{text}",
    "k8s": lambda text: text.strip(),
    "openapi": lambda text: "openapi" in text,
}


def invoke(requested, sync: bool, body: dict = TEXT) -> dict:
    return requested("POST", "skillinvoke/word-count/inputs/request", query={"sync": sync}, body=body)


def refused(status: int, requested, *call, **options) -> Failed:
    with pytest.raises(Failed) as failed:
        requested(*call, **options)
    assert failed.value.status == status
    assert failed.value.message
    return failed.value


@covers("skills: save", "skills: list", "skills: describe", "skills: delete")
@pytest.mark.parametrize("prefix", ["", "acme/", "a b/ü/"])
def test_a_skill_is_saved_listed_described_and_deleted(requested, name, prefix):
    saved = skill(prefix + name)
    requested("POST", "skills", body=saved)
    (listed,) = [one for one in skills(requested) if one["name"] == prefix + name]
    assert listed["title"] == f"Title of {prefix}{name}"
    for field in ["createdAt", "updatedAt"]:
        assert listed[field].endswith("Z")
    assert all({"name", "state"} <= set(action) for action in listed.get("actionStatuses", []))
    path = f"skills/{encoded(prefix + name)}"
    described = requested("GET", path, query={"output": "json", "verbose": True, "status": True})
    assert {key: described[key] for key in saved} == saved
    # The parts of a name may come one by one, and must then mean the same.
    assert requested("GET", f"skills/{as_given(prefix + name)}", query={"output": "json"})["name"] == prefix + name
    assert requested("DELETE", path)["message"]
    assert prefix + name in refused(404, requested, "DELETE", path).message
    refused(404, requested, "GET", path, query={"output": "json"})


def skills(requested, **query) -> list[dict]:
    return requested.listed("skills", "skills", status=True, shared=True, **query)


@covers("skills: list")
def test_skills_are_filtered_sorted_and_limited(requested, name):
    for n in range(3):
        requested("POST", "skills", body=skill(f"{name}-{n}") | {"title": name})

    def names(**query):
        return [one["name"].removeprefix(f"{name}-") for one in skills(requested, filter={"title": name}, **query)]

    assert names() == ["2", "1", "0"]
    assert names(sort={"name": 1}) == ["0", "1", "2"]
    assert names(limit=1, skip=1) == ["1"]


@covers("skills: describe")
@pytest.mark.parametrize(("form", "is_form"), FORMS.items(), ids=FORMS)
def test_a_skill_is_described_in_four_forms(requested, name, form, is_form):
    requested("POST", "skills", body=skill(f"acme/{name}"))
    described = requested.text(f"skills/{encoded(f'acme/{name}')}", output=form)
    assert is_form(described)


@covers("skills: save")
@pytest.mark.parametrize("absent", ["name", "inputs", "outputs"])
def test_a_skill_that_lacks_something_is_refused_with_the_path(requested, name, absent):
    lacking = {key: value for key, value in skill(name).items() if key != absent}
    details = refused(400, requested, "POST", "skills", body=lacking).details
    assert any(absent in path for path in details)


@covers("skills: delete, refused")
def test_a_skill_that_is_run_here_is_not_deleted(requested):
    dependants = refused(403, requested, "DELETE", "skills/word-count").details
    assert dependants
    assert all(isinstance(one["name"], str) and isinstance(one["type"], str) for one in dependants)
    assert requested("GET", "skills/word-count", query={"output": "json"})["name"] == "word-count"


@covers("types: delete", "skills: delete, refused")
def test_a_type_that_a_skill_refers_to_is_not_deleted(requested, name):
    requested("POST", "types", body={"types": [type_(name)]})
    refers = skill(f"acme/{name}")
    refers["inputs"][0]["parameters"] = {"$ref": name}
    requested("POST", "skills", body=refers)
    dependants = refused(403, requested, "DELETE", f"types/{name}").details
    assert [one["name"] for one in dependants] == [f"acme/{name}"]
    requested("DELETE", f"skills/{encoded(f'acme/{name}')}")
    requested("DELETE", f"types/{name}")


@covers("skills: deploy", "skills: undeploy")
def test_a_skill_is_deployed_and_undeployed(requested, name):
    requested("POST", "skills", body=skill(f"acme/{name}"))
    path = f"skills/{encoded(f'acme/{name}')}"

    def status():
        (listed,) = [one for one in skills(requested) if one["name"] == f"acme/{name}"]
        return listed.get("deployStatus"), listed.get("actionStatuses")

    before = status()
    query = {"verbose": False, "dryrun": True, "stereotypes[0]": "a", "stereotypes[1]": "b"}
    requested("GET", f"{path}/deploy", query=query)
    assert status() == before
    assert requested("GET", f"{path}/deploy", query=query | {"dryrun": False})["message"]
    assert status() != before
    assert requested("GET", f"{path}/undeploy", query={"verbose": False})["message"]
    for call in ["deploy", "undeploy"]:
        refused(404, requested, "GET", f"skills/{name}-absent/{call}", query={"verbose": False})


@covers("skills: logs")
def test_an_action_has_logs(requested, name):
    requested("POST", "skills", body=skill(f"acme/{name}", "acme/work"))
    path = f"skills/{encoded(f'acme/{name}')}/action/{encoded('acme/work')}/logs"
    assert isinstance(requested("GET", path, query={"raw": False})["logs"], list)
    # What is JSON, the command line takes for a failure.
    with pytest.raises(json.JSONDecodeError):
        json.loads(requested.text(path, raw="true"))


@covers("skills: invoke, sync")
def test_a_skill_is_invoked_and_its_result_waited_for(requested):
    answer = invoke(requested, True)
    # What a job answers is text.
    assert json.loads(answer["response"])["words"] == 6
    answer = invoke(requested, True, TEXT | {"properties": {"top": 1}})
    assert json.loads(answer["response"])["top"] == [["three", 3]]


@covers("skills: invoke, async", "skills: activation")
def test_the_result_of_an_invocation_is_fetched_later(requested):
    session = {"sessionId": "s-of-mine"}
    invoked = invoke(requested, False, TEXT | session)
    assert set(invoked) == {"success", "activationId"}
    path = f"activations/{invoked['activationId']}"
    ended = wait_for(lambda: (found := requested("GET", path))["status"] in ENDED and found)
    assert ended["status"] == "COMPLETED"
    assert ended["requestId"] == invoked["activationId"]
    assert (ended["skillName"], ended["inputName"], ended["projectId"]) == ("word-count", "request", "local")
    assert ended["sessionId"] == "s-of-mine"
    assert ended["payload"] == TEXT["payload"]
    assert 1_700_000_000_000 < ended["start"] <= ended["end"]
    assert json.loads(ended["response"])["words"] == 6
    assert requested("GET", path, query={"report": True})["status"] == "COMPLETED"


@covers("skills: activation")
def test_a_session_is_named_after_the_activation_unless_the_caller_does(requested):
    invoked = invoke(requested, True)["activationId"]
    assert requested("GET", f"activations/{invoked}")["sessionId"] == invoked


@covers("skills: activation")
def test_activations_are_listed(requested):
    invoked = invoke(requested, True)["activationId"]
    query = {"skillName": "word-count", "limit": 20, "sort": {"start": -1}, "skip": 0}
    listed = requested("GET", "activations", query=query)["activations"]
    assert invoked in [one["activationId"] for one in listed]
    assert requested("GET", "activations", query=query | {"skillName": "absent"})["activations"] == []


@covers("skills: invoke, sync", "skills: invoke, async")
@pytest.mark.parametrize("sync", [True, False])
def test_a_skill_or_input_that_is_absent_is_not_found(requested, name, sync):
    for path in [f"skillinvoke/{encoded(f'acme/{name}')}/inputs/request", f"skillinvoke/word-count/inputs/{name}"]:
        refused(404, requested, "POST", path, query={"sync": sync}, body=TEXT)


@covers("skills: cancel", "skills: activation")
def test_an_activation_is_cancelled(requested, name):
    invoked = invoke(requested, True)["activationId"]
    assert requested("POST", f"activations/{invoked}/cancel")["message"]
    assert requested("POST", f"activations/{invoked}/cancel", query={"inFlight": True})["message"]
    # What has ended stays as it ended.
    assert requested("GET", f"activations/{invoked}")["status"] == "COMPLETED"
    refused(404, requested, "POST", f"activations/{name}/cancel")
    refused(404, requested, "GET", f"activations/{name}")


@covers("types: save", "types: get", "types: list", "types: delete")
@pytest.mark.parametrize("prefix", ["", "acme/"])
def test_a_type_is_saved_listed_described_and_deleted(requested, name, prefix):
    saved = type_(prefix + name)
    requested("POST", "types", body={"types": [saved]})
    (listed,) = [one for one in requested.listed("types", "types") if one["name"] == prefix + name]
    assert (listed["title"], listed["description"]) == (saved["title"], saved["description"])
    assert listed["updatedAt"].endswith("Z")
    path = f"types/{encoded(prefix + name)}"
    assert {key: requested("GET", path)[key] for key in saved} == saved
    requested("DELETE", path)
    refused(404, requested, "GET", path)
    refused(404, requested, "DELETE", path)


@covers("types: save")
def test_several_types_may_refer_to_each_other(requested, name):
    refers = type_(f"{name}-0") | {"parameters": {"$ref": f"{name}-1"}}
    requested("POST", "types", body={"camel": "1.0.0", "types": [refers, type_(f"{name}-1")]})
    assert requested("GET", f"types/{name}-0")["parameters"] == {"$ref": f"{name}-1"}


@covers("actions: save", "tasks: list", "tasks: get", "tasks: logs", "tasks: pause, resume", "tasks: delete")
def test_a_job_that_is_deployed_is_a_task(requested, name):
    action = {"name": f"acme/{name}", "actionType": "job", "image": "acme/work:1", "docker": "acme/work:1"}
    requested("POST", "actions", query={"actionType": "job"}, body=action)
    # The command line sends its own options along.
    listed = requested.listed("tasks", "tasks", sort={"startTime": -1}, compat=True, color=True)
    (task,) = [one for one in listed if one["name"] == f"acme/{name}"]
    assert task["state"]
    path = f"tasks/acme/{name}"
    assert requested("GET", path)["state"] == task["state"]
    requested("GET", path, query={"k8s": True})
    assert "logs" in requested("GET", f"{path}/logs", query={"follow": False, "verbose": False})
    states = []
    for call in ["pause", "resume"]:
        requested("POST", f"{path}/{call}", query={"verbose": False})
        states.append(requested("GET", path)["state"])
    assert states[0] != states[1]
    requested("DELETE", path, query={"verbose": False})
    refused(404, requested, "GET", path)


@covers("tasks: get", "tasks: logs", "tasks: pause, resume", "tasks: delete")
def test_an_absent_task_is_not_found(requested, name):
    for method, path in [
        ("GET", name),
        ("GET", f"{name}/logs"),
        ("POST", f"{name}/pause"),
        ("POST", f"{name}/resume"),
        ("DELETE", name),
    ]:
        refused(404, requested, method, f"tasks/{path}")


@covers("actions: save")
def test_an_action_is_saved(requested, name):
    action = {"name": name, "type": "daemon", "image": "acme/work:1", "docker": "acme/work:1", "port": 5000}
    requested("POST", "actions", body=action)
    requested("POST", "actions", query={"actionType": "daemon"}, body=action)
