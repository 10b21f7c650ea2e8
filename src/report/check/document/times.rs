//! How long the ways took that led to an endpoint, stage by stage.

use serde_json::Value;

use super::super::Checked;
use crate::check::Group;
use crate::finding::{Finding, Status};

/// One endpoint's times.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) way: &'static str,
    pub(super) total_ms: u64,
    pub(super) parts: Vec<Part>,
}

/// One stage's share.
pub(super) struct Part {
    pub(super) stage: String,
    pub(super) millis: u64,
    /// In percent of the scale.
    pub(super) width: f64,
}

/// One bar for each way that led to an endpoint, from the evidence of its finding.
pub(super) fn bars(checked: &Checked<'_>) -> Vec<Bar> {
    let of_network =
        |finding: &&Finding| [Group::Network.as_str(), Group::Agent.as_str()].contains(&finding.id.group());
    let part = |stage, millis| Part { stage, millis, width: 0.0 };
    let mut bars = Vec::new();
    for finding in checked.findings.iter().filter(of_network) {
        let stages = finding.evidence.get("stages_ms").and_then(Value::as_object);
        let (Some(stages), Some(host)) = (stages, finding.evidence.get("host")) else { continue };
        let port = finding.evidence.get("port").and_then(Value::as_u64).unwrap_or(443);
        if finding.status != Status::Pass {
            continue;
        }
        let parts: Vec<Part> =
            stages.iter().map(|(stage, millis)| part(checked.say(stage), millis.as_u64().unwrap_or(0))).collect();
        let total_ms = finding.duration_ms.unwrap_or(0);
        bars.push(Bar {
            name: checked.say(format!("{}:{port}", host.as_str().unwrap_or_default())),
            way: finding.path.unwrap_or("direct"),
            total_ms,
            parts,
        });
    }
    bars
}

impl Bar {
    #[allow(clippy::cast_precision_loss)] // milliseconds of one check
    pub(super) fn scaled(mut self, scale_ms: u64) -> Self {
        let percent = |millis: u64| (millis as f64) * 100.0 / (scale_ms as f64);
        for part in &mut self.parts {
            part.width = percent(part.millis);
        }
        self
    }
}
