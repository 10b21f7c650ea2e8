//! The unattended command that does the same again.

use std::path::Path;

use crate::settings::{Key, Layer, ProxyUrl, Settings, Shape, Spec, TABLE, parse_switch};
use crate::targets::Phase;
use crate::text::quoted;

/// What stands in the place of a password's file.
pub(crate) const FILE: &str = "<FILE>";

/// Everything that makes the run what it was.
pub(crate) struct Repeat<'a> {
    /// The verb.
    pub phase: Phase,
    /// Answers and flags.
    pub flags: &'a Layer,
    /// `ICS_SETUP_…`, which count in this run and may be gone in the next.
    pub variables: &'a Layer,
    /// What came of them.
    pub settings: Option<&'a Settings>,
    /// `--settings`.
    pub file: Option<&'a Path>,
    /// `--root`.
    pub root: Option<&'a Path>,
    /// `--ignore-check`.
    pub ignored: &'a [String],
    /// `--no-probe`.
    pub no_probe: bool,
}

impl Repeat<'_> {
    /// The command, quoted for a POSIX shell. Passwords are files to be named: [`FILE`].
    pub(crate) fn command(&self) -> String {
        let mut words = vec!["ics-setup".to_owned(), self.phase.verb().to_owned()];
        if let Some(root) = self.root {
            words.extend(["--root".to_owned(), root.display().to_string()]);
        }
        if let Some(file) = self.file {
            words.extend(["--settings".to_owned(), file.display().to_string()]);
        }
        let mut password = self.said(Key::ProxyPasswordFile) || self.said(Key::ProxyPasswordEnv);
        // `prepare` has no flag of the product's own.
        let has_flag = |spec: &&Spec| !spec.product || self.phase != Phase::Prepare;
        for spec in TABLE.iter().filter(has_flag) {
            let Some(setting) = self.flags.get(spec.key).or_else(|| self.variables.get(spec.key)) else { continue };
            let value = &setting.value;
            match spec.flag {
                None => {
                    let flag = spec.key.file_of_password().and_then(|file| file.spec().flag);
                    words.extend(flag.into_iter().flat_map(|flag| [format!("--{flag}"), FILE.to_owned()]));
                    password |= spec.key == Key::ProxyPassword;
                }
                Some(flag) if spec.shape == Shape::Switch => words.push(match parse_switch(value) {
                    Some(true) => format!("--{flag}"),
                    _ => format!("--{flag}=false"),
                }),
                Some(flag) if spec.value_name == "URL" && spec.key.is_in("proxy") => {
                    let url = ProxyUrl::parse(value).map(|url| url.without_password());
                    words.extend([format!("--{flag}"), url.unwrap_or_default()]);
                }
                Some(flag) => words.extend([format!("--{flag}"), value.clone()]),
            }
        }
        // One that the host had needs a file all the same: the next host may not have it.
        let has_password = |settings: &Settings| settings.proxies.iter().any(|url| url.value.password().is_some());
        if !password && self.settings.is_some_and(has_password) {
            words.extend(["--proxy-password-file".to_owned(), FILE.to_owned()]);
        }
        for id in self.ignored {
            words.extend(["--ignore-check".to_owned(), id.clone()]);
        }
        if self.no_probe {
            words.push("--no-probe".to_owned());
        }
        words.push("--non-interactive".to_owned());
        words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }

    fn said(&self, key: Key) -> bool {
        self.flags.get(key).or_else(|| self.variables.get(key)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Origin;

    fn layer(values: &[(Key, &str)]) -> Layer {
        let mut layer = Layer::default();
        for (key, value) in values {
            let spec = key.spec();
            layer.insert(spec, (*value).to_owned(), Origin::Flag(spec.shown())).unwrap();
        }
        layer
    }

    #[test]
    fn every_kind_of_value_becomes_a_flag_that_a_shell_reads_back() {
        let flags = layer(&[
            (Key::ProxyUrl, "http://p.corp:3128"),
            (Key::ProxyUser, "o'neil x"),
            (Key::ProxyPassword, "s3cret"),
            (Key::ProxyBothCases, "yes"),
            (Key::CheckFirst, "yes"),
            (Key::Restart, "no"),
            (Key::ProxyNoProxy, "a,b"),
            (Key::RedisPassword, "other"),
        ]);
        let command = Repeat {
            phase: Phase::Prepare,
            flags: &flags,
            variables: &layer(&[(Key::Home, "/opt/divvy cloud"), (Key::ProxyUrl, "http://other:1")]),
            settings: None,
            file: None,
            root: Some(Path::new("/mnt/x")),
            ignored: &["os-too-old".to_owned()],
            no_probe: true,
        }
        .command();
        assert_eq!(
            command,
            "ics-setup prepare --root /mnt/x --proxy http://p.corp:3128 --proxy-user 'o'\\''neil x' \
             --proxy-password-file '<FILE>' --no-proxy a,b --both-cases --redis-password-file '<FILE>' \
             --home '/opt/divvy cloud' --check-first --restart=false --ignore-check os-too-old --no-probe \
             --non-interactive"
        );
    }

    #[test]
    fn a_password_that_came_in_a_url_is_a_file_to_be_named() {
        let flags = layer(&[
            (Key::ProxyHttp, "http://u:s3cret@p:1"),
            (Key::ProxyPasswordEnv, "PW"),
            (Key::AwsSecret, "prod/ics"),
        ]);
        let all = Repeat {
            phase: Phase::Reconfigure,
            flags: &flags,
            variables: &Layer::default(),
            settings: None,
            file: Some(Path::new("s.toml")),
            root: None,
            ignored: &[],
            no_probe: false,
        };
        let command = all.command();
        assert_eq!(
            command,
            "ics-setup reconfigure --settings s.toml --http-proxy http://u@p:1 --proxy-password-env PW \
             --aws-secret prod/ics --non-interactive"
        );
    }
}
