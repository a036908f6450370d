//! `faciliauto-service import`, the real program.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Output, Stdio},
};

use faciliauto_service::state::State;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    harness::{
        dealers::{ADMIN, Market},
        fixtures::{car_row, dealership_row},
        process,
        redis_server::RedisServer,
    },
    state::redis_state,
};

/// A Redis and a folder for files and reports.
pub(crate) struct Importer {
    pub(crate) redis: RedisServer,
    pub(crate) folder: TempDir,
}

impl Importer {
    pub(crate) fn new() -> Self {
        Self {
            redis: RedisServer::start(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, content: &Value) -> PathBuf {
        let path = self.folder.path().join("stock.json");
        fs::write(&path, content.to_string()).unwrap();
        path
    }

    fn run(&self, source: &str) -> (Output, Value) {
        self.run_with(&[source], b"")
    }

    /// Runs it with these arguments and this standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> (Output, Value) {
        self.run_with_report("report", arguments, input)
    }

    /// The same with a report of its own, so that several can run.
    pub(crate) fn run_with_report(&self, report: &str, arguments: &[&str], input: &[u8]) -> (Output, Value) {
        let report = self.folder.path().join(report);
        let url = self.redis.url();
        let own = ["--redis-url", &url, "--key-prefix", "test", "--report-file"];
        let own = own.into_iter().chain([report.to_str().unwrap(), "import"]);
        let all: Vec<&str> = own.chain(arguments.iter().copied()).collect();
        let mut command = process::command(&all);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        // Whoever reads no input closes it.
        let _ = child.stdin.take().expect("a pipe").write_all(input);
        let output = child.wait_with_output().expect("it ends");
        let text = fs::read_to_string(&report).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        (output, serde_json::from_str(&text).unwrap())
    }

    fn import(&self, source: &str) -> Value {
        let (output, report) = self.run(source);
        assert!(output.status.success(), "{output:?}");
        report
    }

    pub(crate) fn import_file(&self, content: &Value) -> Value {
        self.import(self.file(content).to_str().unwrap())
    }

    fn refused(&self, content: &Value) -> String {
        let (output, report) = self.run(self.file(content).to_str().unwrap());
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        report["error"].as_str().expect("an error").to_owned()
    }

    pub(crate) async fn ids(&self) -> Vec<String> {
        let stored = redis_state(&self.redis)
            .stock()
            .await
            .unwrap()
            .expect("an open store");
        stored
            .dealers
            .iter()
            .flat_map(|dealer| dealer.cars.iter().map(|car| car.id.clone()))
            .collect()
    }
}

/// Prevents a seed that is run again, as Kubernetes may, from replacing the stock of a deployment in use.
#[tokio::test(flavor = "multi_thread")]
async fn the_sample_opens_a_store_once() {
    let importer = Importer::new();
    let report = importer.import("--sample");
    assert_eq!(report["created"], true);
    assert_eq!(
        report["catalog_version"],
        format!("{}.1", report["generation"].as_str().unwrap())
    );
    assert!(report["cars"].as_u64().unwrap() >= 300 && report["dealerships"].as_u64().unwrap() >= 8);
    let before = importer.redis.dump("*");
    for source in ["--sample", "--none"] {
        let again = importer.import(source);
        let mut expected = report.clone();
        expected["created"] = json!(false);
        expected["imported"] = json!(false);
        assert_eq!(again, expected, "{source}");
    }
    assert_eq!(importer.redis.dump("*"), before, "nothing was done");
}

/// Prevents a deployment that wants no sample from getting one.
#[tokio::test(flavor = "multi_thread")]
async fn none_opens_an_empty_store() {
    let importer = Importer::new();
    let report = importer.import("--none");
    assert_eq!((&report["created"], &report["cars"]), (&json!(true), &json!(0)));
    assert_eq!(importer.ids().await, Vec::<String>::new());
}

/// Prevents a dealer's file from touching another dealer, and invented cars from standing beside real ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_replaces_its_dealers_and_drives_the_sample_out() {
    let importer = Importer::new();
    importer.import("--sample");
    let mut sold_by_b = car_row("b-1", "b");
    sold_by_b["marca"] = json!("Renault");
    sold_by_b["modelo"] = json!("Kwid");
    let report = importer.import_file(&json!({
        "dealerships": [dealership_row("a"), dealership_row("b")],
        "cars": [car_row("a-1", "a"), car_row("a-2", "a"), sold_by_b],
    }));
    assert_eq!(
        (&report["created"], &report["imported"]),
        (&json!(false), &json!(true))
    );
    assert_eq!((&report["cars"], &report["dealerships"]), (&json!(3), &json!(2)));
    assert_eq!(importer.ids().await, ["a-1", "a-2", "b-1"]);
    importer.import_file(&json!({"dealerships": [dealership_row("a")], "cars": [car_row("a-3", "a")]}));
    assert_eq!(importer.ids().await, ["a-3", "b-1"]);
    let stored = redis_state(&importer.redis).stock().await.unwrap().unwrap();
    let car = &stored.dealers[0].cars[0];
    assert_eq!(car.price.0, 6_199_050, "to the centavo");
    assert!(car.confirmed_on.is_some(), "handing a car in confirms it");
}

/// Prevents a file from putting back on offer what its dealer sold after the file was made.
#[tokio::test(flavor = "multi_thread")]
async fn a_car_marked_sold_stays_sold_for_a_day() {
    let importer = Importer::new();
    let file = json!({
        "dealerships": [dealership_row("a"), dealership_row("b")],
        "cars": [car_row("a-1", "a"), car_row("a-2", "a"), car_row("b-1", "b")],
    });
    importer.import_file(&file);
    let market = Market::on(&importer.redis).await;
    for (dealership, car) in [("a", "a-1"), ("b", "b-1")] {
        market
            .patch(dealership, car, ADMIN, json!({"disponivel": false}))
            .await
            .ok();
    }
    // The mark of the other is as old as it may be.
    let marks = importer.redis.keys("test:*:sold:b");
    let yesterday = (Timestamp::now() - SignedDuration::from_hours(24)).as_millisecond();
    importer
        .redis
        .ask::<()>(&["HSET", &marks[0], "b-1", &yesterday.to_string()]);

    let path = importer.file(&file);
    let (output, _) = importer.run(path.to_str().unwrap());
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("in the last 24 hours: a-1\n"), "{said}");
    let stored = redis_state(&importer.redis).stock().await.unwrap().unwrap();
    let cars = stored.dealers.iter().flat_map(|dealer| &dealer.cars);
    let on_offer: Vec<(&str, bool)> = cars.map(|car| (car.id.as_str(), car.available)).collect();
    assert_eq!(on_offer, [("a-1", false), ("a-2", true), ("b-1", true)]);
    assert_eq!(
        importer.redis.keys("test:*:sold:*").len(),
        1,
        "the old mark is gone"
    );
}

/// Prevents a first file from needing a sample before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_can_open_a_store() {
    let importer = Importer::new();
    let report =
        importer.import_file(&json!({"dealerships": [dealership_row("a")], "cars": [car_row("a-1", "a")]}));
    assert_eq!((&report["created"], &report["cars"]), (&json!(true), &json!(1)));
}

/// Prevents a bad row from entering, or from being reported without its place.
#[tokio::test(flavor = "multi_thread")]
async fn mistakes_change_nothing_and_are_named() {
    let importer = Importer::new();
    importer.import_file(&json!({"dealerships": [dealership_row("a")], "cars": [car_row("a-1", "a")]}));
    let before = importer.redis.dump("*");
    let mut ill = car_row("b-1", "b");
    ill["ano"] = json!("dois mil");
    let error = importer.refused(&json!({"dealerships": [dealership_row("b")], "cars": [ill]}));
    assert!(error.contains("/cars/0/ano"), "{error}");
    let error = importer.refused(
        &json!({"dealerships": [dealership_row("b")], "cars": [car_row("b-1", "b"), car_row("a-1", "b")]}),
    );
    assert!(
        error.contains("/cars/1/id"),
        "another dealer has this id: {error}"
    );
    let error =
        importer.refused(&json!({"dealerships": [dealership_row("b")], "cars": [car_row("b-1", "c")]}));
    assert!(error.contains("/cars/0/dealership_id"), "{error}");
    let error = importer.refused(&json!([]));
    assert!(error.contains("empty list"), "{error}");
    let (output, report) = importer.run("/does/not/exist.json");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        report["error"].as_str().unwrap().contains("/does/not/exist.json"),
        "{report}"
    );
    assert_eq!(importer.redis.dump("*"), before, "nothing was written");
}

/// Prevents a report from failing where Kubernetes mounts a file that can be neither made nor replaced.
#[tokio::test(flavor = "multi_thread")]
async fn a_longer_report_is_overwritten_in_place() {
    let importer = Importer::new();
    let report = importer.folder.path().join("report");
    fs::write(&report, "x".repeat(5000)).unwrap();
    let file = fs::File::open(&report).unwrap();
    importer.import("--none");
    assert!(
        fs::read_to_string(&report)
            .unwrap()
            .starts_with("{\"created\":true")
    );
    use std::os::unix::fs::MetadataExt;
    assert_eq!(
        file.metadata().unwrap().ino(),
        fs::metadata(&report).unwrap().ino(),
        "the same file"
    );
}

/// Prevents a damaged store from being taken for one that was never opened, and opened over what is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_its_version_is_not_opened_again() {
    let importer = Importer::new();
    importer.redis.ask::<()>(&["SET", "test:generation", "left"]);
    let (output, report) = importer.run("--sample");
    assert_eq!(output.status.code(), Some(1));
    assert!(report["error"].as_str().unwrap().contains("damaged"), "{report}");
    assert_eq!(importer.redis.ask::<String>(&["GET", "test:generation"]), "left");
}
