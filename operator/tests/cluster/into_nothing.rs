//! A namespace is gone with all that was in it, but for its backups; a new one has everything again.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use k8s_openapi::{
    ByteString,
    api::core::v1::{PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimSpec, Secret},
};
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    archive::Archive,
    backup::{FOLLOWED, RESTORED, backup_now, undated},
    harness::{NAME, Sandbox, eventually, in_sandbox, with_operator},
    shell::{self, Errand, VOLUME},
    storage_server::{self, StorageServer},
};

/// A volume that nobody claims any more is said to be so.
const RELEASED: Duration = Duration::from_secs(60);

/// A claim that names its volume has it.
const BOUND: Duration = Duration::from_secs(60);

/// The claim by which the new namespace has the old one's volume.
const OLD_BACKUPS: &str = "old-backups";

/// What a system held that was backed up.
struct Past {
    /// The name of its backup.
    backup: String,
    /// What an administrator saw of the stock.
    figures: Value,
    /// What Maria saw of herself, and the key that she has for it.
    maria: (String, Value),
}

/// Prevents: a volume that was kept on purpose, and that no new system can be made of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_comes_back_from_a_volume_that_was_kept() {
    with_operator("kept", |old| async move {
        let past = furnish(&old, json!({})).await;
        let claim = format!("{NAME}-backup");
        let before = of_claim(&old, &claim, &past.backup).await;
        let claim = old.api::<PersistentVolumeClaim>().get(&claim).await;
        let claim = claim.expect("the claim").spec.expect("a spec");
        let volume = claim.volume_name.clone().expect("a volume");
        let volumes: Api<PersistentVolume> = Api::all(old.client.clone());
        let on_release = |policy: &str| {
            let change = Patch::Merge(json!({"spec": {"persistentVolumeReclaimPolicy": policy}}));
            let volumes = volumes.clone();
            let volume = volume.clone();
            async move { volumes.patch(&volume, &PatchParams::default(), &change).await }
        };
        on_release("Retain").await.expect("the volume is to be kept");
        let outcome = AssertUnwindSafe(async {
            assert!(old.disappear().await, "the old namespace is gone");
            eventually("the volume is released", RELEASED, || async {
                let phase = volumes.get(&volume).await.ok()?.status?.phase?;
                (phase == "Released").then_some(())
            })
            .await;
            let nobody = Patch::Merge(json!({"spec": {"claimRef": null}}));
            volumes
                .patch(&volume, &PatchParams::default(), &nobody)
                .await
                .expect("the volume is nobody's");
            in_sandbox("reborn", |new| async move {
                bind(&new, &claim).await;
                let source = json!({"claimName": OLD_BACKUPS});
                restore(&new, json!({"restore": restore_of(source)}), &past).await;
                let made = backup_now(&new).await;
                let after = of_claim(&new, &format!("{NAME}-backup"), &made).await;
                assert_same(&before, &after);
            })
            .await;
        })
        .catch_unwind()
        .await;
        // However it ended, nobody keeps the volume any longer.
        let _ = on_release("Delete").await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    })
    .await;
}

/// Prevents: a namespace and its volumes lost, and a bucket with backups that no new system can be made of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_comes_back_from_a_bucket() {
    let Some(program) = storage_server::program() else {
        return;
    };
    let storage = &StorageServer::start(&program).await;
    with_operator("bucket", |old| async move {
        let (past, before) = &lose(storage, old).await;
        in_sandbox("reborn", |new| async move {
            storage.admit(&new).await;
            let spec = json!({
                "backup": {"objectStore": storage.place("new")},
                "restore": restore_of(json!({"objectStore": storage.place("old")})),
            });
            restore(&new, spec, past).await;
            let made = backup_now(&new).await;
            assert_same(before, &Archive::read(&storage.folder("new").join(made)));
        })
        .await;
    })
    .await;
}

/// Prevents: a system that is made again of the very file it was made of, and finds no backups in its own bucket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_comes_back_from_its_own_bucket() {
    let Some(program) = storage_server::program() else {
        return;
    };
    let storage = &StorageServer::start(&program).await;
    with_operator("own-bucket", |old| async move {
        let (past, before) = &lose(storage, old).await;
        in_sandbox("reborn", |new| async move {
            storage.admit(&new).await;
            let spec = json!({
                "backup": {"objectStore": storage.place("old")}, "restore": restore_of(json!({})),
            });
            restore(&new, spec, past).await;
            let made = backup_now(&new).await;
            assert_ne!(made, past.backup);
            assert_same(before, &Archive::read(&storage.folder("old").join(made)));
        })
        .await;
    })
    .await;
}

/// A system that backs up to a bucket, and is gone then.
async fn lose(storage: &StorageServer, old: Sandbox) -> (Past, Archive) {
    storage.admit(&old).await;
    let past = furnish(&old, json!({"backup": {"objectStore": storage.place("old")}})).await;
    let archive = Archive::read(&storage.folder("old").join(&past.backup));
    assert!(old.disappear().await, "the old namespace is gone");
    (past, archive)
}

fn small(mut spec: Value) -> Value {
    spec["autoscaling"] = json!({"enabled": false});
    spec["replicas"] = json!(1);
    spec["api"] = json!({"rateLimits": {"enabled": false}});
    spec
}

fn restore_of(source: Value) -> Value {
    json!({"id": "after-the-incident", "from": "latest", "source": source})
}

/// Brings a system up, has something of every kind happen to it, and backs it up.
async fn furnish(sandbox: &Sandbox, spec: Value) -> Past {
    sandbox.apply(small(spec)).await;
    sandbox.wait_until_ready().await;
    let cars = sandbox
        .call_api("GET", "/cars?limit=2", None)
        .await
        .expect("cars");
    let word = |number: usize, field: &str| cars[number][field].as_str().expect("a car").to_owned();
    let (car, other, dealership) = (word(0, "id"), word(1, "id"), word(0, "dealership_id"));

    let mut keys = Vec::new();
    for user in ["maria", "joana"] {
        let feedback =
            json!({"user_id": user, "car_id": car, "action": "liked", "rating": 5, "comment": "Gostei"});
        let said = sandbox.call_api("POST", "/feedback", Some(feedback)).await;
        let said = said.expect("feedback is stored");
        keys.push(said["user_key"].as_str().expect("a key").to_owned());
        let visit = json!({
            "session_id": format!("visit-of-{user}"), "user_id": user, "car_id": other,
            "interaction_type": "view_details", "duration_seconds": 17,
        });
        let seen = sandbox
            .call_api("POST", "/api/interactions/track", Some(visit))
            .await;
        assert_eq!(seen.expect("an interaction")["stored"], json!(true));
    }
    let joana = sandbox.call_api_with("DELETE", "/api/users/joana/data", Some(&keys[1]), None);
    joana.await.expect("Joana is forgotten");
    let dealership = format!("/api/dealerships/{dealership}");
    let sale = json!({"disponivel": false}).to_string();
    administer(
        sandbox,
        &[
            ("POST", &format!("{dealership}/token"), ""),
            ("POST", &format!("{dealership}/token"), ""),
            ("PATCH", &format!("{dealership}/cars/{car}"), &sale),
        ],
    )
    .await;
    let figures = eventually("the car is sold", FOLLOWED, || async {
        let sold = sandbox
            .call_api("GET", &format!("/cars/{car}"), None)
            .await
            .ok()?;
        (sold["disponivel"] == json!(false)).then_some(())?;
        sandbox.call_api("GET", "/stats", None).await.ok()
    })
    .await;
    let key = keys.swap_remove(0);
    let events = events_of_maria(sandbox, &key)
        .await
        .expect("what is held of Maria");
    Past {
        backup: backup_now(sandbox).await,
        figures,
        maria: (key, events),
    }
}

async fn events_of_maria(sandbox: &Sandbox, key: &str) -> Option<Value> {
    let data = sandbox.call_api_with("GET", "/api/users/maria/data", Some(key), None);
    Some(data.await.ok()?["events"].clone())
}

/// Sends requests as an administrator does, from within the cluster: the API server's proxy keeps `Authorization`
/// for itself.
async fn administer(sandbox: &Sandbox, requests: &[(&str, &str, &str)]) {
    let secret = sandbox.api::<Secret>().get(&format!("{NAME}-admin-tokens")).await;
    let token = secret.expect("the Secret of administrators").data.expect("data")["admin"].clone();
    let token = String::from_utf8(token.0).expect("text");
    let token = token.lines().next().expect("a token").trim();
    let environment: Vec<Value> = requests
        .iter()
        .enumerate()
        .map(|(number, (method, path, body))| {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: {NAME}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            json!({"name": format!("REQUEST_{number}"), "value": request})
        })
        .collect();
    // Whoever hangs up at once may get no answer.
    let script: String = (0..requests.len())
        .map(|number| format!("(printf '%s' \"$REQUEST_{number}\"; sleep 2) | nc {NAME} 80\necho\n"))
        .collect();
    let errand = Errand {
        script: &script,
        environment: json!(environment),
        ..Errand::default()
    };
    let printed = shell::run(sandbox, errand).await.printed;
    assert_eq!(
        printed.matches("HTTP/1.1 20").count(),
        requests.len(),
        "{printed}"
    );
}

/// Gives a new namespace the volume that an old claim had.
async fn bind(sandbox: &Sandbox, old: &PersistentVolumeClaimSpec) {
    let claim = serde_json::from_value(json!({
        "metadata": {"name": OLD_BACKUPS},
        "spec": {
            "accessModes": old.access_modes, "resources": old.resources, "storageClassName": old.storage_class_name,
            "volumeName": old.volume_name,
        },
    }))
    .expect("a claim");
    let claims = sandbox.api::<PersistentVolumeClaim>();
    let made = claims.create(&PostParams::default(), &claim).await;
    let name = made.expect("the claim").name_any();
    eventually("the claim has the volume", BOUND, || async {
        let phase = claims.get(&name).await.ok()?.status?.phase?;
        (phase == "Bound").then_some(())
    })
    .await;
}

/// Brings a system up that is to have what is in a backup, and compares what people see of it.
async fn restore(sandbox: &Sandbox, spec: Value, past: &Past) {
    sandbox.apply(small(spec)).await;
    let restored = eventually("it has been restored", RESTORED, || async {
        let found = sandbox.resources().get(NAME).await.ok()?;
        let restore = found.data["status"]["restore"].clone();
        assert_ne!(restore["phase"], "Failed", "{restore}");
        (restore["phase"] == "Succeeded").then_some(restore)
    })
    .await;
    println!("{restored}");
    assert_eq!(restored["from"], json!(past.backup));
    let found = sandbox.wait_until_ready().await;
    println!("{}", found.data["status"]["conditions"]);
    let (key, events) = &past.maria;
    eventually("people see what they saw", FOLLOWED, || async {
        let figures = sandbox.call_api("GET", "/stats", None).await.ok()?;
        (undated(figures) == undated(past.figures.clone())).then_some(())?;
        (events_of_maria(sandbox, key).await? == *events).then_some(())
    })
    .await;
}

/// Reads a backup on a volume.
async fn of_claim(sandbox: &Sandbox, claim: &str, backup: &str) -> Archive {
    let script = format!(
        "cd {VOLUME}/{backup} && for file in *.zst; do echo \"$file $(base64 \"$file\" | tr -d '\\n')\"; done"
    );
    let errand = Errand {
        script: &script,
        environment: json!([]),
        claim: Some(claim),
    };
    let ended = shell::run(sandbox, errand).await;
    assert!(ended.succeeded, "{}", ended.printed);
    Archive::of(|file| {
        let content = ended
            .printed
            .lines()
            .find_map(|line| line.strip_prefix(file)?.strip_prefix(' '));
        let content = content.unwrap_or_else(|| panic!("{file} is not in the backup"));
        let bytes: ByteString = serde_json::from_value(json!(content)).expect("base64");
        bytes.0
    })
}

/// Prevents: a comparison of nothing with nothing, and a record that is lost, made up, or not as it was.
fn assert_same(before: &Archive, after: &Archive) {
    for (family, records) in &before.families {
        assert!(!records.is_empty(), "the backup has something of {family}");
        println!("{family}: {} records", records.len());
    }
    let differences = before.differences(after);
    assert!(differences.is_empty(), "{differences:#?}");
}
