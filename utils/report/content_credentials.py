"""Reads the content credentials (C2PA) of a video: who claims to have made or changed it.

They are shown beside a verdict and do not influence it. `c2pa-python` is optional.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from ..console import printable
from ..limits import MAX_CREDENTIAL_TEXT

MAX_ACTIONS = 12  # that are listed
UNTRUSTED = "signingCredential.untrusted"


@dataclass(frozen=True)
class Credentials:
    """What the newest manifest in a file claims.

    Attributes:
        state: of the signature, as `Valid`, `Trusted` or `Invalid`.
        issuer: of the signing certificate; generator: the program that wrote the claim.
        actions: what is said to have been done, as `c2pa.created`, with the kind of source.
    """

    state: str
    issuer: str = ""
    generator: str = ""
    title: str = ""
    actions: list[str] = field(default_factory=list)


def can_read_credentials() -> bool:
    """Whether the optional package is installed."""
    import importlib.util

    return importlib.util.find_spec("c2pa") is not None


def read_credentials(video: Path) -> Credentials | None:
    """The credentials of a file; None where it has none, or the package is not installed."""
    if not can_read_credentials():
        return None
    import c2pa

    offline = c2pa.Context(c2pa.Settings.from_dict({"verify": {"remote_manifest_fetch": False}}))
    try:
        with c2pa.Reader(str(video), context=offline) as reader:
            content = json.loads(reader.json())
    except (c2pa.C2paError, ValueError, OSError, RecursionError):
        return None  # no manifest, or a kind of file that can have none
    try:
        return _summary(content)
    except (AttributeError, TypeError, KeyError, IndexError):
        return Credentials("in a form that cannot be read")


def _summary(content: dict) -> Credentials | None:
    manifest = content.get("manifests", {}).get(content.get("active_manifest", ""))
    if not isinstance(manifest, dict):
        return None
    signature = manifest.get("signature_info") or {}
    programs = manifest.get("claim_generator_info") or [{}]
    generator = " ".join(str(programs[0].get(key, "")) for key in ("name", "version")).strip()
    actions = []
    for assertion in manifest.get("assertions") or []:
        if str(assertion.get("label", "")).startswith("c2pa.actions"):
            for action in (assertion.get("data") or {}).get("actions") or []:
                source = str(action.get("digitalSourceType", "")).rpartition("/")[2]
                actions.append(f"{action.get('action', '')} {source}".strip())
    return Credentials(
        state=_text(content.get("validation_state", "not checked")) + _trust(content),
        issuer=_text(signature.get("issuer", "")),
        generator=_text(generator or manifest.get("claim_generator", "")),
        title=_text(manifest.get("title", "")),
        actions=[_text(action) for action in actions[:MAX_ACTIONS]],
    )


def _text(value: object) -> str:
    """Untrusted text as one short line."""
    return printable(str(value)[: 4 * MAX_CREDENTIAL_TEXT])[:MAX_CREDENTIAL_TEXT]


def _trust(content: dict) -> str:
    """Anyone can sign with an authority of their own; the library reports that as a status code."""
    if UNTRUSTED not in json.dumps(content):
        return ""
    return ", by an authority that is on no list of trusted ones: the name below proves nothing"
