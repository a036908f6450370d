//! Documents lead somewhere: each file that they link to or name as the home of a concept exists.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every document of the repository that a person may start from.
fn documents() -> Vec<PathBuf> {
    let folders = ["", "docs", "docs/adr", "docs/runbooks"];
    let files = folders
        .into_iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).expect("the folder"));
    files
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// What a line links to within the repository, code left out.
fn links(line: &str) -> Vec<String> {
    let text = line.split('`').step_by(2).collect::<Vec<_>>().concat();
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    targets
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .map(str::to_owned)
        .collect()
}

/// Prevents: a document that sends its reader to a file that was moved.
#[test]
fn links_lead_to_files() {
    let mut seen = 0;
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        for target in text.lines().flat_map(links) {
            seen += 1;
            if !document.with_file_name(&target).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(
        seen > 30,
        "{seen} links found: are they still written as [text](target)?"
    );
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Prevents: a map of concepts that shows where things used to be.
#[test]
fn concepts_are_where_the_architecture_says() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).expect("the document");
    let (mut folder, mut seen, mut missing) = (None, 0, Vec::new());
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("| file under `") {
            folder = rest.split_once('`').map(|(folder, _)| folder);
        } else if !line.starts_with('|') {
            folder = None;
        } else if let (Some(folder), Some(files)) = (folder, line.split('|').nth(2)) {
            for file in files.split('`').skip(1).step_by(2) {
                seen += 1;
                if !root().join(folder).join(file).exists() {
                    missing.push(format!("{folder}/{file}"));
                }
            }
        }
    }
    assert!(
        seen > 25,
        "{seen} files found: are the tables still written as before?"
    );
    assert!(missing.is_empty(), "{missing:#?}");
}
