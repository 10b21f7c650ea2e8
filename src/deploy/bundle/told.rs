//! What a bundle holds, what it lacks and what to do with it, for people and for programs.

use std::path::Path;

use serde_json::{Value, json};

use super::{Bundle, Manifest, Order, Piece, word};
use crate::checksum::LIST;
use crate::deploy::engine;
use crate::deploy::fetch::progress::shown;
use crate::finding::Finding;
use crate::redact::Redactor;
use crate::report::{SCHEMA, characters, finding_json, line};
use crate::settings::{BackEnd, Deployment, Key};
use crate::text;
use crate::text::{Person, Text, as_root, ics_setup, own, typed};

/// The name of the file for people.
pub(super) const CONTENTS: &str = "CONTENTS";

/// A file.
pub(crate) struct Held {
    file: String,
    what: &'static str,
    /// As it is; `None`: it is not written yet.
    bytes: Option<u64>,
    detail: Text,
    /// Of an image: name, id, digest, architecture.
    image: Option<super::manifest::Entry>,
    /// Of a program, where it has told.
    version: Option<String>,
}

impl Held {
    pub(super) fn of(piece: &Piece, folder: &Path, manifest: &Manifest) -> Self {
        let version = match &piece.content {
            super::Content::Copy(program) => program.version.clone(),
            _ => None,
        };
        Self {
            file: piece.name.clone(),
            what: piece.what,
            bytes: written(folder, &piece.name).or(piece.content.bytes()),
            detail: piece.detail.clone(),
            image: manifest.image(&piece.name).cloned(),
            version,
        }
    }

    pub(super) fn sums(folder: &Path) -> Self {
        let detail = "checksums of all of this, without which nothing of it is used".into();
        let bytes = written(folder, LIST);
        Self { file: LIST.to_owned(), what: "checksums", bytes, detail, image: None, version: None }
    }
}

fn written(folder: &Path, name: &str) -> Option<u64> {
    std::fs::metadata(folder.join(name)).ok().map(|metadata| metadata.len())
}

/// Something that the other host has to get in another way.
pub(crate) struct Missing {
    what: &'static str,
    /// What that is.
    title: &'static str,
    why: Text,
    /// How it gets there.
    advice: Vec<Text>,
}

impl Missing {
    pub(super) fn engine() -> Self {
        let advice = vec![
            text!("from the media of its own system: {}", engine::packages_by_system()),
            "or from a package repository in your network: install with --docker-repo <URL> --docker-repo-key <FILE>"
                .into(),
        ];
        let why = "each system has packages of its own, with others that they need".into();
        Self { what: "engine", title: "Docker, unless that host has it", why, advice }
    }

    pub(super) fn compose(why: Text, machine: &str) -> Self {
        let name = own(format!("docker-compose-linux-{machine}"));
        let advice = vec![
            text!("download {} and its .sha256 from https://github.com/docker/compose/releases", name),
            text!("and make the bundle again with --compose-binary {} --compose-sha256 <HEX>", name),
            "or have that host's package of it: docker-compose-v2 (Ubuntu), docker-compose-plugin, docker-compose"
                .into(),
        ];
        Self { what: "compose", title: "Compose, unless that host has it", why, advice }
    }

    pub(super) fn program(why: Text, name: &str) -> Self {
        let advice =
            vec![text!("take it from the release page, and make the bundle again with --program {}", own(name))];
        Self { what: "program", title: "ics-setup", why, advice }
    }

    pub(super) fn image(service: &str) -> Self {
        let why = text!("the service {} of the compose file names none; Compose would build one", service);
        let advice = vec![text!("name an image in the file: {}", typed("--from <URL> --from-sha256 <HEX>"))];
        Self { what: "image", title: "an image", why, advice }
    }

    /// Their order.
    pub(super) fn rank(&self) -> usize {
        ["engine", "compose", "program", "image"].iter().position(|what| *what == self.what).unwrap_or(usize::MAX)
    }
}

/// What to do on the other host, where the bundle lies in `folder`.
pub(super) fn steps(order: &Order<'_>, program: Option<&str>, folder: &Path) -> Vec<Text> {
    let mut steps = Vec::new();
    if let Some(program) = program {
        let line = text!("install -m 755 {} /usr/bin/ics-setup", word(&folder.join(program)));
        steps.push(Text::from(as_root(line)));
    }
    let settings = order.settings;
    let mut line = text!("install --bundle {}", word(folder));
    if settings.deployment == Deployment::TestDrive {
        line.push(" --deployment test-drive");
    } else {
        let said = |key: Key, place: &'static str| match settings.back_ends.get(&key) {
            Some(BackEnd::Plain(host)) => text!("{}", own(crate::text::quoted(host))),
            _ => place.into(),
        };
        line.push(text!(
            " --mysql-host {} --mysql-password-file <FILE> --redis-host {}",
            said(Key::MysqlHost, "<HOST>"),
            said(Key::RedisHost, "<HOST>")
        ));
    }
    steps.push(ics_setup(line).into());
    steps
}

/// Whoever unpacks it is not root yet, and not on this host.
fn for_anybody(text: &Text) -> Text {
    text.pasted_by(&Person::default())
}

/// Rows of names with what they are, in columns.
fn rows<'r>(rows: impl Iterator<Item = (&'r str, Option<u64>, &'r Text)>, redactor: &Redactor) -> String {
    let rows: Vec<_> = rows.collect();
    let width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let row = |(name, bytes, detail): &(&str, Option<u64>, &Text)| {
        let bytes = bytes.map_or_else(|| "?".to_owned(), shown);
        format!("  {name:<width$}  {bytes:>7}  {}\n", line(redactor, detail))
    };
    rows.iter().map(row).collect()
}

fn lacking(missing: &[Missing], redactor: &Redactor) -> String {
    let one = |own: &Missing| {
        let advice: String = own.advice.iter().map(|advice| format!("      {}\n", line(redactor, advice))).collect();
        format!("  {}: {}\n{advice}", own.title, line(redactor, &own.why))
    };
    missing.iter().map(one).collect()
}

/// Which product it is for.
fn named(manifest: &Manifest) -> &'static str {
    if manifest.deployment == Deployment::TestDrive.as_str() { "a Test Drive" } else { "production" }
}

/// The file for people.
pub(super) fn contents(manifest: &Manifest, pieces: &[Piece], missing: &[Missing], steps: &[Text]) -> String {
    let redactor = Redactor::default();
    let holds = rows(pieces.iter().map(|piece| (piece.name.as_str(), piece.content.bytes(), &piece.detail)), &redactor);
    let steps: String = steps.iter().map(|step| format!("  {}\n", line(&redactor, &for_anybody(step)))).collect();
    format!(
        "InsightCloudSec for a host without internet: {}, linux/{}.\nMade by ics-setup {}: bundle create.\n\n\
         In this folder:\n{holds}\nNot in it, and needed on that host:\n{}\nOn that host, in this folder:\n  sha256sum -c {LIST}\n{steps}",
        named(manifest),
        manifest.architecture,
        manifest.made_by,
        lacking(missing, &redactor)
    )
}

/// The result for people.
pub(crate) fn human(bundle: &Bundle, redactor: &Redactor) -> String {
    let (deployment, architecture) = (named(&bundle.manifest), &bundle.manifest.architecture);
    let holds = bundle.holds.iter().map(|held| (held.file.as_str(), held.bytes, &held.detail));
    let all: u64 = bundle.holds.iter().filter_map(|held| held.bytes).sum();
    let steps: String =
        bundle.next_steps.iter().map(|step| format!("  {}\n", line(redactor, &for_anybody(step)))).collect();
    let folder = line(redactor, &text!("{}", bundle.folder));
    let end = match (bundle.dry_run, bundle.changed) {
        (true, _) => "Dry run: nothing was pulled or written.".to_owned(),
        (false, true) => format!("The bundle is whole, {}: {folder}", shown(all)),
        (false, false) => format!("Nothing had to change: the bundle is whole, {}: {folder}", shown(all)),
    };
    format!(
        "Bundle for {deployment}, linux/{architecture}:\n{}\nNot in it, and needed on the host without internet:\n{}\n{end}\n\
         Take the folder to that host, and run there (with its path there, where that is another):\n{steps}",
        rows(holds, redactor),
        lacking(&bundle.missing, redactor),
    )
}

/// The result for programs.
pub(crate) fn json(bundle: &Bundle, findings: &[Finding], redactor: &Redactor) -> Value {
    let holds: Vec<Value> = bundle
        .holds
        .iter()
        .map(|held| {
            let mut row = json!({"file": held.file, "what": held.what, "bytes": held.bytes});
            if let Some(image) = &held.image {
                let known = |word: &str| (!word.is_empty()).then(|| word.to_owned());
                row["image"] = image.name.as_str().into();
                row["id"] = known(&image.id).into();
                row["digest"] = image.digest.clone().into();
                row["architecture"] = known(&image.architecture).into();
            }
            if matches!(held.what, "compose" | "program") {
                row["version"] = held.version.clone().into();
            }
            row
        })
        .collect();
    let words = |text: &Text| characters(redactor, text);
    let missing: Vec<Value> = bundle
        .missing
        .iter()
        .map(|own| {
            json!({"what": own.what, "why": words(&own.why), "advice": own.advice.iter().map(words).collect::<Vec<_>>()})
        })
        .collect();
    let outcome = match (bundle.dry_run, bundle.changed) {
        (true, _) => "pending",
        (false, true) => "changed",
        (false, false) => "unchanged",
    };
    json!({
        "schema": SCHEMA,
        "command": "bundle create",
        "outcome": outcome,
        "folder": bundle.folder.display().to_string(),
        "deployment": bundle.manifest.deployment,
        "architecture": bundle.manifest.architecture,
        "holds": holds,
        "missing": missing,
        "findings": findings.iter().map(|own| finding_json(redactor, own)).collect::<Vec<_>>(),
        "next_steps": bundle.next_steps.iter().map(|step| words(&for_anybody(step))).collect::<Vec<_>>(),
        "error": null,
    })
}
