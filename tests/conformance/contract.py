"""The calls of the contracts, and the mark that says which of them a test stands for.

The names are the rows of the tables in the contracts: "content: upload, form" is the row "upload, form" of fabric-api
section 3, and "groups: list" the row "list groups" of cdf-iam section 2. `test_contract.py` fails when a row has no
test.
"""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Test = TypeVar("Test", bound=Callable)

# What the Python client 6.3.3 calls (fabric-api, the rows marked "py"; fabric-auth sections 5 and 7; fabric-invocation
# section 6).
CORTEX_PYTHON = {
    "platform: info",
    "authentication: personal access config",
    "authentication: token",
    "authentication: message",
    "authentication: refused token",
    "content: upload, form",
    "content: upload, stream",
    "content: upload, directory",
    "content: download",
    "content: exists",
    "content: delete",
    "content: list",
    "secrets: save",
    "secrets: get inside the cluster",
    "connections: save",
    "connections: get inside the cluster",
    "sessions: start",
    "sessions: get data",
    "sessions: put data",
    "sessions: delete",
    "skills: list",
    "skills: save",
    "skills: get",
    "skills: delete",
    "skills: deploy",
    "skills: undeploy",
    "skills: logs",
    "skills: invoke, sync",
    "skills: invoke, async",
    "skills: send_message",
    "types: get",
    "models: list",
    "models: save",
    "models: get",
    "models: delete",
    "experiments: list",
    "experiments: save",
    "experiments: get",
    "experiments: delete",
    "experiments: runs",
    "experiments: find runs",
    "experiments: create run",
    "experiments: get run",
    "experiments: update run",
    "experiments: delete run",
    "experiments: delete runs",
    "experiments: meta, param, metric",
    "experiments: save artifact",
    "experiments: get artifact",
    "experiments: last run",
    "experiments: set meta",
}

# What the command line 2.4.0 calls (fabric-api, the rows marked "cli"; fabric-auth section 4).
CORTEX_CLI = {
    "platform: info",
    "platform: version check",
    "authentication: refused token",
    "content: upload, stream",
    "content: upload, directory",
    "content: download",
    "content: delete",
    "content: list",
    "secrets: save",
    "secrets: list",
    "secrets: get",
    "secrets: delete",
    "connections: save",
    "connections: list",
    "connections: describe",
    "connections: delete",
    "connections: types",
    "sessions: save",
    "sessions: list",
    "sessions: describe",
    "sessions: delete",
    "skills: list",
    "skills: save",
    "skills: describe",
    "skills: delete",
    "skills: delete, refused",
    "skills: deploy",
    "skills: undeploy",
    "skills: logs",
    "skills: invoke, sync",
    "skills: invoke, async",
    "skills: activation",
    "skills: cancel",
    "types: get",
    "types: save",
    "types: list",
    "types: delete",
    "models: list",
    "models: save",
    "models: get",
    "models: delete",
    "models: publish",
    "models: runs",
    "experiments: list",
    "experiments: save",
    "experiments: get",
    "experiments: delete",
    "experiments: list runs",
    "experiments: create run",
    "experiments: get run",
    "experiments: delete run",
    "experiments: save artifact",
    "experiments: get artifact",
    "tasks: list",
    "tasks: get",
    "tasks: logs",
    "tasks: delete",
    "tasks: pause, resume",
    "actions: save",
}

# The command line's library has this call, and no command makes it.
CORTEX_CLI_LIBRARY = {"experiments: update run"}

# What the Cognite client 7.94.2 calls (cdf-iam sections 2 to 5).
COGNITE = {
    "token: inspect",
    "groups: list",
    "groups: list all",
    "groups: create",
    "groups: delete",
    "security categories: list",
    "security categories: create",
    "security categories: delete",
    "sessions: create with client credentials",
    "sessions: create with token exchange",
    "sessions: create with one-shot token exchange",
    "sessions: list",
    "sessions: retrieve",
    "sessions: revoke",
    "profiles: me",
    "profiles: list",
    "profiles: retrieve",
    "profiles: search",
    "profiles: enable or disable",
    "requests: paging",
    "requests: chunks",
    "requests: gzip",
    "requests: plain",
    "errors: unauthorized",
    "errors: not found",
    "errors: duplicated",
    "errors: other",
}

# The beginning of a module's name says which client it drives.
ROWS = {
    "test_cortex_python": CORTEX_PYTHON,
    "test_cortex_cli": CORTEX_CLI,
    "test_cli_requests": CORTEX_CLI | CORTEX_CLI_LIBRARY,
    "test_cognite": COGNITE,
}


def covers(*rows: str) -> Callable[[Test], Test]:
    """Says which rows of the contract a test stands for."""

    def mark(test: Test) -> Test:
        return test

    return mark


def covered(modules: str) -> set[str]:
    """The rows that tests stand for in the modules whose names begin like this.

    Read from the sources, so that it does not depend on which tests were chosen for this run.
    """
    rows = set()
    for module in sorted(Path(__file__).parent.glob(f"{modules}*.py")):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "covers":
                rows.update(row.value for row in node.args if isinstance(row, ast.Constant))
    return rows
