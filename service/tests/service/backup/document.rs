//! The commands of docs/backup-format.md, which read a backup without this program.

use std::{fs, path::Path, process::Command};

use faciliauto_service::{clock::Clock, stock::StockFile};

use super::{backed_up, directory};

/// Prevents the description from being of another format than the one that is written.
#[tokio::test(flavor = "multi_thread")]
async fn standard_tools_read_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let target = directory(folder.path());
    let (_, report) = backed_up(&target).await;
    let place = folder.path().join(report.backup.as_str());
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/backup-format.md");
    let text = fs::read_to_string(document).unwrap();
    let blocks: Vec<&str> = text
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", block])
            .current_dir(&place)
            .output()
            .expect("bash runs");
        assert!(
            output.status.success(),
            "this test needs bash, zstd, jq and sha256sum on the PATH\n{block}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let lines = |name: &str| fs::read_to_string(place.join(name)).unwrap();
    // Some versions of jq write 60000.0 as it stands there, others as 60000.
    assert!(lines("cars.tsv").starts_with("a\ta-0\tFiat\tArgo\t60000"));
    assert_eq!(lines("cars.tsv").lines().count(), 7);
    assert!(lines("said.txt").ends_with(" liked\n"), "{}", lines("said.txt"));
    let clock = Clock::system();
    let text = lines("stock.json");
    let file = StockFile::read(text.as_bytes(), None, clock.today()).unwrap();
    assert_eq!(file.warnings(), []);
    assert_eq!(StockFile::whole(&text, clock.today()).unwrap().cars.len(), 7);
}
