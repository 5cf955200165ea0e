"""Headless Firefox by WebDriver BiDi, which it speaks itself: no geckodriver is needed.

https://w3c.github.io/webdriver-bidi/
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from conftest import wait_until

START_SECONDS, ANSWER_SECONDS = 60.0, 60.0
REMOTE_VALUES = {"null": None, "undefined": None}


class Firefox:
    """A browser with one page.

    Raises:
        AssertionError: it does not start.
        RuntimeError: it answers with an error.
    """

    def __init__(self, program: str, profile: Path) -> None:
        import websocket

        command = [program, "--headless", "--no-remote", "--profile", str(profile)]
        self._log = profile / "stderr.txt"  # a pipe that nobody reads would fill, and stop it
        with self._log.open("w") as log:
            self._process = subprocess.Popen([*command, "--remote-debugging-port", "0"], stderr=log)
        self._socket = websocket.create_connection(
            f"{self._address()}/session", timeout=ANSWER_SECONDS, suppress_origin=True
        )
        self._number = 0
        self.console: list[str] = []
        self.asked: list[str] = []
        self.ask("session.new", capabilities={})
        (context,) = self.ask("browsingContext.getTree")["contexts"]
        self._context = context["context"]
        events = ["log.entryAdded", "network.beforeRequestSent"]
        self.ask("session.subscribe", events=events)

    def _address(self) -> str:
        written = re.compile(r"(ws://\S+)\n")
        return wait_until(lambda: written.search(self._log.read_text()), START_SECONDS)[1]

    def ask(self, method: str, **parameters: Any) -> dict:
        """What a command answers; what happens meanwhile is noted."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("type") == "event":
                self._note(message)
            elif message.get("id") == self._number:
                if message["type"] == "error":
                    raise RuntimeError(f"{method}: {message['message']}")
                return message["result"]

    def _note(self, event: dict) -> None:
        if event["method"] == "log.entryAdded":
            self.console.append(event["params"]["text"])
        else:
            self.asked.append(event["params"]["request"]["url"])

    def open(self, url: str) -> None:
        self.ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def run(self, expression: str) -> Any:
        """The value of an expression, which may be a promise; made of text, numbers and lists."""
        answer = self.ask(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then(JSON.stringify)",
            target={"context": self._context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        value = answer["result"].get("value")
        return None if value is None else json.loads(value)

    def wait_for(self, expression: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not self.run(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise RuntimeError(f"never: {expression}")
            time.sleep(0.1)

    def _element(self, selector: str) -> dict:
        found = self.ask(
            "browsingContext.locateNodes",
            context=self._context,
            locator={"type": "css", "value": selector},
            maxNodeCount=1,
        )
        return {"sharedId": found["nodes"][0]["sharedId"]}

    def choose_files(self, selector: str, files: list[Path]) -> None:
        self.ask(
            "input.setFiles",
            context=self._context,
            element=self._element(selector),
            files=[str(file) for file in files],
        )

    def click(self, selector: str) -> None:
        origin = {"type": "element", "element": self._element(selector)}
        self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView()")
        pointer = {
            "type": "pointer",
            "id": "mouse",
            "actions": [
                {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
                {"type": "pointerDown", "button": 0},
                {"type": "pointerUp", "button": 0},
            ],
        }
        self.ask("input.performActions", context=self._context, actions=[pointer])

    def press(self, *keys: str) -> None:
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self.ask("input.performActions", context=self._context, actions=[keyboard])

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()
