"""Runs the real `cortex` command line, with a configuration and a home of its own."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from platform_process import PROJECT, Platform

SECONDS = 60

# The defaults are 75 ms to 2 s, which a busy machine does not always keep.
TIMEOUTS = {f"CORTEX_TIMEOUT_{step}": "20000" for step in ("LOOKUP", "CONNECT", "SECURE_CONNECT", "SOCKET", "RESPONSE")}

# It asks a package registry whether it is the newest. Nothing listens here, so that it is told at once that this cannot
# be known.
NO_REGISTRY = {"HTTPS_PROXY": "http://127.0.0.1:1"}
UNKNOWN_NEWEST = "Warning unable to check for cortex-cli update: Unable to determine CLI available versions\n"


def program() -> str | None:
    """The command line, or None where there is none (see `run`)."""
    return os.environ.get("CORTEX_CLI") or None


@dataclass
class Ran:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    def json(self):
        """Standard output as JSON."""
        return json.loads(self.stdout)


class CortexCli:
    """The command line, configured for one principal of one platform."""

    def __init__(self, platform: Platform, folder: Path, pat_file: Path | None = None):
        self.folder = folder
        self.config = folder / "config"
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "CORTEX_CONFIG_DIR": str(self.config),
            "NO_COLOR": "1",
            **TIMEOUTS,
            **NO_REGISTRY,
        }
        self.configured = self("configure", "--file", pat_file or platform.pat_file, "--project", PROJECT)

    def __call__(self, *arguments: object, code: int = 0, environment: dict[str, str] | None = None) -> Ran:
        """Runs a command, which must exit with this code."""
        ran = self.binary(*arguments, environment=environment)
        text = Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode().replace(UNKNOWN_NEWEST, ""))
        assert text.code == code, f"cortex {arguments} exited with {text.code}\n{text.stdout}\n{text.stderr}"
        return text

    def binary(self, *arguments: object, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        """Runs a command whose output is not text."""
        command = [program(), *map(str, arguments)]
        return subprocess.run(
            command,
            env=self._environment | (environment or {}),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
        )

    def file(self, name: str, content: object) -> Path:
        """A file to hand to a command: text as it is, anything else as JSON."""
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path
