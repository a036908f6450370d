//! What conditions and their reasons mean, for people. A test holds it against the code that draws them.

/// A condition.
#[derive(Clone, Copy, Debug)]
pub struct ConditionMeaning {
    /// Its type.
    pub kind: &'static str,
    /// What it says when it is true.
    pub meaning: &'static str,
    /// Its reasons: the word, and what it says.
    pub reasons: &'static [(&'static str, &'static str)],
}

/// All of them, in the order in which they are drawn.
pub const CONDITIONS: &[ConditionMeaning] = &[
    ConditionMeaning {
        kind: "Ready",
        meaning: "The system serves: Available, RedisReady and, where it is declared, Exposed. What is False among them gives its reason, that of Redis after the word `Redis`.",
        reasons: &[
            ("Ready", "The API and its Redis are up."),
            (
                "NotObserved",
                "Unknown: the operator has not looked yet; is it running?",
            ),
        ],
    },
    ConditionMeaning {
        kind: "Available",
        meaning: "As many API pods are ready as `autoscaling.minReplicas`, or `replicas`, says.",
        reasons: &[
            ("MinimumReplicasReady", "Enough pods are ready."),
            ("DeploymentMissing", "The Deployment does not exist yet."),
            ("WaitingForPods", "Pods are starting."),
            ("ImagePullBackOff", "The node cannot get the image."),
            (
                "CrashLoopBackOff",
                "A container keeps ending; the message says how.",
            ),
            (
                "CreateContainerConfigError",
                "A container cannot start: something that it mounts is missing.",
            ),
            ("CreateContainerError", "A container cannot be made."),
            ("RunContainerError", "A container cannot be started."),
            ("Unschedulable", "No node takes the pod."),
            (
                "VolumeUnbound",
                "The pod waits for a volume that no StorageClass makes.",
            ),
            ("QuotaExceeded", "A ResourceQuota leaves no room for pods."),
            ("PodsRefused", "A policy of the cluster refuses pods."),
        ],
    },
    ConditionMeaning {
        kind: "RedisReady",
        meaning: "Redis answers.",
        reasons: &[
            ("Ready", "It does."),
            ("StatefulSetMissing", "The StatefulSet does not exist yet."),
            (
                "WaitingForPod",
                "Redis is starting. Reasons of pods, as for Available, appear here, too.",
            ),
            (
                "NotProbed",
                "Unknown, and no hindrance: an external Redis is not asked.",
            ),
            (
                "StoreEmpty",
                "It runs, and holds no stock any more although one was imported.",
            ),
            (
                "StoreUnusable",
                "What it holds cannot be used by this version of the API.",
            ),
            ("Unreachable", "It is ready, and the API does not reach it."),
            (
                "RedisImageIncompatible",
                "A new image did not become ready, so the old one goes back.",
            ),
            (
                "UrlSecretMissing",
                "The Secret with the URL of the external Redis, or its key, is missing.",
            ),
        ],
    },
    ConditionMeaning {
        kind: "Exposed",
        meaning: "The API is reached as `exposure` declares; absent when that declares nothing.",
        reasons: &[
            ("IngressApplied", "The Ingress is there, and so is its class."),
            ("IngressMissing", "The Ingress does not exist yet."),
            (
                "IngressClassMissing",
                "Nobody serves the Ingress: its class, or a default class, is missing.",
            ),
            ("HttpRouteAccepted", "Every Gateway has accepted the HTTPRoute."),
            ("HttpRouteMissing", "The HTTPRoute does not exist yet."),
            (
                "WaitingForGateway",
                "A Gateway has not answered. One that refuses gives its own reason.",
            ),
            ("GatewayApiMissing", "The cluster has no HTTPRoute."),
            (
                "NotPermitted",
                "Unknown: the operator may not look, as where it watches named namespaces only.",
            ),
            ("NoAnswer", "Unknown: the API server does not answer."),
        ],
    },
    ConditionMeaning {
        kind: "AutoscalingActive",
        meaning: "The autoscaler measures use and sets the number of API pods.",
        reasons: &[
            ("Active", "It does."),
            (
                "AtMaximum",
                "It asks for more pods than `autoscaling.maxReplicas`.",
            ),
            ("Disabled", "Autoscaling is off."),
            (
                "NotMeasuredYet",
                "Unknown: the autoscaler has not measured yet; what is wrong is told after 90 s.",
            ),
            (
                "Inactive",
                "It cannot measure; usually it gives a reason of its own.",
            ),
        ],
    },
    ConditionMeaning {
        kind: "MonitoringReady",
        meaning: "Prometheus has what `monitoring` declares; absent when that declares nothing for it.",
        reasons: &[
            ("Applied", "It has."),
            (
                "NotInstalled",
                "The Prometheus Operator is not installed; what is on Auto follows when it is.",
            ),
            (
                "MonitoringApiMissing",
                "It is not installed, and the mode is Always.",
            ),
            ("NotPermitted", "Unknown: the operator may not look."),
            ("NoAnswer", "Unknown: the API server does not answer."),
        ],
    },
    ConditionMeaning {
        kind: "StockSeeded",
        meaning: "The first stock was imported; absent when none is to be.",
        reasons: &[
            ("Imported", "It was, or Redis held one already."),
            ("WaitingForRedis", "It begins when Redis is ready."),
            ("Importing", "It is under way."),
            (
                "ImportFailed",
                "It failed; the message says why, and it is tried again.",
            ),
            ("SeedConfigMapMissing", "The ConfigMap with the stock is missing."),
            (
                "WaitingForRestore",
                "None is imported, for `restore.id` names a restore that is to bring one.",
            ),
        ],
    },
    ConditionMeaning {
        kind: "BackupReady",
        meaning: "There is a backup that was proven by restoring it aside, and the next is not overdue. It never gates Ready. Reasons of pods, as for Available, appear here, too.",
        reasons: &[
            ("Succeeded", "There is."),
            ("Unproven", "There is one, and no proof is declared."),
            ("NeverRan", "Unknown: the first is not due yet."),
            ("Disabled", "Backups are off."),
            ("Suspended", "None is made by the schedule, as declared."),
            ("Missed", "None was made although one was due."),
            ("NotVerified", "The last one was not restored aside."),
            (
                "ReferenceMissing",
                "A Secret or ConfigMap that `backup` names is missing, or lacks a key.",
            ),
            (
                "BackupFailed",
                "The last one failed; the message says why. What is known better has one of the next.",
            ),
            (
                "TargetLocked",
                "Somebody else writes to the same place, and did so for long.",
            ),
            ("TargetFull", "The volume or the storage is full."),
            (
                "TargetUnreachable",
                "The volume or the storage does not answer, or refuses the keys.",
            ),
            (
                "StoreEmpty",
                "There is nothing to back up: no stock was ever imported, or Redis lost it.",
            ),
            ("StoreUnreachable", "Redis does not answer."),
            (
                "StoreFull",
                "Redis has no room for a restore beside what it holds.",
            ),
            (
                "BackupNotFound",
                "There is no backup of that name, or none at all.",
            ),
            ("BackupDamaged", "The backup is not what its manifest says."),
            ("BackupForeign", "It is none, or another program's."),
            ("BackupTooNew", "A newer version of the program made it."),
            (
                "WrongKey",
                "It is encrypted, and the key that is there does not read it.",
            ),
            ("SettingsRefused", "The program refuses its settings."),
            ("RestoreUnderWay", "A restore runs."),
            ("TookTooLong", "It was not done within its deadline."),
            (
                "ReportUnreadable",
                "A Job ended well, and what it says of its backup cannot be read, so none is counted.",
            ),
        ],
    },
    ConditionMeaning {
        kind: "Restoring",
        meaning: "A restore is declared and has not ended. Absent otherwise.",
        reasons: &[
            ("Pending", "It waits; the message says for what."),
            ("Verifying", "The backup is read and checked."),
            (
                "Snapshotting",
                "What is there is backed up; writes are refused from now on.",
            ),
            (
                "Loading",
                "The backup is written beside what is there, and takes its place at the end.",
            ),
        ],
    },
    ConditionMeaning {
        kind: "Restored",
        meaning: "What came of the last restore. Absent while there was none.",
        reasons: &[
            ("RestoreSucceeded", "The backup is what is there."),
            ("RestoreReverted", "What was there before is there again."),
            (
                "RestoreFailed",
                "Nothing was replaced; the message says why. What is known better has one of the reasons of BackupReady.",
            ),
        ],
    },
    ConditionMeaning {
        kind: "Paused",
        meaning: "Nothing is written, because `spec.paused` is true; the message names what is left undone. Absent otherwise.",
        reasons: &[("Paused", "As declared.")],
    },
    ConditionMeaning {
        kind: "NameConflict",
        meaning: "Objects that are not this resource's stand where its own should; they are left alone. Absent otherwise.",
        reasons: &[("NotOurs", "The message names them.")],
    },
    ConditionMeaning {
        kind: "Reconciling",
        meaning: "Something is under way, as kstatus understands it. Absent otherwise.",
        reasons: &[
            ("Progressing", "It is not Ready yet."),
            ("RollingOut", "Pods of an older revision still serve."),
            (
                "WaitingForReference",
                "Something that the resource names does not exist; the message says what.",
            ),
            (
                "WaitingForDeletion",
                "Objects of a deleted namesake are still going away.",
            ),
            (
                "ChangingPassword",
                "The Redis password changes; the message says how far it is.",
            ),
            (
                "PasswordChangeFailed",
                "Redis could not be told of the new password yet; it is tried again.",
            ),
            ("Restoring", "A restore is under way; see that condition."),
            (
                "WaitingForBackup",
                "Another image of Redis goes in after a backup; the message says how far that is.",
            ),
            ("Retrying", "Something failed that may pass."),
        ],
    },
    ConditionMeaning {
        kind: "UpgradeHeld",
        meaning: "A new operator would replace the pods, and does not. Absent otherwise.",
        reasons: &[(
            "OtherFailed",
            "What it builds failed for another resource, which the message names.",
        )],
    },
    ConditionMeaning {
        kind: "Stalled",
        meaning: "Only a person can make what is declared become what serves, as kstatus understands it. Absent otherwise; never beside Reconciling.",
        reasons: &[
            (
                "Invalid",
                "The resource cannot be built from; the message says what to change.",
            ),
            ("Rejected", "The API server refuses an object that it asks for."),
            ("NameConflict", "See that condition."),
            (
                "VolumeCannotGrow",
                "The StorageClass does not let Redis's volume grow.",
            ),
            ("Paused", "What is declared waits for `spec.paused` to be false."),
            (
                "RolledBack",
                "Pods of the new revision did not become ready, and the last one that worked serves again. Another revision is tried at once; the same one with another value of the annotation `faciliauto.com/retry`.",
            ),
            (
                "RolloutFailed",
                "Pods of the new revision do not become ready, and nothing is put back: `rollout.onFailure` is Manual, or there is nothing to go back to.",
            ),
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Words of Kubernetes that are read, not written, and statuses.
    const NOT_OURS: &[&str] = &[
        "Accepted",
        "ContainerCreating",
        "ErrImageNeverPull",
        "ErrImagePull",
        "Error",
        "Failed",
        "False",
        "InvalidImageName",
        "PodScheduled",
        "ProgressDeadlineExceeded",
        "Redis",
        "ReplicaFailure",
        "ResolvedRefs",
        "Reverted",
        "ScalingActive",
        "ScalingLimited",
        "TooManyReplicas",
        "True",
        "Unknown",
    ];

    /// Every literal that is one CamelCase word, up to where the tests of a file begin.
    fn words(source: &'static str) -> BTreeSet<&'static str> {
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let is_word = |word: &&str| {
            word.len() > 3
                && word.starts_with(|c: char| c.is_ascii_uppercase())
                && word.chars().all(|c| c.is_ascii_alphabetic())
        };
        code.split('"').skip(1).step_by(2).filter(is_word).collect()
    }

    /// Prevents: a reason in somebody's status that no page explains, and one on the page that never comes.
    #[test]
    fn every_condition_and_reason_is_explained() {
        let drawn: BTreeSet<&str> = [
            include_str!("../conditions.rs"),
            include_str!("autoscaling.rs"),
            include_str!("backup.rs"),
            include_str!("outside.rs"),
            include_str!("rollout.rs"),
            include_str!("stock.rs"),
            include_str!("../exposure.rs"),
            include_str!("../refusals.rs"),
            include_str!("../trouble.rs"),
            include_str!("../../capabilities.rs"),
            include_str!("../../../api/src/crd.rs"),
            include_str!("../../../api/src/status.rs"),
        ]
        .into_iter()
        .flat_map(words)
        .filter(|word| !NOT_OURS.contains(word))
        .collect();
        let explained: BTreeSet<&str> = CONDITIONS
            .iter()
            .flat_map(|condition| {
                let reasons = condition.reasons.iter().map(|(reason, _)| *reason);
                reasons.chain([condition.kind])
            })
            .collect();
        assert_eq!(
            drawn.difference(&explained).collect::<Vec<_>>(),
            Vec::<&&str>::new(),
            "not explained"
        );
        assert_eq!(
            explained.difference(&drawn).collect::<Vec<_>>(),
            Vec::<&&str>::new(),
            "never drawn"
        );
    }
}
