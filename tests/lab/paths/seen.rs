//! What a run of the tool has shown, and what it must never show.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

use super::world::{ENCODED, PASSWORD, WRONG};

pub struct Seen {
    pub json: Value,
    pub human: String,
}

impl Seen {
    pub fn findings(&self) -> &[Value] {
        self.json["findings"].as_array().unwrap()
    }

    /// The findings of this id whose JSON speaks of `about`.
    pub fn all<'a>(&'a self, id: &'a str, about: &'a str) -> impl Iterator<Item = &'a Value> {
        self.findings().iter().filter(move |finding| finding["id"] == id && finding.to_string().contains(about))
    }

    /// There is a finding with this id, this status and these words, each somewhere in what people read of it.
    #[track_caller]
    pub fn expect(&self, id: &str, status: &str, words: &[&str]) -> &Value {
        let text = |finding: &Value| {
            let part = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            let fixes = ["fix", "advice"].into_iter().filter_map(|key| finding[key].as_array()).flatten();
            let fix: Vec<&str> = fixes.filter_map(Value::as_str).collect();
            [part("title"), part("expected"), part("observed"), part("cause"), fix.join(" && ")].join(" | ")
        };
        let found = self.findings().iter().find(|finding| {
            finding["id"] == id
                && finding["status"] == status
                && words.iter().all(|words| text(finding).contains(words))
        });
        let found = found.unwrap_or_else(|| {
            let those = self.findings().iter().filter(|finding| finding["id"] == id);
            let those: Vec<String> = those.map(|finding| format!("{}: {}", finding["status"], text(finding))).collect();
            panic!("{id} is nowhere {status} with {words:?}:\n{}", those.join("\n"))
        });
        // People read the same.
        let title = found["title"].as_str().unwrap();
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat(&self.human).contains(&flat(title)), "{title}\nis not in\n{}", self.human);
        found
    }

    /// How many findings of this id have this status.
    pub fn count(&self, id: &str, status: &str) -> usize {
        self.findings().iter().filter(|finding| finding["id"] == id && finding["status"] == status).count()
    }
}

/// Base64 as coreutils writes it, so that the test does not share the product's code.
fn base64(text: &str) -> String {
    let mut child = Command::new("base64").arg("-w0").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim_end_matches('=').to_owned()
}

static FORMS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let of = |secret: &str| {
        [secret.to_owned(), base64(secret), base64(&format!("divvy:{secret}")), base64(&format!("x:{secret}"))]
    };
    [PASSWORD, WRONG].iter().flat_map(|secret| of(secret)).chain([ENCODED.to_owned(), ENCODED.to_lowercase()]).collect()
});

pub fn is_clean(text: &str) {
    for form in FORMS.iter() {
        assert!(!text.contains(form), "{form} in {text}");
    }
}
