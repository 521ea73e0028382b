"""Definitions of resources as authors write them (fabric-invocation sections 9 and 10, fabric-api sections 5 and 9)."""


def skill(name: str, action: str = "work") -> dict:
    """A skill with one input, one output and one action."""
    return {
        "camel": "1.0.0",
        "name": name,
        "title": f"Title of {name}",
        "description": "Made by a test",
        "inputs": [
            {
                "name": "request",
                "title": "Order",
                "parameters": [{"name": "order", "type": "integer", "required": True}],
                "routing": {"all": {"action": action, "runtime": "cortex/jobs", "output": "response"}},
            }
        ],
        "outputs": [{"name": "response", "title": "Findings", "parameters": [{"name": "found", "type": "array"}]}],
        "properties": [{"name": "limit", "title": "Limit", "type": "Number", "required": False, "defaultValue": 3}],
        "actions": [{"name": action, "type": "job", "image": "acme/work:1.2.0", "command": []}],
    }


def type_(name: str) -> dict:
    """A type with one parameter."""
    return {
        "camel": "1.0.0",
        "name": name,
        "title": f"Title of {name}",
        "description": "Made by a test",
        "parameters": [{"name": "text", "type": "string", "required": True}],
    }


def model(name: str) -> dict:
    """A model with a tag."""
    return {
        "camel": "1.0.0",
        "name": name,
        "title": f"Title of {name}",
        "description": "Made by a test",
        "type": "classifier",
        "source": "conformance",
        "status": "experimental",
        "tags": [{"label": "team", "value": "orders"}],
    }


def connection(name: str) -> dict:
    """A connection whose password is a secret."""
    return {
        "name": name,
        "title": f"Title of {name}",
        "description": "Made by a test",
        "connectionType": "mongo",
        "contentType": "",
        "allowRead": True,
        "allowWrite": False,
        "params": [{"name": "username", "value": "ann"}, {"name": "password", "value": f"#SECURE.{name}-password"}],
    }
