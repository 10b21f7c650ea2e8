//! Lines of files that are no target: which editor fits a file, and what it makes of it. Whether the reader then gets what is
//! wanted, only another observation tells.

use std::path::Path;

use super::pam::{env::is_configured, sshd};
use super::{Who, logins};
use crate::envfile::unit::{self, Kind};
use crate::envfile::{Edit, State, Syntax, edit, find};

/// The editor of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `NAME=value` in one of the grammars of [`Syntax`].
    Lines(Syntax),
    /// A unit, its drop-ins, the manager's configuration.
    Unit(Kind),
    /// apt's configuration.
    Apt,
    /// A script of csh or zsh.
    Other(logins::Family),
    /// `SetEnv` of sshd's configuration.
    Sshd,
}

/// What is wanted of one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wish {
    /// The name as the reader spells it.
    pub(crate) name: String,
    /// Its value; `None`: it is to go.
    pub(crate) value: Option<String>,
    /// The line that decides it now; `None`: no line does, and one is added.
    pub(crate) line: Option<usize>,
}

/// The editor for a file, by its path and its reader; `None`: there is none.
pub(crate) fn form(who: Who, path: &Path) -> Option<Form> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    if let Some(family) = logins::Family::of(path) {
        return Some(Form::Other(family));
    }
    match name {
        _ if who == Who::Login && path.starts_with("/etc/ssh") => Some(Form::Sshd),
        _ if path.starts_with("/etc/apt") => Some(Form::Apt),
        _ if name == "system.conf" || folder == "system.conf.d" => Some(Form::Unit(Kind::Manager)),
        _ if name.ends_with(".service") || folder.ends_with("service.d") => Some(Form::Unit(Kind::Service)),
        _ if path == Path::new("/etc/environment") => Some(Form::Lines(Syntax::PamEnv)),
        // pam_env's own configuration, crontabs, daemon.json.
        _ if name.ends_with(".conf") || name.ends_with(".json") || name == "crontab" || folder.starts_with("cron") => {
            None
        }
        _ => who.profile().lines.map(Form::Lines),
    }
}

/// Could a line be changed?
pub(crate) fn is_editable(form: Form, bytes: &[u8], name: &str, line: usize) -> bool {
    let value = Some("http://ics-setup.invalid:1".to_owned());
    edited(form, bytes, &[Wish { name: name.to_owned(), value, line: Some(line) }]).is_some()
}

/// The file with all wishes; `None`: one of them cannot be met, or nothing changes.
pub(crate) fn edited(form: Form, bytes: &[u8], wishes: &[Wish]) -> Option<Vec<u8>> {
    let new = match form {
        Form::Lines(syntax) => {
            let reader = syntax.readers().must.first()?;
            let is_there = |wish: &Wish| {
                let active = find(bytes, syntax, &[&wish.name]).iter().any(|line| line.state == State::Active);
                active || reader.read_only(bytes, &[wish.name.as_bytes()]).get(wish.name.as_bytes()).is_some()
            };
            // A script may set a name without spelling it out; a line behind that decides.
            if syntax == Syntax::Shell && wishes.iter().any(|wish| is_foreign(bytes, wish)) {
                return None;
            }
            if syntax != Syntax::Shell && !wishes.iter().all(|wish| wish.line.is_none() || is_there(wish)) {
                return None;
            }
            let edits: Vec<Edit<'_>> = wishes.iter().map(edit_of).collect();
            edit(bytes, syntax, &edits).ok()?.bytes
        }
        Form::Unit(kind) => unit(kind, bytes, wishes)?,
        Form::Apt => by_line(bytes, wishes, |line, wish| apt(line?, wish.value.as_deref().unwrap_or_default()))?,
        Form::Sshd => set_env(bytes, wishes)?,
        Form::Other(family) => by_line(bytes, wishes, |line, wish| {
            let added = family.assignment_of(&wish.name);
            family.set(line.unwrap_or(&added), &wish.name, wish.value.as_deref())
        })?,
    };
    (new != bytes).then_some(new)
}

/// Does a line decide that stands in no script, but in a file of sshd's or of pam_env's that has the name of none?
fn is_foreign(bytes: &[u8], wish: &Wish) -> bool {
    let line = wish.line.and_then(|line| bytes.split(|byte| *byte == b'\n').nth(line.checked_sub(1)?));
    let line = line.and_then(|line| std::str::from_utf8(line).ok());
    line.is_some_and(|line| sshd::is_set_env(line) || is_configured(line, &wish.name))
}

/// sshd takes one line of `SetEnv`, so what is new is put into the one that decides another name, else into the first one.
fn set_env(bytes: &[u8], wishes: &[Wish]) -> Option<Vec<u8>> {
    let first = || {
        let is_one = |line: &[u8]| std::str::from_utf8(line).is_ok_and(sshd::is_set_env);
        bytes.split(|byte| *byte == b'\n').position(is_one).map(|index| index + 1)
    };
    let known = wishes.iter().find_map(|wish| wish.line).or_else(first)?;
    let wishes: Vec<Wish> =
        wishes.iter().map(|wish| Wish { line: wish.line.or(Some(known)), ..wish.clone() }).collect();
    by_line(bytes, &wishes, |line, wish| sshd::set_env(line?, &wish.name, wish.value.as_deref()))
}

fn edit_of(wish: &Wish) -> Edit<'_> {
    match &wish.value {
        None => Edit::Remove(&wish.name),
        Some(value) => Edit::Set(&wish.name, value.as_bytes()),
    }
}

fn unit(kind: Kind, bytes: &[u8], wishes: &[Wish]) -> Option<Vec<u8>> {
    let present = unit::assignments_of(kind, bytes);
    let known = |wish: &Wish| wish.line.is_none() || unit::value(&present, &wish.name).is_some();
    // From which release on the manager reads a doubled % is not known.
    let is_plain = |wish: &Wish| kind == Kind::Service || !wish.value.as_ref().is_some_and(|value| value.contains('%'));
    if !wishes.iter().all(|wish| known(wish) && is_plain(wish)) {
        return None;
    }
    let all: Vec<(&str, Option<&str>)> =
        wishes.iter().map(|wish| (wish.name.as_str(), wish.value.as_deref())).collect();
    let new = unit::edit_of(kind, bytes, &all);
    let again = unit::assignments_of(kind, &new);
    let met = |(name, value): &(&str, Option<&str>)| {
        unit::value(&again, name).map(|found| found.value.as_slice()) == value.map(str::as_bytes)
    };
    all.iter().all(met).then_some(new)
}

/// Changes whole lines, each alone; one that is not there comes last.
fn by_line(bytes: &[u8], wishes: &[Wish], change: impl Fn(Option<&str>, &Wish) -> Option<String>) -> Option<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for wish in wishes {
        let Some(line) = wish.line else {
            let last = lines.last_mut().filter(|last| !last.ends_with(b"\n"));
            last.into_iter().for_each(|last| last.push(b'\n'));
            lines.push([change(None, wish)?.as_bytes(), b"\n"].concat());
            continue;
        };
        let line = lines.get_mut(line.checked_sub(1)?)?;
        let text = std::str::from_utf8(line).ok()?;
        let end = text.trim_end_matches(['\n', '\r']).len();
        *line = [change(Some(&text[..end]), wish)?.as_bytes(), &text.as_bytes()[end..]].concat();
    }
    Some(lines.concat())
}

/// The only text in quotes of the line that has the form of an address is replaced.
fn apt(line: &str, value: &str) -> Option<String> {
    let mut quotes = line.match_indices('"').map(|(at, _)| at);
    let mut found = None;
    while let (Some(open), Some(close)) = (quotes.next(), quotes.next()) {
        if line[open..close].contains(':') && found.replace(open + 1..close).is_some() {
            return None;
        }
    }
    let range = found.filter(|_| !value.contains('"'))?;
    Some(format!("{}{value}{}", &line[..range.start], &line[range.end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_changes_the_line_that_decides_and_nothing_else() {
        const NEW: &str = "http://new:1";
        for (who, path, name, line, before, after) in [
            (
                Who::Docker,
                "/etc/default/docker",
                "HTTP_PROXY",
                2,
                "# x\nHTTP_PROXY=\"http://o:1\"\nA=1\n",
                "# x\nHTTP_PROXY=\"http://new:1\"\nA=1\n",
            ),
            (Who::Docker, "/etc/env.d/a.env", "HTTP_PROXY", 1, "HTTP_PROXY = http://o:1", "HTTP_PROXY=http://new:1"),
            (
                Who::Docker,
                "/etc/systemd/system/docker.service.d/z.conf",
                "HTTP_PROXY",
                2,
                "[Service]\nEnvironment=A=1 HTTP_PROXY=http://o:1\n",
                "[Service]\nEnvironment=A=1 \"HTTP_PROXY=http://new:1\"\n",
            ),
            (
                Who::Systemd,
                "/etc/systemd/system.conf.d/z.conf",
                "http_proxy",
                2,
                "[Manager]\nDefaultEnvironment=http_proxy=http://o:1\n",
                "[Manager]\nDefaultEnvironment=\"http_proxy=http://new:1\"\n",
            ),
            (
                Who::PackageManager,
                "/etc/apt/apt.conf",
                "http_proxy",
                1,
                "Acquire { http { Proxy \"http://o:1\"; }; };\n",
                "Acquire { http { Proxy \"http://new:1\"; }; };\n",
            ),
            (
                Who::Login,
                "/etc/profile.d/p.csh",
                "http_proxy",
                1,
                "  setenv http_proxy http://o:1\r\n",
                "  setenv http_proxy \"http://new:1\"\r\n",
            ),
            (
                Who::Login,
                "/etc/zsh/zshenv",
                "http_proxy",
                1,
                "export http_proxy=http://o:1",
                "export http_proxy=\"http://new:1\"",
            ),
            (
                Who::Login,
                "/opt/corp/proxy.env",
                "http_proxy",
                1,
                "export http_proxy=http://o:1 A=2\n",
                "export http_proxy=\"http://new:1\" A=2\n",
            ),
            (Who::Cron, "/etc/environment", "http_proxy", 1, "http_proxy=http://o:1\n", "http_proxy=http://new:1\n"),
            (
                Who::Login,
                "/etc/ssh/sshd_config",
                "http_proxy",
                2,
                "UsePAM yes\n\tsetenv=A=b 'http_proxy=http://o:1'  \"B=c d\" # x\r\nMatch all\n",
                "UsePAM yes\n\tsetenv=A=b http_proxy=http://new:1  \"B=c d\" # x\r\nMatch all\n",
            ),
            (
                Who::Login,
                "/etc/ssh/sshd_config.d/50-site.conf",
                "http_proxy",
                3,
                "Match all\n\n SetEnv \"http_proxy=http://o:1\"",
                "Match all\n\n SetEnv \"http_proxy=http://new:1\"",
            ),
        ] {
            let form = form(who, Path::new(path)).unwrap();
            let wish = Wish { name: name.to_owned(), value: Some(NEW.to_owned()), line: Some(line) };
            let new = edited(form, before.as_bytes(), std::slice::from_ref(&wish)).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(String::from_utf8(new.clone()).unwrap(), after, "{path}");
            assert_eq!(edited(form, &new, &[wish]), None, "{path}");
        }
    }

    #[test]
    fn what_no_editor_understands_is_left_alone() {
        for (who, path, line, before) in [
            (
                Who::Docker,
                "/etc/systemd/system/docker.service.d/z.conf",
                2,
                "[Service]\nExecStart=/usr/bin/dockerd --http-proxy=http://o:1\n",
            ),
            (
                Who::PackageManager,
                "/etc/apt/apt.conf",
                1,
                "Acquire { http::Proxy \"http://o:1\"; https::Proxy \"http://o:1\"; };\n",
            ),
            (Who::Login, "/etc/profile.d/p.csh", 1, "if ($?x) setenv http_proxy http://o:1\n"),
            (Who::Cron, "/etc/environment", 1, "A=http_proxy\n"),
            (Who::Login, "/etc/ssh/sshd_config", 1, "SetEnv \"http_proxy=http://o:1\n"),
            (Who::Login, "/etc/ssh/sshd_config", 1, "AcceptEnv http_proxy\n"),
            (Who::Login, "/opt/corp/sshd", 1, "SetEnv http_proxy=http://o:1\n"),
            (Who::Login, "/opt/corp/env", 1, "http_proxy DEFAULT=http://o:1\n"),
        ] {
            let found = form(who, Path::new(path)).unwrap();
            assert!(!is_editable(found, before.as_bytes(), "http_proxy", line), "{path}: {before}");
        }
        for (who, path) in
            [(Who::Cron, "/etc/cron.d/site"), (Who::Login, "/etc/security/pam_env.conf"), (Who::Docker, "/etc/x.json")]
        {
            assert_eq!(form(who, Path::new(path)), None, "{path}");
        }
    }
    #[test]
    fn one_line_of_sshd_has_all_variables() {
        let wish = |name: &str, value: Option<&str>, line| Wish {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            line,
        };
        let mended = |before: &str, wishes: &[Wish]| {
            edited(Form::Sshd, before.as_bytes(), wishes).map(|new| String::from_utf8(new).unwrap())
        };
        let two = [wish("no_proxy", Some("a,b"), None), wish("http_proxy", Some("http://n:1"), Some(2))];
        assert_eq!(
            mended("SetEnv A=b\nSetEnv http_proxy=x # c\n", &two).as_deref(),
            Some("SetEnv A=b\nSetEnv http_proxy=http://n:1 no_proxy=a,b # c\n")
        );
        assert_eq!(mended("SetEnv A=b\n", &two[..1]).as_deref(), Some("SetEnv A=b no_proxy=a,b\n"));
        assert_eq!(mended("UsePAM yes\n", &two[..1]), None);
        assert_eq!(mended("SetEnv A=b\n", &[wish("no_proxy", Some("a b"), None)]), None);
        let gone = [wish("http_proxy", None, Some(1))];
        assert_eq!(mended("SetEnv A=b http_proxy=x\n", &gone).as_deref(), Some("SetEnv A=b\n"));
        assert_eq!(mended("SetEnv http_proxy=x\nUsePAM yes\n", &gone).as_deref(), Some("\nUsePAM yes\n"));
    }
}
