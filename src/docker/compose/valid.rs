//! `config -q`: what Compose itself says to a file that is not there yet.

use std::ffi::OsStr;
use std::path::{Component, Path};
use std::time::Duration;
use std::{fs, io};

use super::outline::outline;
use crate::docker::text::shown;
use crate::host::{Command, HostRead};
use crate::redact::is_secret_name;

/// Longer than any release takes: 1.29 needs 0.4 s on two busy cores.
const DEADLINE: Duration = Duration::from_secs(30);

/// No honest folder has more files that a compose file may name.
const MOST_FILES: usize = 40;

/// What Compose refuses, in its last line of words; `None`: nothing. `compose`: the program, with its arguments; `file`: the
/// name of the compose file in `home`; `text`: what is going to stand in it.
///
/// It is asked over a copy in a temporary folder, in which env files are empty and secrets of `.env` have no value: what
/// Compose checks are names and forms.
///
/// # Errors
/// The copy could not be made, or the program not be run.
pub(crate) fn refused(
    host: &dyn HostRead,
    compose: &[String],
    home: &Path,
    file: &OsStr,
    text: &str,
) -> io::Result<Option<String>> {
    let folder = tempfile::Builder::new().prefix("ics-setup-compose-").tempdir()?;
    let at = folder.path();
    let beside = |name: &OsStr| {
        let extension = Path::new(name).extension();
        name != file && extension.is_some_and(|own| own == "yml" || own == "yaml")
    };
    for name in host.list(home)?.iter().filter(|name| beside(name)).take(MOST_FILES) {
        // A file that cannot be read is missed by Compose too, if the project needs it.
        if let Ok(Some(bytes)) = host.read(&home.join(name)) {
            fs::write(at.join(name), bytes)?;
        }
    }
    if let Some(bytes) = host.read(&home.join(".env"))? {
        fs::write(at.join(".env"), without_secrets(&String::from_utf8_lossy(&bytes)))?;
    }
    let env_files = outline(text).unwrap_or_default().into_iter().flat_map(|service| service.env_files);
    for name in env_files.take(MOST_FILES) {
        let path = Path::new(&name);
        let path = path.strip_prefix(home).unwrap_or(path);
        let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if inside {
            let path = at.join(path);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, "")?;
        }
    }
    let of = |folder: &Path| format!("{}/", folder.display());
    fs::write(at.join(file), text.replace(&of(home), &of(at)))?;
    let run = |more: &[String]| {
        let file = ["-f".to_owned(), at.join(file).display().to_string(), "config".to_owned(), "-q".to_owned()];
        host.run(&Command { deadline: DEADLINE, ..Command::new([compose, more, &file].concat()) })
    };
    let dot_env = at.join(".env");
    let mut output = match dot_env.exists() {
        // 1.25 looks for it where it is called, and not beside the file.
        true => run(&["--env-file".to_owned(), dot_env.display().to_string()])?,
        false => run(&[])?,
    };
    if output.code != Some(0) && dot_env.exists() {
        // Releases before 1.25 do not know the option.
        let without = run(&[])?;
        output = if without.code == Some(0) { without } else { output };
    }
    if output.code == Some(0) {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&output.stderr).replace(&of(at), &of(home));
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
    Ok(Some(shown(last.trim(), 300)))
}

/// Lines of an env file, with a word in the place of each secret.
fn without_secrets(text: &str) -> String {
    let line = |line: &str| match line.split_once('=') {
        Some((name, _)) if is_secret_name(name.trim()) => format!("{name}=x\n"),
        Some((_, value)) if value.contains("://") => String::new(),
        Some(_) => format!("{line}\n"),
        None => String::new(),
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every Compose that this machine has, over the built-in templates and over what it refuses.
    #[test]
    fn real_programs_take_the_templates_and_their_edits() {
        let host = crate::host::RealHost::live();
        let Ok(program) = which::which("docker-compose") else {
            eprintln!("skip real_programs_take_the_templates_and_their_edits: there is no docker-compose here");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".env"), "TAG=v1\nA_PASSWORD=s3cret\n").unwrap();
        let compose = [program.display().to_string()];
        let ask = |text: &str| refused(&host, &compose, folder.path(), OsStr::new("docker-compose.yml"), text).unwrap();
        let sound = "services:\n  a:\n    image: a:${TAG:?}\n    env_file: [HOME/prod.env, x/y.env]\n";
        let sound = format!("version: '2.2'\n{}", sound.replace("HOME", &folder.path().display().to_string()));
        for text in [
            include_str!("../../../assets/product/docker-compose.production.yml"),
            include_str!("../../../assets/product/docker-compose.test-drive.yml"),
            &sound,
        ] {
            assert_eq!(ask(text), None, "{text}");
        }
        let names = ["interfaceserver", "scheduler", "worker"];
        let template = include_str!("../../../assets/product/docker-compose.production.yml");
        let linked = template.replace(
            "    restart: \"always\"\n",
            "    restart: \"always\"\n    depends_on: [cache, scheduler]\n    links: [scheduler]\n",
        );
        let linked = linked.replacen("    depends_on: [cache, scheduler]\n    links: [scheduler]\n", "", 2)
            + "  cache:\n    image: redis\n";
        for (text, bits) in [template, &linked].into_iter().flat_map(|text| (1..7).map(move |bits| (text, bits))) {
            let is_out = |at: &usize| bits & (1 << at) != 0;
            let out: Vec<String> = (0..3).filter(is_out).map(|at| names[at].to_owned()).collect();
            let made = super::super::edit::without(text, &out).unwrap();
            assert_eq!(ask(&made), None, "{made}");
        }
        let words = ask("version: '2.2'\nservices:\n  a:\n    image: a\n    imagine: b\n").unwrap();
        assert!(words.contains("imagine") && !words.contains("ics-setup-compose-"), "{words}");
    }

    #[test]
    fn secrets_stay_where_they_are() {
        assert_eq!(without_secrets("TAG=v1\nA_PASSWORD=s3\nU=http://u:p@h\n# x\n"), "TAG=v1\nA_PASSWORD=x\n");
    }
}
