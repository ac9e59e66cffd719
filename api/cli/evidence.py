"""Checking a signed export; needs no installation, so whoever received the file can do it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command("verify-evidence")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", metavar="BASE64", help="The provider's public key, as `catraca evidence keys` shows it.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def verify_evidence(file: Path, key: str | None, as_json: bool) -> int:
    """Check hash and signature of an export of connection records.

    Without --key this shows that the file is whole, and which key signed it, not that the key is the provider's.
    """
    from provisioning.evidence.file import check_file
    from radius.history_signing import verifies

    verdict = check_file(file, verifies)
    sound, finding = verdict.sound, verdict.finding
    if sound and key is not None and key != verdict.public_key:
        sound, finding = False, "the file is whole, but another key than the one given signed it"
    shown: dict[str, Any] = {"sound": sound, "finding": finding, "public_key": verdict.public_key}
    shown |= {name: verdict.manifest.get(name) for name in ("made_by", "made_at", "records", "sha256", "asked")}
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False))
    else:
        for name, value in shown.items():
            click.echo(f"{name:<11} {value if not isinstance(value, dict) else json.dumps(value, ensure_ascii=False)}")
    return 0 if sound else 1
