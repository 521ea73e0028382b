"""A real `skill-runtime platform` as a process of its own, and the tokens of its principals."""

import json
import os
import selectors
import signal
import subprocess
import time
from pathlib import Path

import jwcrypto.jwk
import jwcrypto.jwt

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "local"

# To build an example that is served takes a while on a machine that has not built it before.
READY_SECONDS = 300
STOP_SECONDS = 30


def program() -> str:
    """The program under test."""
    return os.environ.get("SKILL_RUNTIME") or str(ROOT / "target" / "debug" / "skill-runtime")


# The environment of the program: this process's as it was at first, without what would say which platform to use and as
# whom.
SURROUNDINGS = {name: value for name, value in os.environ.items() if not name.startswith(("CORTEX_", "SKILL_"))}


class Principal:
    """Somebody who uses the platform, by a personal access config."""

    def __init__(self, pat: dict):
        self.pat = pat
        self.name = pat["username"]

    def token(self, *, lifetime: int = 120, key: jwcrypto.jwk.JWK | None = None, **claims) -> str:
        """A token that lives for so many seconds; claims replace those that it would have, and None takes one away."""
        key = key or jwcrypto.jwk.JWK(**self.pat["jwk"])
        now = int(time.time())
        usual = {
            "iss": self.pat["issuer"],
            "aud": self.pat["audience"],
            "sub": self.name,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
        }
        kept = {name: value for name, value in (usual | claims).items() if value is not None}
        token = jwcrypto.jwt.JWT(header={"alg": "EdDSA", "typ": "JWT", "kid": key.thumbprint()}, claims=kept)
        token.make_signed_token(key)
        return token.serialize()


class Platform:
    """A platform that runs, and is stopped when it is no longer used."""

    def __init__(self, folder: Path, *options: str):
        self.folder, self.data = folder, folder / "data"
        self._log = (folder / "log").open("w+")
        command = [program(), "platform", "--port", "0", *options]
        if "--memory" not in options:
            command += ["--data", str(self.data)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=SURROUNDINGS, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        try:
            ready = json.loads(self._ready_line())
        except BaseException:
            self.stop()
            raise
        self.url: str = ready["url"]
        self.pat_file = Path(ready["pat"])
        self.administrator = Principal(json.loads(self.pat_file.read_text()))

    def _ready_line(self) -> str:
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            line = self._process.stdout.readline() if selector.select(READY_SECONDS) else ""
        if not line.strip():
            raise RuntimeError(f"the platform did not start: {self.log()}")
        return line

    def log(self) -> str:
        """What the program wrote to standard error."""
        self._log.flush()
        return Path(self._log.name).read_text()

    def principal(self, name: str, *groups: str) -> Principal:
        """Makes another principal, with the groups that its identity provider would name."""
        pat = self.folder / f"{name}.pat.json"
        command = [program(), "platform", "principal", "add", name, "--pat", str(pat), "--data", str(self.data)]
        for group in groups:
            command += ["--group", group]
        added = subprocess.run(command, env=SURROUNDINGS, capture_output=True, text=True, timeout=60)
        assert added.returncode == 0, added.stderr
        return Principal(json.loads(pat.read_text()))

    def stop(self) -> None:
        """Ends the process, and waits for its end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process.stdout.close()
        self._log.close()
