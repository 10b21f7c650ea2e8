//! Each value from the layers, or why it is none.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::{BackEnd, Exclusions, MysqlAdmin, Proxies, SecretSources, Unresolved};
use crate::envfile::{to_utf_8, utf_16};
use crate::finding::{Finding, Ignored, Status, ids};
use crate::problem::{Problem, id};
use crate::redact::is_secret_name;
use crate::settings::host_name::{NoHost, host_alone};
use crate::settings::layers::{Layers, Origin, Setting};
use crate::settings::table::{Key, Shape, Spec, TABLE};
use crate::settings::{Credentials, Found, Layer, NoProxy, ProxyUrl, Scheme, Secret};
use crate::text;
use crate::text::{own, quoted, typed};

/// What values are made from.
pub(super) struct Resolver<'a> {
    pub(super) layers: &'a Layers,
    pub(super) found: &'a Found,
    pub(super) outside: &'a SecretSources<'a>,
    /// Values that nobody gave.
    pub(super) missing: Vec<&'static Spec>,
}

impl Resolver<'_> {
    pub(super) fn proxies(&mut self, ignored: &Ignored, findings: &mut Vec<Finding>) -> Result<Proxies, Unresolved> {
        let http = self.url(Key::ProxyHttp, ignored, findings)?;
        let https = match self.url(Key::ProxyHttps, ignored, findings)? {
            Some(https) => Some(https),
            None => http.clone(),
        };
        let mut proxies = Proxies { http, https };
        let in_argv = |url: &Setting<ProxyUrl>| matches!(url.origin, Origin::Flag(_)) && url.value.password().is_some();
        let typed: Vec<Origin> = proxies.iter().filter(|url| in_argv(url)).map(|url| url.origin.clone()).collect();
        let password =
            self.password(Key::ProxyPassword, &[Key::ProxyPassword, Key::ProxyPasswordFile, Key::ProxyPasswordEnv])?;
        for url in [&mut proxies.http, &mut proxies.https].into_iter().flatten() {
            self.log_in(url, password.as_ref())?;
        }
        let mut judged: Vec<&ProxyUrl> = Vec::new();
        for url in [&mut proxies.http, &mut proxies.https].into_iter().flatten() {
            require_port(url, ignored, findings)?;
        }
        for url in proxies.iter() {
            if !judged.contains(&&url.value) {
                judge_resolver(url, typed.contains(&url.origin), findings);
                judged.push(&url.value);
            }
        }
        Ok(proxies)
    }

    /// The URL for one scheme: within a layer the specific setting beats `--proxy`.
    fn url(
        &self,
        key: Key,
        ignored: &Ignored,
        findings: &mut Vec<Finding>,
    ) -> Result<Option<Setting<ProxyUrl>>, Problem> {
        let asked = self.layers.first_of(&[key, Key::ProxyUrl]).map(|(_, setting)| setting);
        let Some(setting) = asked.or_else(|| self.found.get(key)) else { return Ok(None) };
        let parsed = ProxyUrl::parse(&setting.value);
        if matches!(setting.origin, Origin::Found { .. }) {
            // Nobody asked for it in this run, so it stops nothing; but it is not spread either.
            let why = match &parsed {
                Err(error) => Some(text!("{}", error)),
                Ok(url) if url.port.is_none() && !ignored.covers(ids::PROXY_PORT_MISSING) => {
                    Some("it has no port".into())
                }
                Ok(_) => None,
            };
            if let Some(why) = why {
                if !findings.iter().any(|finding| finding.id == ids::PROXY_FOUND_UNUSABLE) {
                    let title = text!("the proxy {} cannot be used", setting.origin);
                    let finding = Finding::new(ids::PROXY_FOUND_UNUSABLE, Status::Warn, title).cause(why);
                    findings
                        .push(finding.advise(text!("name the right one: {}", typed("--proxy http://<HOST>:<PORT>"))));
                }
                return Ok(None);
            }
        }
        let url = parsed.map_err(|error| {
            Problem::settings(id::PROXY_URL_INVALID, text!("{}: {}", setting.origin, error))
                .hint("a proxy URL looks like http://proxy.corp.example:3128")
        })?;
        Ok(Some(Setting::new(url, setting.origin.clone())))
    }

    /// Puts user and password into a URL.
    fn log_in(&mut self, url: &mut Setting<ProxyUrl>, password: Option<&Setting<Secret>>) -> Result<(), Problem> {
        let rank = url.origin.rank();
        if let Some(user) = self.layers.get(Key::ProxyUser)
            && (user.origin.rank() >= rank || (url.value.credentials.is_none() && !url.value.anonymous))
        {
            let raw = user.value.as_bytes();
            let same = url.value.credentials.as_ref().filter(|login| login.user == raw);
            let password = same.and_then(|login| login.password.clone());
            url.value.credentials = Some(Credentials { user: raw.to_vec(), password });
        }
        let place = url.value.clone();
        let Some(login) = &mut url.value.credentials else {
            return match password {
                Some(password) if password.origin.rank() >= rank && !place.anonymous => Err(Problem::settings(
                    id::PROXY_USER_MISSING,
                    text!("{}: there is a proxy password but no user", password.origin),
                )
                .hint(text!("name the user: {}", typed("--proxy-user <USER>")))),
                _ => Ok(()),
            };
        };
        if let Some(password) = password
            && (login.password.is_none() || password.origin.rank() > rank)
        {
            login.password = Some(password.value.clone());
        }
        if login.password.is_none() {
            login.password = self.found.password_of(&login.user, &place);
        }
        if login.password.is_none() && !self.missing.iter().any(|missing| missing.key == Key::ProxyPassword) {
            self.missing.push(Key::ProxyPassword.spec());
        }
        Ok(())
    }

    /// A secret from the strongest layer that has one: directly, from a file, or from a variable named by another setting.
    fn password(&self, key: Key, keys: &[Key]) -> Result<Option<Setting<Secret>>, Problem> {
        let Some((face, setting)) = self.layers.first_of(keys) else { return Ok(None) };
        let origin = setting.origin.clone();
        let bytes = match face {
            Key::ProxyPasswordFile | Key::MysqlPasswordFile | Key::RedisPasswordFile | Key::MysqlAdminPasswordFile => {
                let path = Path::new(&setting.value);
                let bytes = (self.outside.file)(path).map_err(|error| {
                    Problem::settings(id::PASSWORD_FILE, text!("{}: {} could not be read", origin, path))
                        .caused_by(error)
                        .hint(text!("look: {}", typed(text!("ls -l {}", own(quoted(&setting.value))))))
                })?;
                if let Some(from) = utf_16(&bytes) {
                    let message =
                        text!("{}: {} is UTF-16 text, and no server takes that for its password", origin, path);
                    return Err(
                        Problem::settings(id::PASSWORD_INVALID, message).hint_command(typed(to_utf_8(path, from)))
                    );
                }
                // What editors of Windows put in front of a text in UTF-8 is none of it.
                let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
                if let Some(member) = member_of_json(bytes) {
                    return Err(of_json(&setting.value, &origin, &member));
                }
                let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
                bytes.strip_suffix(b"\r").unwrap_or(bytes).to_vec()
            }
            Key::ProxyPasswordEnv => {
                let value = (self.outside.variable)(&setting.value).ok_or_else(|| {
                    Problem::settings(id::PASSWORD_ENV, text!("{}: the variable {} is not set", origin, setting.value))
                        .hint(text!(
                            "sudo does not pass variables on: {} …, or use a file",
                            typed("sudo --preserve-env=NAME")
                        ))
                })?;
                value.into_vec()
            }
            _ => setting.value.clone().into_bytes(),
        };
        let wrong = |what: &str| {
            Err(Problem::settings(id::PASSWORD_INVALID, text!("{}: {} {}", origin, key, own(what)))
                .hint(text!("one line with the password as it is, such as: {}", typed("--proxy-password-file <FILE>"))))
        };
        if bytes.is_empty() {
            return wrong("is empty");
        }
        if bytes.iter().any(|byte| matches!(byte, 0 | b'\n' | b'\r')) {
            return wrong("has more than one line or a NUL");
        }
        Ok(Some(Setting::new(Secret::new(bytes), origin)))
    }

    pub(super) fn exclusions(&self, findings: &mut Vec<Finding>) -> Result<Exclusions, Problem> {
        let parse = |setting: &Setting<String>| {
            NoProxy::parse(&setting.value).map_err(|error| {
                Problem::settings(id::NO_PROXY_INVALID, text!("{}: {}", setting.origin, error))
                    .hint("a list looks like registry.corp.example,.corp.example,10.1.2.3")
            })
        };
        let in_one_layer =
            |layer: &&Layer| layer.get(Key::ProxyNoProxy).is_some() && layer.get(Key::ProxyNoProxyOnly).is_some();
        if self.layers.in_order().iter().any(in_one_layer) {
            let message = "--no-proxy adds to the built-in members and --no-proxy-only replaces them: give one of them";
            return Err(Problem::settings(id::SETTINGS_CONFLICT, message));
        }
        let exclusions = match self.layers.first_of(&[Key::ProxyNoProxyOnly, Key::ProxyNoProxy]) {
            None => Exclusions::Added(NoProxy::default()),
            Some((Key::ProxyNoProxyOnly, setting)) => Exclusions::Only(parse(setting)?),
            Some((_, setting)) => Exclusions::Added(parse(setting)?),
        };
        if let (Exclusions::Only(list), Some(setting)) = (&exclusions, self.layers.get(Key::ProxyNoProxyOnly))
            && list.is_empty()
        {
            let message = text!("{}: the list has no member", setting.origin);
            return Err(Problem::settings(id::NO_PROXY_INVALID, message)
                .hint("name at least 169.254.169.254, the metadata address"));
        }
        let (Exclusions::Added(list) | Exclusions::Only(list)) = &exclusions;
        if let Some(member) = list.members().find(|member| member.contains('[')) {
            findings.push(
                Finding::new(
                    ids::NO_PROXY_IPV6_BRACKETS,
                    Status::Warn,
                    text!("no_proxy member {} stops programs that use httpx", member),
                )
                .cause("httpx 0.28 raises InvalidURL for every request when the list has a bracketed IPv6 address")
                .advise("write the address without brackets, or use a host name"),
            );
        }
        Ok(exclusions)
    }

    /// Who makes databases, where that is asked for. What is missing for it is noted: with an account of the product goes a
    /// password.
    pub(super) fn mysql_admin(&mut self) -> Result<Option<MysqlAdmin>, Problem> {
        if self.layers.switch(Key::CreateDatabases) != Some(true) {
            return Ok(None);
        }
        let user = self.layers.get(Key::MysqlAdminUser).map(|setting| setting.value.clone());
        let password =
            self.password(Key::MysqlAdminPassword, &[Key::MysqlAdminPassword, Key::MysqlAdminPasswordFile])?;
        let has_own = self.layers.first_of(&[Key::MysqlPassword, Key::MysqlPasswordFile]).is_some()
            || self.found.get(Key::MysqlPassword).is_some_and(|found| !found.value.is_empty());
        let needed = [
            (user.is_some(), Key::MysqlAdminUser),
            (password.is_some(), Key::MysqlAdminPassword),
            (has_own, Key::MysqlPassword),
        ];
        self.missing.extend(needed.into_iter().filter(|(is_there, _)| !is_there).map(|(_, key)| key.spec()));
        Ok(user.zip(password).map(|(user, password)| MysqlAdmin { user, password: password.value }))
    }

    pub(super) fn back_ends(&self) -> Result<BTreeMap<Key, BackEnd>, Problem> {
        let mut values = BTreeMap::new();
        for spec in TABLE {
            let plain = (spec.key.is_in("mysql") || spec.key.is_in("redis"))
                && matches!(spec.shape, Shape::Text | Shape::Port)
                && !spec.secret
                && spec.key != Key::MysqlAdminUser;
            if let Some(setting) = self.layers.get(spec.key).filter(|_| plain) {
                if matches!(spec.key, Key::MysqlHost | Key::RedisHost) {
                    host_name(setting)?;
                }
                values.insert(spec.key, BackEnd::Plain(setting.value.clone()));
            }
        }
        for (key, faces) in [
            (Key::MysqlPassword, [Key::MysqlPassword, Key::MysqlPasswordFile]),
            (Key::RedisPassword, [Key::RedisPassword, Key::RedisPasswordFile]),
        ] {
            if let Some(secret) = self.password(key, &faces)? {
                values.insert(key, BackEnd::Hidden(secret.value));
            }
        }
        Ok(values)
    }
}

/// Of a file with a JSON object in place of a password, as secret managers give it: the member that is the password.
fn member_of_json(bytes: &[u8]) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes).ok()?;
    let names = || object.iter().filter(|(_, value)| value.is_string()).map(|(name, _)| name);
    let member = names().find(|name| *name == "password").or_else(|| names().find(|name| is_secret_name(name)));
    (!object.is_empty()).then(|| member.map_or("<MEMBER>", String::as_str).to_owned())
}

fn of_json(file: &str, origin: &Origin, member: &str) -> Problem {
    let plain = member.chars().all(|c| c.is_ascii_alphanumeric() || "_<>".contains(c));
    let member = if plain { format!(".{member}") } else { ".<MEMBER>".to_owned() };
    let (file, to) = (quoted(file), quoted(&format!("{file}.password")));
    let message = text!("{}: {} holds a JSON object and no password", origin, own(&file));
    Problem::settings(id::PASSWORD_INVALID, message)
        .because("all of it would be taken for the password")
        .hint(text!("take the password out: (umask 077; jq -r {} {} >{})", own(member), own(file), own(&to)))
        .hint(text!("then name that file: {} {}", origin, own(to)))
}

fn host_name(setting: &Setting<String>) -> Result<(), Problem> {
    host_alone(&setting.value).map_err(|no_host| {
        let message = text!("{}: {}", setting.origin, no_host.says());
        Problem::settings(id::SETTING_INVALID, message).hint(NoHost::ADVICE)
    })
}

/// A URL without a port means three different ports to three clients. Whoever confirms it gets the usual one, written out.
fn require_port(url: &mut Setting<ProxyUrl>, ignored: &Ignored, findings: &mut Vec<Finding>) -> Result<(), Problem> {
    if url.value.port.is_some() {
        return Ok(());
    }
    let (origin, usual) = (&url.origin, url.value.scheme.usual_port());
    let because = "without a port curl asks port 1080, most other clients 80 and some 443";
    if !ignored.covers(ids::PROXY_PORT_MISSING) {
        return Err(Problem::settings(
            id::PROXY_PORT_MISSING,
            text!("{}: the proxy URL {} has no port", origin, url.value),
        )
        .because(because)
        .hint(text!("name it, as in {}://{}:3128", own(url.value.scheme.as_str()), own(&url.value.host)))
        .hint(text!(
            "or confirm port {}: {}",
            own(usual),
            typed(text!("--ignore-check {}", ids::PROXY_PORT_MISSING))
        )));
    }
    if !findings.iter().any(|finding| finding.id == ids::PROXY_PORT_MISSING) {
        let title = text!("{}: the proxy URL had no port; {} is written out (ignored)", origin, own(usual));
        findings.push(
            Finding::new(ids::PROXY_PORT_MISSING, Status::Warn, title).observed(text!("{}", url.value)).cause(because),
        );
    }
    url.value.port = Some(usual);
    Ok(())
}

/// What is worth saying about a URL that is valid.
fn judge_resolver(url: &Setting<ProxyUrl>, in_argv: bool, findings: &mut Vec<Finding>) {
    let (value, origin) = (&url.value, &url.origin);
    if value.scheme == Scheme::Https {
        findings.push(
            Finding::new(ids::PROXY_HTTPS_SCHEME, Status::Warn, text!("{}: https:// means TLS to the proxy itself", origin))
                .expected("http://, which an ordinary forward proxy speaks for http and https requests alike")
                .observed(text!("{}", value))
                .cause("curl, Go, requests and others open TLS to the proxy port; an ordinary proxy answers with \"wrong version number\"")
                .advise("use http:// unless the proxy's port really speaks TLS"),
        );
    }
    if in_argv {
        findings.push(
            Finding::new(
                ids::PASSWORD_IN_ARGV,
                Status::Warn,
                text!("{}: every user of this host can read a password in the process list", origin),
            )
            .advise(text!(
                "give user and password apart: {}",
                typed("--proxy-user <USER> --proxy-password-file <FILE>")
            )),
        );
    }
    if value.password().is_some_and(|secret| !secret.expose().is_ascii()) {
        findings.push(
            Finding::new(ids::PROXY_PASSWORD_NOT_ASCII, Status::Warn, "the proxy password has characters outside ASCII")
                .cause("it is written as percent-encoded UTF-8; requests and aiohttp send it as Latin-1 and botocore stops with an exception")
                .advise("use a password of ASCII characters for this account"),
        );
    }
}
