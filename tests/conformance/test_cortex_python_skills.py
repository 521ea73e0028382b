"""Skills, types and messages, with the Python client (fabric-api sections 7 and 8, fabric-invocation section 6)."""

import json

import pytest
from cortex import Cortex
from cortex.exceptions import SendMessageException
from requests.exceptions import HTTPError

from contract import covers
from definitions import skill, type_
from platform_process import PROJECT

TEXT = {"text": "one two two\nthree three three\n"}


@covers("skills: save", "skills: get")
@pytest.mark.parametrize("prefix", ["", "acme/", "a b/ü/"])
def test_a_skill_is_read_as_it_was_saved(cortex, name, prefix):
    saved = skill(prefix + name)
    assert cortex.skills.save_skill(saved)["success"] is True
    found = cortex.skills.get_skill(prefix + name)
    assert {key: found[key] for key in saved} == saved
    assert found["_version"] == 1
    assert found["_projectId"] == PROJECT
    assert found["createdAt"].endswith("Z")
    assert found["updatedAt"].endswith("Z")
    assert found["createdBy"]


@covers("skills: save", "skills: get")
def test_a_skill_that_is_saved_again_has_a_new_version(cortex, name):
    cortex.skills.save_skill(skill(name))
    cortex.skills.save_skill(skill(name) | {"title": "Another"})
    found = cortex.skills.get_skill(name)
    assert (found["_version"], found["title"]) == (2, "Another")


@covers("skills: save")
@pytest.mark.parametrize("absent", ["name", "inputs", "outputs"])
def test_a_skill_that_lacks_something_is_refused_and_told_what(cortex, name, absent):
    lacking = {key: value for key, value in skill(name).items() if key != absent}
    with pytest.raises(HTTPError) as refused:
        cortex.skills.save_skill(lacking)
    assert refused.value.response.status_code in (400, 422)
    body = refused.value.response.json()
    assert body["success"] is False
    assert absent in body["message"] or absent in str(body["details"])


@covers("skills: list")
def test_saved_skills_are_listed(cortex, name):
    cortex.skills.save_skill(skill(f"acme/{name}"))
    listed = {found["name"]: found for found in cortex.skills.list_skills()}
    assert listed[f"acme/{name}"]["title"] == f"Title of acme/{name}"


@covers("skills: get", "skills: delete")
def test_a_deleted_skill_is_not_found(cortex, name):
    cortex.skills.save_skill(skill(f"acme/{name}"))
    assert cortex.skills.delete_skill(f"acme/{name}") is True
    for call in [cortex.skills.get_skill, cortex.skills.delete_skill]:
        with pytest.raises(HTTPError) as refused:
            call(f"acme/{name}")
        assert refused.value.response.status_code == 404
        assert f"acme/{name}" in refused.value.response.json()["message"]
    assert f"acme/{name}" not in [found["name"] for found in cortex.skills.list_skills()]


@covers("skills: deploy", "skills: undeploy")
def test_a_skill_is_deployed_and_undeployed(cortex, name):
    cortex.skills.save_skill(skill(f"acme/{name}"))
    assert cortex.skills.deploy(f"acme/{name}")["success"] is True
    deployed = cortex.skills.get_skill(f"acme/{name}")["deployStatus"]
    assert cortex.skills.undeploy(f"acme/{name}")["success"] is True
    assert cortex.skills.get_skill(f"acme/{name}").get("deployStatus") != deployed


@covers("skills: deploy", "skills: undeploy")
def test_a_skill_that_is_absent_is_not_deployed(cortex, name):
    for call in [cortex.skills.deploy, cortex.skills.undeploy]:
        with pytest.raises(HTTPError) as refused:
            call(name)
        assert refused.value.response.status_code == 404


@covers("skills: logs")
def test_an_action_has_logs(cortex, name):
    cortex.skills.save_skill(skill(f"acme/{name}", "acme/work"))
    logs = cortex.skills.get_logs(f"acme/{name}", "acme/work")
    assert logs["success"] is True
    assert isinstance(logs["logs"], list)


@covers("skills: invoke, sync")
def test_a_skill_is_invoked_and_its_result_waited_for(cortex):
    answer = cortex.skills.invoke("word-count", "request", TEXT, {}, sync=True)
    assert answer["success"] is True
    assert answer["activationId"]
    # What a job answers is text.
    counts = json.loads(answer["response"])
    assert counts["words"] == 6
    assert counts["top"][0] == ["three", 3]


@covers("skills: invoke, sync")
def test_properties_of_the_call_reach_the_skill(cortex):
    answer = cortex.skills.invoke("word-count", "request", TEXT, {"top": 1}, sync=True)
    assert json.loads(answer["response"])["top"] == [["three", 3]]


@covers("skills: invoke, sync")
def test_properties_may_be_null(cortex):
    answer = cortex.skills.invoke("word-count", "request", TEXT, None, sync=True)
    assert json.loads(answer["response"])["words"] == 6


@covers("skills: invoke, async")
def test_a_skill_is_invoked_and_not_waited_for(cortex):
    answer = cortex.skills.invoke("word-count", "request", TEXT, {})
    assert answer["success"] is True
    assert isinstance(answer["activationId"], str)


@covers("skills: invoke, sync", "skills: invoke, async")
@pytest.mark.parametrize("sync", [True, False])
def test_a_skill_or_input_that_is_absent_is_not_found(cortex, name, sync):
    for skill_name, input_name in [(name, "request"), (f"acme/{name}", "request"), ("word-count", name)]:
        with pytest.raises(HTTPError) as refused:
            cortex.skills.invoke(skill_name, input_name, TEXT, {}, sync=sync)
        assert refused.value.response.status_code == 404
        assert refused.value.response.json()["success"] is False


@covers("skills: invoke, sync")
def test_a_body_over_the_limit_is_refused(cortex):
    with pytest.raises(HTTPError) as refused:
        cortex.skills.invoke("word-count", "request", {"text": "x" * (600 * 1024)}, {}, sync=True)
    assert refused.value.response.status_code == 413


@covers("skills: invoke, sync")
def test_a_skill_that_fails_says_why(cortex):
    answer = cortex.skills.invoke("word-count", "request", {"test": "one two"}, {}, sync=True)
    assert answer["success"] is False
    assert answer["activationId"]
    assert "text" in answer["message"]


@covers("skills: send_message")
@pytest.mark.parametrize("message", [{"found": []}, "text", ["a"], None])
def test_a_message_is_sent_to_an_output(cortex, requested, message):
    activation = cortex.skills.invoke("word-count", "request", TEXT, {})["activationId"]
    for sent in ["the first", message]:
        assert cortex.skills.send_message(activation, "channel-1", "acme/other", sent)["success"] is True
    # The last message is the response, before the job has ended and after that.
    assert requested("GET", f"activations/{activation}")["response"] == message


@covers("skills: send_message")
def test_a_message_for_no_activation_is_not_found(cortex, name):
    with pytest.raises(SendMessageException, match="Send message failed 404"):
        cortex.skills.send_message(name, "channel-1", "response", {})


@covers("skills: send_message")
def test_a_message_of_nobody_is_refused(platform, cortex, name):
    nobody = Cortex.client(
        api_endpoint=platform.url, project=PROJECT, token=platform.administrator.token(lifetime=-3600)
    )
    with pytest.raises(SendMessageException, match="Send message failed 302"):
        nobody.skills.send_message(name, "channel-1", "response", {})


@covers("types: get")
def test_a_type_is_read(platform, cortex, name):
    # The client cannot save a type; its connector can.
    connector = cortex.to_connector()
    body = {"camel": "1.0.0", "types": [type_(f"acme/{name}")]}
    saved = connector.request(
        "POST", f"projects/{PROJECT}/types", json.dumps(body), {"Content-Type": "application/json"}
    )
    assert saved.status_code == 200
    found = cortex.types.get_type(f"acme/{name}")
    assert found.name == f"acme/{name}"
    assert found.title == f"Title of acme/{name}"
    assert found.parameters == [{"name": "text", "type": "string", "required": True}]


@covers("types: get")
def test_an_absent_type_is_not_found(cortex, name):
    with pytest.raises(HTTPError) as refused:
        cortex.types.get_type(name)
    assert refused.value.response.status_code == 404
