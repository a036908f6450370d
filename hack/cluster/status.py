"""`status`: each component, whether it runs, since when, and where its log is."""

from __future__ import annotations

import datetime

import components
import given
import processes
from settings import ADMIN_KUBECONFIG, KUBERNETES_VERSION, LOGS, STATE
from up import dns_answers, metrics_answer, node_is_ready


def print_status() -> None:
    """A table for people; reads only."""
    if given.kubeconfig():
        given.check_answers()
        return
    if not STATE.exists():
        print("the cluster is down")
        return
    print(f"{'COMPONENT':<26}{'STATE':<10}{'PID':<9}{'SINCE':<21}LOG")
    for component in components.in_order():
        record = processes.running(component.name)
        since = datetime.datetime.fromtimestamp(record.since).isoformat(" ", "seconds") if record else "-"
        state = "running" if record else "stopped"
        print(f"{component.name:<26}{state:<10}{record.pid if record else '-':<9}{since:<21}{LOGS}/{component.name}.log")
    checks = {"node ready": node_is_ready(), "DNS answers": dns_answers(), "metrics answer": metrics_answer()}
    print(f"\nKubernetes {KUBERNETES_VERSION}, kubeconfig {ADMIN_KUBECONFIG}")
    print(" · ".join(f"{name}: {'yes' if held else 'no'}" for name, held in checks.items()))
