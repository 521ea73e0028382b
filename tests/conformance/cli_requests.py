"""Makes the requests of the `cortex` command line 2.4.0, as it makes them, and reads of the answers what it reads.

The command line itself is not always to be had. With these requests its side of the contract is tested without it:
paths as it encodes them, its query, its framing of bodies, its signs of failure.
"""

import json
import time
from urllib.parse import quote

import jwcrypto.jwk
import jwcrypto.jwt
import requests

from platform_process import PROJECT, Platform

USER_AGENT = "cortex-cli/2.4.0 (linux; x64; 6.1.0; linux)"
SECONDS = 30
BLOCK = 64 * 1024


def encoded(name: str) -> str:
    """A name as JavaScript's `encodeURIComponent` writes it: nothing in it divides the path."""
    return quote(name, safe="-_.!~*'()")


def as_given(name: str) -> str:
    """A name that is put into a URL as it is: only what a URL cannot hold is encoded."""
    return quote(name, safe="/-_.!~*'()@:+$,;=&%")


class Failed(Exception):
    """The command line would have ended with a failure."""

    def __init__(self, status: int, message: str, details=None):
        super().__init__(f"{status} {message}")
        self.status, self.message, self.details = status, message, details


class CliRequests:
    """What the command line asks of one platform, for one of its principals."""

    def __init__(self, platform: Platform, token: str | None = None):
        self._session = requests.Session()
        self._session.headers.update({"user-agent": USER_AGENT, "accept-encoding": "gzip, deflate, br"})
        self.url = platform.url
        self._principal = platform.administrator
        self._token = token

    def token(self) -> str:
        """A token with what the command line puts into it, by the clock of the platform."""
        if self._token is not None:
            return self._token
        pat = self._principal.pat
        key, now = jwcrypto.jwk.JWK(**pat["jwk"]), self.info()["serverTs"] // 1000
        claims = {"sub": pat["username"], "aud": pat["audience"], "iss": pat["issuer"], "iat": now, "exp": now + 120}
        header = {"alg": "EdDSA"} | ({"kid": pat["jwk"]["kid"]} if "kid" in pat["jwk"] else {})
        token = jwcrypto.jwt.JWT(header=header, claims=claims)
        token.make_signed_token(key)
        return token.serialize()

    def info(self) -> dict:
        """What the platform says of itself, to anybody."""
        return self._read(self._session.get(f"{self.url}/fabric/v4/info", timeout=SECONDS))

    def send(self, method: str, path: str, *, query: dict | None = None, **options) -> requests.Response:
        """Sends a request, and gives the answer whatever it is. The path is below `/fabric/v4/`."""
        headers = {"Authorization": f"Bearer {self.token()}"} | options.pop("headers", {})
        return self._session.request(
            method,
            f"{self.url}/fabric/v4/{path}",
            params={name: text(value) for name, value in (query or {}).items()},
            headers=headers,
            allow_redirects=False,
            timeout=SECONDS,
            **options,
        )

    def __call__(self, method: str, path: str, *, query: dict | None = None, body=None):
        """A call below the project, and its answer, which is JSON. Raises `Failed` where the command line fails."""
        options = {"headers": {"accept": "application/json"}}
        if body is not None:
            options["data"] = json.dumps(body)
            options["headers"]["content-type"] = "application/json"
        answer = self._read(self.send(method, f"projects/{PROJECT}/{path}", query=query, **options))
        if isinstance(answer, dict):
            # Of some answers the command line reads this; all have it (fabric-api section 13).
            assert answer["success"] is True, answer
        return answer

    def listed(self, path: str, field: str, **query) -> list[dict]:
        """A list, with the query that the command line sends when nothing else is asked for."""
        usual = {"limit": 20, "sort": {"updatedAt": -1}, "skip": 0}
        return self("GET", path, query=usual | query)[field]

    def text(self, path: str, **query) -> str:
        """A call whose answer is shown as it is."""
        answer = self.send("GET", f"projects/{PROJECT}/{path}", query=query)
        assert answer.status_code == 200, answer.text
        return answer.text

    def upload(self, method: str, path: str, content: bytes, content_type: str = "application/octet-stream"):
        """A stream of unknown length, whose answer is only looked at for its status."""
        blocks = (content[start : start + BLOCK] for start in range(0, len(content), BLOCK))
        answer = self.send(method, f"projects/{PROJECT}/{path}", data=blocks, headers={"Content-Type": content_type})
        assert answer.request.headers["Transfer-Encoding"] == "chunked"
        self._read(answer)
        return answer

    def download(self, path: str) -> bytes:
        """The bytes of an answer."""
        answer = self.send("GET", f"projects/{PROJECT}/{path}")
        if answer.status_code != 200:
            self._read(answer)
        return answer.content

    @staticmethod
    def _read(answer: requests.Response):
        if "x-auth-error" in answer.headers:
            raise Failed(401, f"Auth Error: {answer.headers['x-auth-error']}")
        body = answer.json()
        if not 200 <= answer.status_code < 300:
            assert body["success"] is False
            details = body.get("details")
            assert details is None or readable(details), details
            raise Failed(answer.status_code, body["message"], details)
        return body


def readable(details) -> bool:
    """Whether the command line can show these details: by path, or the things that depend on what was to be deleted."""
    if isinstance(details, dict):
        return all(isinstance(found, dict) and found.get("message") for found in details.values())
    return all({"path", "message"} <= set(found) or {"name", "type"} <= set(found) for found in details)


def text(value) -> str:
    """A value of a query as the command line writes it."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def wait_for(condition, seconds: float = 60):
    """Asks until there is an answer, which it gives."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)
    return found
