"""Content credentials (C2PA) that a video carries: who says to have made or changed it.

They are told beside a verdict and have no part in it. `c2pa-python` is optional.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

MAX_ACTIONS = 12  # that are told


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
    except (c2pa.C2paError, ValueError, OSError):
        return None  # no manifest, or a kind of file that can have none
    return _summary(content)


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
        state=str(content.get("validation_state", "not checked")),
        issuer=str(signature.get("issuer", "")),
        generator=generator or str(manifest.get("claim_generator", "")),
        title=str(manifest.get("title", "")),
        actions=actions[:MAX_ACTIONS],
    )
