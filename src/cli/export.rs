//! `settings export`: what is in force on this host as a settings file to keep.
//!
//! The file is worth keeping when `prepare` has nothing to do with it, and that is not foretold but tried: the text is read
//! and planned with, here and now.

use std::collections::BTreeMap;
use std::path::Path;

use clap::ArgMatches;

use super::args::Globals;
use super::exit::Exit;
use super::interface::{Quiet, options};
use super::{machine, out};
use crate::context::{HostContext, Inputs, Intent};
use crate::converge::{Converge, Nothing, Options, RunContext};
use crate::finding::Finding;
use crate::host::RealHost;
use crate::problem::Problem;
use crate::redact::{Redactor, list};
use crate::report::{line, visible};
use crate::settings::{
    Deployment, Effective, Entry, Exclusions, First, Key, Layer, NoProxy, Origin, Setting, Settings, Spec, TABLE,
    TargetName, export, host_alone, read_file,
};
use crate::targets::Phase;
use crate::vendor::Vendor;

const HEAD: &str = "# What is in force on this host, by: ics-setup settings export\n";

const PASSWORD: &str = "No password is exported. On this host it is found again; elsewhere name a file with it";

type Entries = BTreeMap<Key, Entry>;

/// Runs the verb.
///
/// # Errors
/// A value that is wrong or missing, a file that cannot be read.
pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<Exit, Problem> {
    let host = machine::to_look(globals)?;
    let inputs = machine::inputs(globals, matches)?;
    let mut exported = Exported::of(globals, &host, &inputs, First::System)?;
    if !exported.settings.proxies.any() && exported.known.has_product {
        exported = Exported::of(globals, &host, &inputs, First::Product)?;
    }
    let kept = Tried { globals, host: &host, inputs: &inputs }.kept(&exported);
    out::result(&kept);
    Ok(Exit::DONE)
}

/// Everything that is in force.
struct Exported<'h> {
    known: HostContext<'h>,
    settings: Settings,
    noticed: Vec<Finding>,
}

impl<'h> Exported<'h> {
    fn of(globals: &Globals, host: &'h RealHost, inputs: &Inputs, first: First) -> Result<Self, Problem> {
        let mut inputs = inputs.clone();
        // What cannot be read must not look like what is not there.
        let mut known = HostContext::load(host, &inputs, Intent::Change { first, dry_run: false })?;
        let (settings, noticed) = known.settings(&mut inputs, &globals.ignored, &mut |_| Ok(None))?;
        Ok(Self { known, settings, noticed })
    }

    /// The entries of the file. The list is what is added to the built-in members, or where `exactly`, what the host has.
    fn entries(&self, exactly: bool) -> Entries {
        let Self { known, settings, .. } = self;
        let mut entries = Entries::new();
        // Lines beside a secret count for nothing.
        let has_secret = Effective::new(settings, &known.found).databases().is_some();
        let counts = |spec: &&Spec| !(has_secret && spec.key.is_in("mysql"));
        for spec in TABLE.iter().filter(|spec| spec.saved && spec.value_name != "URL").filter(counts) {
            let said = match spec.key {
                // They stand in the URLs and in the list.
                Key::ProxyUser | Key::ProxyNoProxy | Key::ProxyNoProxyOnly => continue,
                key => known.layers.get(key).or_else(|| known.found.get(key)),
            };
            let said = said.filter(|said| !said.value.is_empty() && Layer::wrong(spec, &said.value).is_none());
            // What no run takes, such as a URL with a password, stays where it is.
            let is_host = |said: &&Setting<String>| {
                !matches!(spec.key, Key::MysqlHost | Key::RedisHost) || host_alone(&said.value).is_ok()
            };
            entries.extend(said.filter(is_host).map(|said| (spec.key, entry(said))));
        }
        let shown = |url: &Setting<crate::settings::ProxyUrl>| {
            entry(&Setting::new(url.value.without_password(), url.origin.clone()))
        };
        match (&settings.proxies.http, &settings.proxies.https) {
            (Some(http), Some(https)) if http.value == https.value => {
                entries.insert(Key::ProxyUrl, shown(http));
            }
            (http, https) => {
                entries.extend(http.as_ref().map(|url| (Key::ProxyHttp, shown(url))));
                entries.extend(https.as_ref().map(|url| (Key::ProxyHttps, shown(url))));
            }
        }
        if settings.proxies.any() {
            entries.extend(self.no_proxy(exactly));
        }
        self.passwords(&mut entries);
        entries
    }

    fn no_proxy(&self, exactly: bool) -> Option<(Key, Entry)> {
        let Self { known, settings, .. } = self;
        let said = known.layers.first_of(&[Key::ProxyNoProxyOnly, Key::ProxyNoProxy]);
        let remark = match said.map(|(_, said)| said).or_else(|| known.found.get(Key::ProxyNoProxy)) {
            Some(said) => visible(&said.origin.to_string()),
            None => "found on this host".to_owned(),
        };
        let built_in = &Vendor::get().no_proxy;
        let of_test_drive = built_in.test_drive.iter().chain(&built_in.test_drive_added);
        let of_test_drive = of_test_drive.filter(|_| settings.deployment == Deployment::TestDrive);
        let built_in: Vec<&String> = built_in.base.iter().chain(of_test_drive).collect();
        let (key, members) = match &settings.exclusions {
            Exclusions::Only(only) => (Key::ProxyNoProxyOnly, only.clone()),
            Exclusions::Added(_) if exactly => (Key::ProxyNoProxyOnly, settings.found_no_proxy.clone()),
            Exclusions::Added(added) => (Key::ProxyNoProxy, settings.found_no_proxy.clone().merged(added)),
        };
        // What no list may have, such as a URL with a password, stays where it is.
        let fits = |member: &&str| list(member) == **member && NoProxy::parse(member).is_ok();
        let is_added = |member: &&str| key == Key::ProxyNoProxyOnly || !built_in.iter().any(|own| own == member);
        let members: Vec<&str> = members.members().filter(fits).filter(is_added).collect();
        (!members.is_empty()).then(|| (key, Entry { value: Some(members.join(",")), remark }))
    }

    /// Where a password is known, the file that has it, or a place to name one.
    fn passwords(&self, entries: &mut Entries) {
        let Self { known, settings, .. } = self;
        let logs_in = settings.proxies.iter().any(|url| url.value.credentials.is_some());
        let effective = Effective::new(settings, &known.found);
        let has = |key: Key| effective.secret(key).is_some();
        for (key, faces) in [
            (Key::ProxyPassword, &[Key::ProxyPassword, Key::ProxyPasswordFile, Key::ProxyPasswordEnv][..]),
            (Key::MysqlPassword, &[Key::MysqlPassword, Key::MysqlPasswordFile]),
            (Key::RedisPassword, &[Key::RedisPassword, Key::RedisPasswordFile]),
        ] {
            match known.layers.first_of(faces) {
                Some((face, said)) if face != key => drop(entries.insert(face, entry(said))),
                said if said.is_some() || (key == Key::ProxyPassword && logs_in) || has(key) => {
                    let place = Entry { value: None, remark: PASSWORD.to_owned() };
                    entries.extend(key.file_of_password().map(|file| (file, place)));
                }
                _ => {}
            }
        }
    }
}

fn entry(said: &Setting<String>) -> Entry {
    Entry { value: Some(said.value.clone()), remark: visible(&said.origin.to_string()) }
}

/// What runs with an exported file would do.
struct Tried<'a> {
    globals: &'a Globals,
    host: &'a RealHost,
    inputs: &'a Inputs,
}

impl Tried<'_> {
    /// The file with which `prepare` has nothing to do; where there is none, one that says in its head what it would do.
    fn kept(&self, exported: &Exported<'_>) -> String {
        let plain = exported.entries(false);
        let mut candidates = vec![plain.clone()];
        if exported.settings.proxies.any() {
            candidates.push(exported.entries(true));
            let parts: Vec<Entries> = candidates.iter().filter_map(|entries| self.part(entries)).collect();
            candidates.extend(parts);
        }
        let fits = |entries: &&Entries| self.pending(entries, Phase::Prepare).is_none();
        let kept = candidates.iter().find(fits).unwrap_or(&plain);
        let mut head = HEAD.to_owned();
        let mut redactor = Redactor::default();
        exported.settings.secrets.iter().for_each(|secret| redactor.learn(secret));
        for finding in &exported.noticed {
            let cause = finding.cause.as_ref().map(|cause| format!(": {}", line(&redactor, cause)));
            head.push_str(&format!("# Noticed: {}{}\n", line(&redactor, &finding.title), cause.unwrap_or_default()));
        }
        for (key, _, origin) in &exported.settings.shown {
            if matches!(origin, Origin::Untold { .. }) {
                head.push_str(&visible(&format!("# Not exported: {} {origin}", key.as_str())));
                head.push('\n');
            }
        }
        let product = exported.known.has_product.then_some(Phase::Reconfigure);
        for phase in [Some(Phase::Prepare), product].into_iter().flatten() {
            if let Some(pending) = self.pending(kept, phase) {
                head.push_str(&format!("# With this file {} {pending}\n", phase.verb()));
            }
        }
        export(&head, kept)
    }

    /// The same for those targets alone that are as the entries say. `None`: all are, or none is.
    fn part(&self, entries: &Entries) -> Option<Entries> {
        let only = |targets: &[TargetName]| {
            let words = targets.iter().map(|target| target.as_str()).collect::<Vec<_>>().join(",");
            let remark = "The proxy is in force for these alone. Without this line prepare sets it for the others too"
                .to_owned();
            let mut entries = entries.clone();
            entries.insert(Key::Target, Entry { value: Some(words), remark });
            entries
        };
        // Without an authority there is nothing to trust.
        let is_one = |target: &TargetName| *target != TargetName::Trust || entries.contains_key(&Key::ProxyCa);
        let all = Phase::Prepare.targets().iter().copied().filter(is_one);
        let done: Vec<TargetName> =
            all.filter(|target| self.pending(&only(&[*target]), Phase::Prepare).is_none()).collect();
        (!done.is_empty()).then(|| only(&done))
    }

    /// What a run with these entries would change, or why it would stop. `None`: it has nothing to do.
    fn pending(&self, entries: &Entries, phase: Phase) -> Option<String> {
        let mut context = RunContext::default();
        let outcome = read_file(&export(HEAD, entries), Path::new("settings export")).and_then(|layer| {
            let inputs = self.inputs.with_file(layer);
            let options = Options { dry_run: true, preflight: false, attended: true, ..options(self.globals) };
            let interface = &mut Quiet(self.globals);
            Converge { host: self.host, inputs, phase, options, interface, around: &mut Nothing }.run(&mut context)
        });
        let paths: Vec<String> = context.plan.changes.iter().map(|change| change.path.display().to_string()).collect();
        match outcome {
            Ok(_) if paths.is_empty() => None,
            Ok(_) => Some(format!("changes {}", visible(&paths.join(", ")))),
            Err(problem) => Some(format!("stops: {}", line(&context.redactor, &problem.sentence()))),
        }
    }
}
