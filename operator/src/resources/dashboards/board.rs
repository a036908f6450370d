//! A dashboard and its panels, and how they are written for Grafana: classic JSON, which every version
//! of Grafana reads that still gets fixes.

use serde_json::{Value, json};

use super::{names, query};

/// Columns of Grafana's grid.
const COLUMNS: u32 = 24;

/// Version of the JSON; newer Grafanas bring older ones up to date when they load them.
const SCHEMA_VERSION: u32 = 39;

/// A dashboard.
pub(super) struct Board {
    /// What its names are made of.
    pub(super) word: &'static str,
    /// What people call it.
    pub(super) title: &'static str,
    /// What it answers.
    pub(super) description: &'static str,
    /// Its panels, under headings.
    pub(super) rows: Vec<Row>,
}

/// Panels under a heading.
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) panels: Vec<Panel>,
}

/// A panel.
pub(super) struct Panel {
    look: Look,
    title: &'static str,
    description: &'static str,
    unit: &'static str,
    width: u32,
    /// Queries and what their lines are called.
    queries: Vec<(String, &'static str)>,
    /// From which value on it is yellow, and red. Falling when the second is less.
    thresholds: Option<(f64, f64)>,
    /// Words in place of numbers.
    words: &'static [(&'static str, &'static str)],
}

/// How a panel shows its numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// One number.
    Stat,
    /// Lines over time.
    Graph,
    /// Rows.
    Table,
    /// Coloured bars over time.
    Timeline,
}

impl Panel {
    /// One number.
    pub(super) fn stat(title: &'static str, unit: &'static str, text: &str) -> Self {
        Self::new(Look::Stat, title, unit, 4, vec![(query(text), "")])
    }

    /// Lines over time.
    pub(super) fn graph(title: &'static str, unit: &'static str, lines: &[(&str, &'static str)]) -> Self {
        let queries = lines
            .iter()
            .map(|(text, legend)| (query(text), *legend))
            .collect();
        Self::new(Look::Graph, title, unit, 12, queries)
    }

    /// Rows as of now.
    pub(super) fn table(title: &'static str, text: String) -> Self {
        Self::new(Look::Table, title, "none", 24, vec![(text, "")])
    }

    /// Coloured bars over time.
    pub(super) fn timeline(title: &'static str, text: String, legend: &'static str) -> Self {
        Self::new(Look::Timeline, title, "none", 24, vec![(text, legend)])
    }

    fn new(
        look: Look,
        title: &'static str,
        unit: &'static str,
        width: u32,
        queries: Vec<(String, &'static str)>,
    ) -> Self {
        Self {
            look,
            title,
            description: "",
            unit,
            width,
            queries,
            thresholds: None,
            words: &[],
        }
    }

    /// What it shows and what a bad value means.
    pub(super) fn about(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    pub(super) fn width(mut self, columns: u32) -> Self {
        self.width = columns;
        self
    }

    pub(super) fn thresholds(mut self, yellow: f64, red: f64) -> Self {
        self.thresholds = Some((yellow, red));
        self
    }

    pub(super) fn words(mut self, words: &'static [(&'static str, &'static str)]) -> Self {
        self.words = words;
        self
    }

    fn height(&self) -> u32 {
        if self.look == Look::Stat { 4 } else { 8 }
    }

    fn document(&self, id: u32, x: u32, y: u32) -> Value {
        let kind = match self.look {
            Look::Stat => "stat",
            Look::Graph => "timeseries",
            Look::Table => "table",
            Look::Timeline => "state-timeline",
        };
        let targets: Vec<_> = self
            .queries
            .iter()
            .zip('A'..)
            .map(|((expr, legend), letter)| {
                json!({
                    "refId": letter.to_string(),
                    "datasource": datasource(),
                    "expr": expr,
                    "legendFormat": if legend.is_empty() { "__auto" } else { legend },
                    "instant": matches!(self.look, Look::Stat | Look::Table),
                    "range": !matches!(self.look, Look::Stat | Look::Table),
                    "format": if self.look == Look::Table { "table" } else { "time_series" },
                })
            })
            .collect();
        json!({
            "id": id,
            "type": kind,
            "title": self.title,
            "description": self.description,
            "datasource": datasource(),
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height()},
            "fieldConfig": {"defaults": self.field(), "overrides": []},
            "options": self.options(),
            "targets": targets,
        })
    }

    fn field(&self) -> Value {
        let mut steps = vec![json!({"color": "green", "value": null})];
        if let Some((yellow, red)) = self.thresholds {
            steps = if red < yellow {
                vec![
                    json!({"color": "red", "value": null}),
                    json!({"color": "yellow", "value": red}),
                    json!({"color": "green", "value": yellow}),
                ]
            } else {
                vec![
                    json!({"color": "green", "value": null}),
                    json!({"color": "yellow", "value": yellow}),
                    json!({"color": "red", "value": red}),
                ]
            };
        }
        let mut field = json!({
            "unit": self.unit,
            "color": {"mode": if self.look == Look::Graph { "palette-classic" } else { "thresholds" }},
            "thresholds": {"mode": "absolute", "steps": steps},
        });
        if !self.words.is_empty() {
            let words: serde_json::Map<String, Value> = self
                .words
                .iter()
                .map(|(value, word)| ((*value).to_owned(), json!({"text": word})))
                .collect();
            field["mappings"] = json!([{"type": "value", "options": words}]);
        }
        if self.look == Look::Graph {
            field["min"] = json!(0);
            field["custom"] = json!({
                "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": false,
                "thresholdsStyle": {"mode": if self.thresholds.is_some() { "line" } else { "off" }},
            });
        }
        field
    }

    fn options(&self) -> Value {
        match self.look {
            Look::Stat => json!({
                "colorMode": "value", "graphMode": "none", "textMode": "value",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
            }),
            Look::Graph => json!({
                "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["mean", "max", "lastNotNull"]},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }),
            Look::Table => json!({"showHeader": true}),
            Look::Timeline => {
                json!({"showValue": "never", "legend": {"displayMode": "list", "placement": "bottom"}})
            }
        }
    }
}

impl Board {
    /// The dashboard as Grafana reads it, turned to one system.
    pub(super) fn document(&self, namespace: &str, name: &str) -> Value {
        let title = format!("FacilIAuto {}: {namespace}/{name}", self.title);
        self.titled(&title, namespace, name, &variables(namespace, name))
    }

    /// The dashboard as Grafana reads it, turned to the operator in a namespace.
    pub(super) fn operator_document(&self, namespace: &str) -> Value {
        let title = format!("FacilIAuto {}", self.title);
        self.titled(
            &title,
            namespace,
            names::FIELD_MANAGER,
            &operator_variables(namespace),
        )
    }

    fn titled(&self, title: &str, namespace: &str, name: &str, variables: &Value) -> Value {
        json!({
            "uid": names::dashboard_uid(namespace, name, self.word),
            "title": title,
            "description": self.description,
            "tags": ["faciliauto"],
            "editable": false,
            "graphTooltip": 1,
            "schemaVersion": SCHEMA_VERSION,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "timezone": "browser",
            "links": [{
                "type": "dashboards", "tags": ["faciliauto"], "title": "FacilIAuto", "asDropdown": true,
                "includeVars": false, "keepTime": true,
            }],
            "annotations": {"list": []},
            "templating": {"list": variables},
            "panels": self.panels(),
        })
    }

    /// Panels from left to right and from top to bottom, a heading above each row.
    fn panels(&self) -> Vec<Value> {
        let mut panels = Vec::new();
        let (mut id, mut y) = (1, 0);
        for row in &self.rows {
            panels.push(json!({
                "id": id, "type": "row", "title": row.title, "collapsed": false, "panels": [],
                "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
            }));
            id += 1;
            y += 1;
            let (mut x, mut tallest) = (0, 0);
            for panel in &row.panels {
                if x + panel.width > COLUMNS {
                    y += tallest;
                    (x, tallest) = (0, 0);
                }
                panels.push(panel.document(id, x, y));
                id += 1;
                x += panel.width;
                tallest = tallest.max(panel.height());
            }
            y += tallest;
        }
        panels
    }
}

fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

fn data_source_variable() -> Value {
    json!({"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1})
}

/// What somebody chooses of the values of a label.
fn label_variable(variable: &str, label: &str, text: &str, current: Value) -> Value {
    json!({
        "name": variable, "label": label, "type": "query", "datasource": datasource(),
        "definition": text, "query": {"query": text, "refId": variable},
        "refresh": 2, "sort": 1, "current": current,
    })
}

fn chosen(value: &str) -> Value {
    json!({"text": value, "value": value, "selected": true})
}

/// Whose operator is shown: the one in `namespace`, until somebody chooses another.
fn operator_variables(namespace: &str) -> Value {
    let namespaces = "label_values(faciliauto_leader{}, namespace)";
    json!([
        data_source_variable(),
        label_variable("namespace", "Namespace", namespaces, chosen(namespace)),
    ])
}

/// What is shown: the system in `namespace` called `name`, until somebody chooses another.
fn variables(namespace: &str, name: &str) -> Value {
    let mut pod = label_variable(
        "pod",
        "Replica",
        "label_values(http_requests_in_flight{namespace=\"$namespace\",service=\"$instance\"}, pod)",
        json!({"text": ["All"], "value": ["$__all"], "selected": true}),
    );
    pod["multi"] = json!(true);
    pod["includeAll"] = json!(true);
    pod["allValue"] = json!(".*");
    json!([
        data_source_variable(),
        label_variable(
            "namespace",
            "Namespace",
            "label_values(http_requests_in_flight{}, namespace)",
            chosen(namespace)
        ),
        label_variable(
            "instance",
            "System",
            "label_values(http_requests_in_flight{namespace=\"$namespace\"}, service)",
            chosen(name),
        ),
        pod,
    ])
}
