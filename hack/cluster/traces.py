"""Folders with fixed places that the cluster's programs make outside the state folder.

Which of them were there before is noted at the first `up`; `down` removes those that were not.
"""

from __future__ import annotations

import json
from pathlib import Path

from settings import STATE

NOTE = STATE / "folders-before.json"
# The CNI library's cache, the kubelet's device plugin and checkpoint folders, and its links to logs.
FOLDERS = ["/var/lib/cni", "/var/lib/kubelet", "/var/log/containers", "/etc/cni", "/opt/cni", "/run/containerd"]


def note() -> None:
    """Once, before anything starts."""
    if not NOTE.exists():
        NOTE.write_text(json.dumps([folder for folder in FOLDERS if Path(folder).exists()]))


def made_since() -> list[Path]:
    """Folders of the list that were not there before; none when no note was written."""
    if not NOTE.exists():
        return []
    before = json.loads(NOTE.read_text())
    return [Path(folder) for folder in FOLDERS if folder not in before and Path(folder).exists()]
