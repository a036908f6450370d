"""What is made on the cluster, as plain objects. Pure."""

from __future__ import annotations

from target import LOCAL_REDIS_IMAGE

ONE_NAMESPACE = "faciliauto-bench-one"
FLEET_NAMESPACE = "faciliauto-bench-fleet"
ONE = "loja"
FLEET = 20
FAKE_NODES = 3
STORAGE_CLASS = "faciliauto-bench"
VOLUME_SIZE = "1Gi"
# Only pods that ask for it land on a fake node: a label to choose it, a taint to keep others out.
FAKE_LABEL = "faciliauto.com/bench"
# kwok takes care of nodes with this annotation and of no others.
FAKE_ANNOTATION = "kwok.x-k8s.io/node"
LABELS = {FAKE_LABEL: "true"}
BROKEN_GROUP, BROKEN_PLURAL = "gateway.networking.k8s.io", "httproutes"
WATCHED_VERSION, STORED_VERSION = "v1", "v1alpha1"
# By which the operator chooses what it watches.
MANAGED_LABELS = {**LABELS, "app.kubernetes.io/managed-by": "faciliauto-operator"}


def namespace(name: str) -> dict:
    """As users are told to have it: pods are restricted."""
    labels = {**LABELS, "pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def one() -> dict:
    """The minimal sample, with the Redis that the local node has."""
    return resource(ONE_NAMESPACE, ONE, {"redis": {"managed": {"image": LOCAL_REDIS_IMAGE}}})


def fleet() -> list[dict]:
    """Every default but for where pods and volumes are."""
    pod = {
        "nodeSelector": LABELS,
        "tolerations": [{"key": FAKE_LABEL, "operator": "Exists", "effect": "NoSchedule"}],
    }
    storage = {"size": VOLUME_SIZE, "storageClassName": STORAGE_CLASS}
    spec = {"api": {"pod": pod}, "redis": {"managed": {"pod": pod, "storage": storage}}}
    return [resource(FLEET_NAMESPACE, f"loja-{number:02}", spec) for number in range(1, FLEET + 1)]


def resource(within: str, name: str, spec: dict) -> dict:
    return {
        "apiVersion": "faciliauto.com/v1alpha1",
        "kind": "FaciliAutoDeployment",
        "metadata": {"name": name, "namespace": within},
        "spec": spec,
    }


def nodes() -> list[dict]:
    """kwok brings them to life."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"faciliauto-bench-{number}",
                "labels": {**LABELS, "kubernetes.io/hostname": f"faciliauto-bench-{number}"},
                "annotations": {FAKE_ANNOTATION: "fake"},
            },
            "spec": {"taints": [{"key": FAKE_LABEL, "value": "true", "effect": "NoSchedule"}]},
        }
        for number in range(1, FAKE_NODES + 1)
    ]


def volumes() -> list[dict]:
    """A class that makes none, and one for each Redis: nobody mounts them."""
    storage_class = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": STORAGE_CLASS, "labels": LABELS},
        "provisioner": "kubernetes.io/no-provisioner",
    }
    made = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"faciliauto-bench-{number:02}", "labels": LABELS},
            "spec": {
                "capacity": {"storage": VOLUME_SIZE},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": STORAGE_CLASS,
                "hostPath": {"path": "/nonexistent"},
            },
        }
        for number in range(1, FLEET + 1)
    ]
    return [storage_class, *made]


def broken_kind() -> dict:
    """HTTPRoutes that no server can list: what is stored would have to be converted by somebody who is not there.
    Nobody's children until a resource asks for a Gateway, and watched as soon as they exist."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [
        {"name": name, "served": True, "storage": name == STORED_VERSION, "schema": schema}
        for name in (WATCHED_VERSION, STORED_VERSION)
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{BROKEN_PLURAL}.{BROKEN_GROUP}",
            "labels": LABELS,
            "annotations": {"api-approved.kubernetes.io": "unapproved, made for a measurement"},
        },
        "spec": {
            "group": BROKEN_GROUP,
            "scope": "Namespaced",
            "names": {"kind": "HTTPRoute", "plural": BROKEN_PLURAL, "singular": "httproute"},
            "versions": versions,
            "conversion": {
                "strategy": "Webhook",
                "webhook": {
                    "clientConfig": {"url": "https://127.0.0.1:1/nobody"},
                    "conversionReviewVersions": ["v1"],
                },
            },
        },
    }


def stored_route() -> dict:
    """The one that cannot be converted."""
    return {
        "apiVersion": f"{BROKEN_GROUP}/{STORED_VERSION}",
        "kind": "HTTPRoute",
        "metadata": {"name": "old", "namespace": FLEET_NAMESPACE, "labels": MANAGED_LABELS},
    }


def listed(objects: list[dict]) -> dict:
    return {"apiVersion": "v1", "kind": "List", "items": objects}
