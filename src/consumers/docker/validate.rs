//! `dockerd --validate`, which engines since 23.0 have: it reads the file, starts nothing and asks nobody (26.1.5, by its system
//! calls).

use std::path::Path;
use std::time::Duration;

use super::super::{ConsumersFacts, Known, State, Who};
use super::docker_json;
use crate::envfile::unit::Release;
use crate::host::{Command, HostRead};
use crate::redact::redact_line;
use crate::sandbox::{File, Question, Sandbox, World};
use crate::text;
use crate::text::Text;

/// What a refusal begins with; older engines do not know the option and say something else.
const REFUSED: &str = "unable to configure the Docker daemon";

/// How long the namespaces and the program in them may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// What the engine of this host makes of the file as it stands there: the error is why it refuses it. `None`: it cannot be
/// asked.
pub(super) fn asked(host: &dyn HostRead, path: &Path, limit: Duration) -> Option<Result<(), Text>> {
    if !host.is_live() || !matches!(host.lstat(path), Ok(Some(_))) {
        return None;
    }
    let argv = command(path)?;
    let output = host.run(&Command { deadline: limit, ..Command::new(argv) }).ok()?;
    if output.code == Some(0) {
        return Some(Ok(()));
    }
    refusal(&String::from_utf8_lossy(&output.stderr)).map(Err)
}

/// Asks the engine of this host about the file as it is planned, before anything is written: in namespaces in which the plan
/// stands in its place. A refusal takes the place of what the model says.
pub(crate) fn over_planned(host: &dyn HostRead, planned: &dyn HostRead, release: Release, facts: &mut ConsumersFacts) {
    let of_docker = |consumer: &&mut super::super::Consumer| {
        consumer.consumer == Who::Docker && consumer.state == State::Seen && consumer.name.is_none()
    };
    let Some(consumer) = facts.consumers.iter_mut().find(of_docker) else { return };
    let path = docker_json(planned, release);
    let Ok(Some(snapshot)) = planned.snapshot(&path) else { return };
    if !host.is_live() || host.euid() != 0 {
        return;
    }
    let file = File { path: path.clone(), content: Some(snapshot.bytes), mode: 0o600, owner: None };
    let Ok(mut sandbox) = Sandbox::open(vec![file], World::default(), DEADLINE) else { return };
    let question = Question {
        argv: command(&path).unwrap_or_default(),
        environment: vec![(
            "PATH".to_owned(),
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        )],
        deadline_ms: 2000,
        ..Question::default()
    };
    let Ok(answer) = sandbox.ask(question) else { return };
    if answer.code.is_some_and(|code| code != 0)
        && let Some(why) = refusal(&answer.said)
    {
        consumer.state = State::Refused;
        consumer.known = Known::Asked;
        consumer.why = Some(why);
        consumer.source = host.shown(&path).display().to_string();
    }
}

fn command(path: &Path) -> Option<Vec<String>> {
    Some(["dockerd", "--validate", "--config-file", path.to_str()?].map(str::to_owned).to_vec())
}

/// The words behind the name of the file.
fn refusal(said: &str) -> Option<Text> {
    let line = said.lines().rev().find(|line| line.starts_with(REFUSED))?;
    let words = line.split_once(": ").map_or(line, |(_, words)| words);
    Some(text!("dockerd refuses it: {}", redact_line(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_of_the_file_is_one() {
        let told = refusal(
            "x\nunable to configure the Docker daemon with file /f: the following directives don't match any configuration option: a",
        );
        assert!(told.is_some_and(|why| why.to_string().ends_with("configuration option: a")));
        assert!(refusal("Status: unknown flag: --validate").is_none());
    }
}
