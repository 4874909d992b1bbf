//! Metrics as the reference parser of OpenMetrics reads them, which complains about all that is not as it should be.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use headwater_test_support::skip;
use serde::Deserialize;

const PARSER: &str = "
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
families = [
    {'name': family.name, 'kind': family.type, 'unit': family.unit, 'help': family.documentation,
     'samples': [{'name': it.name, 'labels': it.labels, 'value': it.value} for it in family.samples]}
    for family in parse(sys.stdin.read())
]
json.dump(families, sys.stdout)
";

/// The one that people use, and the one for which the distribution has packages.
const PYTHONS: [&str; 2] = ["python3", "/usr/bin/python3"];

fn run(python: &str, script: &str) -> Command {
    let mut command = Command::new(python);
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn has_parser(python: &str) -> bool {
    let output = run(python, "import prometheus_client.openmetrics.parser").output();
    output.is_ok_and(|output| output.status.success())
}

#[derive(Debug, Deserialize)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    value: f64,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(
    not(feature = "encoder"),
    expect(dead_code, reason = "only a whole program's metrics are looked at that closely")
)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) help: String,
    pub(crate) samples: Vec<Sample>,
}

/// All families of a text.
#[derive(Debug)]
pub(crate) struct Metrics(pub(crate) Vec<Family>);

impl Metrics {
    /// Panics at what the parser does not like; `None`, and a loud word, if there is no parser.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let Some(python) = PYTHONS.into_iter().find(|python| has_parser(python)) else {
            skip("metrics are not judged, because Python has no prometheus_client");
            return None;
        };
        let mut child = run(python, PARSER).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
        Some(Self(serde_json::from_slice(&output.stdout).unwrap()))
    }

    /// The value of the sample with this name and just these labels, `le` left out of account; 0 if there is none.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: BTreeMap<_, _> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut samples = self.0.iter().flat_map(|family| &family.samples);
        samples.find(|it| it.name == name && it.labels == labels).map_or(0.0, |sample| sample.value)
    }

    /// How many lines there are.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|family| family.samples.len()).sum()
    }
}
