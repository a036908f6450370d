//! Views as a tree of lines. Pure.

use faciliauto_api::{BackupStatus, RestoreStatus};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::view::{ChildView, ConditionView, EventView, PodView, View, age, duration};
use crate::cli::terminal::{Colour, Palette, harmless};

/// Conditions that tell of trouble, or of work, when they are true.
const ALARMING: [&str; 7] = [
    "NameConflict",
    "Paused",
    "Reconciling",
    "RedisImageIncompatible",
    "Restoring",
    "Stalled",
    "UpgradeHeld",
];

/// A line and what hangs from it.
struct Node {
    text: String,
    children: Vec<Node>,
}

impl Node {
    fn new(text: String, children: Vec<Self>) -> Self {
        Self { text, children }
    }

    fn leaf(text: String) -> Self {
        Self::new(text, Vec::new())
    }

    fn draw(&self, prefix: &str, palette: Palette, text: &mut String) {
        for (index, child) in self.children.iter().enumerate() {
            let is_last = index + 1 == self.children.len();
            let (branch, trunk) = if is_last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            *text += &palette.paint(Colour::Dim, &format!("{prefix}{branch}"));
            *text += child.text.trim_end();
            text.push('\n');
            child.draw(&format!("{prefix}{trunk}"), palette, text);
        }
    }
}

/// How something fares.
#[derive(Clone, Copy)]
enum Mood {
    Good,
    Bad,
    Open,
    /// Switched off by the resource, or what it is for is not installed, which is no trouble.
    Off,
}

impl Mood {
    fn mark(self, palette: Palette) -> String {
        match self {
            Self::Good => palette.paint(Colour::Green, "✔"),
            Self::Bad => palette.paint(Colour::Red, "✘"),
            Self::Open => palette.paint(Colour::Yellow, "…"),
            Self::Off => palette.paint(Colour::Dim, "–"),
        }
    }
}

/// The views, one tree each, an empty line between two.
pub fn draw(views: &[View], palette: Palette) -> String {
    let trees: Vec<String> = views.iter().map(|view| draw_one(view, palette)).collect();
    trees.join("\n")
}

fn draw_one(view: &View, palette: Palette) -> String {
    let mood = match view.ready.as_str() {
        "True" => Mood::Good,
        "False" => Mood::Bad,
        _ => Mood::Open,
    };
    let title = format!("FaciliAutoDeployment {}/{}", view.namespace, view.name);
    let mut text = format!("{} {}", mood.mark(palette), palette.paint(Colour::Bold, &title));
    text += &format!("  {}", harmless(&view.reason));
    if let Some(version) = &view.version {
        text += &format!("  {}", harmless(version));
    }
    text += &format!("  {}", duration(view.age_seconds));
    if view.deleting {
        text += &palette.paint(Colour::Yellow, "  being deleted");
    }
    if !view.observed {
        text += &palette.paint(Colour::Yellow, "  the latest change has not been looked at yet");
    }
    text.push('\n');
    let mut sections = Vec::new();
    if let Some(url) = &view.url {
        sections.push(Node::leaf(format!("URL  {}", harmless(url))));
    }
    sections.extend(view.backup.as_ref().map(|status| backup(status, view.at)));
    sections.extend(view.restore.as_ref().map(|status| restore(status, view.at)));
    sections.push(section(
        "Conditions",
        conditions(&view.conditions, palette),
        palette,
    ));
    sections.push(section("Objects", children(&view.children, palette), palette));
    if !view.other_pods.is_empty() {
        let pods = view.other_pods.iter().map(|pod| pod_node(pod, palette)).collect();
        sections.push(section("Other pods", pods, palette));
    }
    sections.push(section("Events", events(&view.events, palette), palette));
    let problems = view.problems.iter().map(|problem| {
        let text = palette.paint(Colour::Yellow, &harmless(problem));
        Node::leaf(text)
    });
    sections.extend(problems);
    Node::new(String::new(), sections).draw("", palette, &mut text);
    text
}

/// `Backup  20260131T050000Z-ab12cd34, made 3h ago, proven 3h ago, 1048576 bytes; the next in 21h`.
fn backup(status: &BackupStatus, now: Timestamp) -> Node {
    let ago = |time: &Time| format!("{} ago", duration(age(Some(time.0), now)));
    let mut text = match &status.last_success_time {
        None => "none yet".to_owned(),
        // Its pod was gone before its name was heard.
        Some(time) if status.last_backup.is_empty() => format!("one made {}", ago(time)),
        Some(time) => format!("{}, made {}", harmless(&status.last_backup), ago(time)),
    };
    if status.last_success_time.is_some() {
        text += &match &status.last_verified_time {
            Some(time) => format!(", proven {}", ago(time)),
            None => ", not proven".to_owned(),
        };
        if let Some(size) = status.size {
            text += &format!(", {size} bytes");
        }
    }
    if let Some(next) = &status.next_schedule_time {
        let seconds = (next.0.as_second() - now.as_second()).max(0);
        text += &format!("; the next in {}", duration(seconds));
    }
    if let Some(failure) = &status.last_failure {
        text += &format!("; one failed {}", ago(&failure.time));
    }
    Node::leaf(format!("Backup  {text}"))
}

/// `Restore  by-hand-20260131t090000 from 20260131T050000Z-ab12cd34: Succeeded 2h ago`.
fn restore(status: &RestoreStatus, now: Timestamp) -> Node {
    let when = status.finished_at.as_ref().or(status.started_at.as_ref());
    let when = when.map_or_else(String::new, |time| {
        format!(" {} ago", duration(age(Some(time.0), now)))
    });
    Node::leaf(format!(
        "Restore  {} from {}: {}{when}",
        harmless(&status.id),
        harmless(&status.from),
        status.phase.word()
    ))
}

fn section(name: &str, nodes: Vec<Node>, palette: Palette) -> Node {
    if nodes.is_empty() {
        return Node::leaf(format!("{}  none", palette.paint(Colour::Bold, name)));
    }
    Node::new(palette.paint(Colour::Bold, name), nodes)
}

fn conditions(conditions: &[ConditionView], palette: Palette) -> Vec<Node> {
    let width = conditions
        .iter()
        .map(|condition| condition.kind.chars().count())
        .max()
        .unwrap_or(0);
    let node = |condition: &ConditionView| {
        let alarms = ALARMING.contains(&condition.kind.as_str());
        let mood = match (condition.status.as_str(), alarms) {
            ("True", true) if matches!(condition.kind.as_str(), "Reconciling" | "Restoring" | "Paused") => {
                Mood::Open
            }
            ("True", false) | ("False", true) => Mood::Good,
            ("False", false) if matches!(condition.reason.as_str(), "Disabled" | "NotInstalled") => Mood::Off,
            ("True", true) | ("False", false) => Mood::Bad,
            _ => Mood::Open,
        };
        let mut text = format!(
            "{} {:width$}  {}  {}",
            mood.mark(palette),
            harmless(&condition.kind),
            harmless(&condition.reason),
            duration(condition.age_seconds),
        );
        if !condition.message.is_empty() {
            text += &palette.paint(Colour::Dim, &format!("  {}", harmless(&condition.message)));
        }
        Node::leaf(text)
    };
    conditions.iter().map(node).collect()
}

fn children(children: &[ChildView], palette: Palette) -> Vec<Node> {
    let node = |child: &ChildView| {
        let mood = if child.ready { Mood::Good } else { Mood::Bad };
        let mut text = format!(
            "{} {} {}",
            mood.mark(palette),
            harmless(&child.kind),
            harmless(&child.name)
        );
        for word in [Some(&child.reason), child.detail.as_ref()].into_iter().flatten() {
            if !word.is_empty() {
                text += &format!("  {}", harmless(word));
            }
        }
        let pods = child.pods.iter().map(|pod| pod_node(pod, palette)).collect();
        Node::new(text, pods)
    };
    children.iter().map(node).collect()
}

fn pod_node(pod: &PodView, palette: Palette) -> Node {
    let mood = match (pod.healthy, pod.status.as_str()) {
        (true, _) => Mood::Good,
        (false, "Pending" | "Running" | "Terminating") if pod.message.is_none() => Mood::Open,
        (false, _) => Mood::Bad,
    };
    let mut text = format!(
        "{} Pod {}  {} {}/{}  {}",
        mood.mark(palette),
        harmless(&pod.name),
        harmless(&pod.status),
        pod.ready_containers,
        pod.containers,
        duration(pod.age_seconds)
    );
    if pod.restarts > 0 {
        let restarts = format!("  restarted {}×", pod.restarts);
        text += &palette.paint(Colour::Yellow, &restarts);
        if let Some(last) = &pod.last_restart {
            text += &format!(" (last {})", harmless(last));
        }
    }
    if let Some(node) = &pod.node {
        text += &palette.paint(Colour::Dim, &format!("  on {}", harmless(node)));
    }
    let message = pod.message.iter().map(|message| {
        let text = palette.paint(Colour::Red, &harmless(message));
        Node::leaf(text)
    });
    Node::new(text, message.collect())
}

fn events(events: &[EventView], palette: Palette) -> Vec<Node> {
    let node = |event: &EventView| {
        let colour = if event.warning {
            Colour::Yellow
        } else {
            Colour::Dim
        };
        let word = palette.paint(colour, if event.warning { "Warning" } else { "Normal " });
        let times = if event.count > 1 {
            format!(" ×{}", event.count)
        } else {
            String::new()
        };
        Node::leaf(format!(
            "{:>5}{times}  {word}  {}  {}: {}",
            duration(event.age_seconds),
            harmless(&event.about),
            harmless(&event.reason),
            harmless(&event.message)
        ))
    };
    events.iter().map(node).collect()
}
