//! One throw-away container of the product's own image that asks from where the product will: the proxy of `prod.env` by
//! name, connection, CONNECT and TLS, and the metadata service where this host has one.
//!
//! The environment comes from `prod.env` by `--env-file`, so no login stands in a command line. What the image is made of is not
//! known but for Python: where it has no `python3`, nothing was asked, by name.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::docker::{self, NoDocker};
use crate::finding::{Finding, FindingId, ids};
use crate::host::{HostRead, Output};
use crate::net::{Time, dial, request};
use crate::product::Place;
use crate::product::templates::{AUTHORITY, BUNDLE};
use crate::system::IMAGE;
use crate::text;
use crate::text::{Foreign, Text, first_line, host_port, ics_setup, own, typed};
use crate::vendor::prod_env;

/// What the container runs.
const PROGRAM: &str = include_str!("../../assets/probe/container.py");

/// The program ends after 25 s by itself.
const LIMIT: Duration = Duration::from_secs(36);

/// So long the host's own question to the metadata service may take.
const METADATA: Duration = Duration::from_secs(1);

/// What is asked.
pub(super) struct Question<'a> {
    /// The product's folder.
    pub(super) home: &'a Path,
    /// SELinux may confine containers: what is mounted gets a label.
    pub(super) labels: bool,
    /// The image.
    pub(super) image: &'a str,
    /// The project's network; the engine's own bridge serves where there is none yet.
    pub(super) network: Option<&'a str>,
    /// An endpoint that the product needs.
    pub(super) endpoint: (&'a str, u16),
}

/// One line of the program.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    step: String,
    ok: bool,
    kind: String,
    why: String,
    status: u16,
    host: String,
    port: u16,
    proxy: bool,
    addresses: Vec<String>,
}

/// What is found from a container.
pub(super) fn findings(host: &dyn HostRead, question: &Question<'_>) -> Vec<Finding> {
    if !host.is_live() {
        return vec![not_asked(IMAGE.into())];
    }
    ask(host, question, has_metadata())
}

/// The same, with the metadata service or without.
fn ask(host: &dyn HostRead, question: &Question<'_>, metadata: bool) -> Vec<Finding> {
    let network = question.network.filter(|name| has_network(host, name));
    let shown = match network {
        Some(name) => text!("the network {}", name),
        None => "the engine's own bridge, since the project has no network yet".into(),
    };
    let lines = match run(host, question, network, metadata) {
        Ok(lines) => lines,
        Err(why) => return vec![not_asked(why)],
    };
    let mut findings = vec![through(&lines, question, &shown)];
    if metadata {
        findings.push(of_metadata(&lines, &shown));
    }
    findings
}

fn not_asked(why: Text) -> Finding {
    Finding::skip(ids::PROXY_FROM_CONTAINERS, "nothing was asked from a container of the product").observed(why)
}

/// Does the metadata service of Amazon answer this host? Those of other clouds have no limit of hops.
fn has_metadata() -> bool {
    let time = Time::new(METADATA, METADATA);
    let header = [("Host", "169.254.169.254"), ("X-aws-ec2-metadata-token-ttl-seconds", "60"), ("Content-Length", "0")];
    let answer = dial("169.254.169.254", 80, time, 64 << 10)
        .and_then(|mut wire| request(&mut wire, "PUT", "/latest/api/token", &header));
    answer.is_ok_and(|answer| answer.status == 200)
}

fn has_network(host: &dyn HostRead, name: &str) -> bool {
    let time = Time::new(METADATA * 10, METADATA * 10);
    docker::run(host, time, &["network", "inspect", name]).is_ok_and(|output| output.code == Some(0))
}

/// Runs the container; its lines, or why there are none.
fn run(host: &dyn HostRead, question: &Question<'_>, network: Option<&str>, metadata: bool) -> Result<Vec<Line>, Text> {
    let time = || Time::new(LIMIT, LIMIT);
    let file = prod_env(question.home).to_string_lossy().into_owned();
    let mounted = [AUTHORITY, BUNDLE].into_iter().filter(|(name, inside)| {
        matches!(host.lstat(&question.home.join(name)), Ok(Some(_))) && is_mounted(host, question.home, inside)
    });
    let options = if question.labels { "ro,z" } else { "ro" };
    let mounts: Vec<String> =
        mounted.map(|(name, inside)| format!("{}:{inside}:{options}", question.home.join(name).display())).collect();
    let (endpoint, port) = question.endpoint;
    let port = port.to_string();
    let name = format!("ics-setup-probe-{}", std::process::id());
    let mut argv = vec!["run", "--rm", "--name", &name, "--env-file", &file, "--entrypoint", "python3"];
    argv.extend(network.iter().flat_map(|network| ["--network", *network]));
    argv.extend(mounts.iter().flat_map(|mount| ["-v", mount.as_str()]));
    argv.extend([question.image, "-c", PROGRAM, endpoint, &port]);
    argv.extend(metadata.then_some("metadata"));
    let output = match docker::run(host, time(), &argv) {
        Ok(output) => output,
        Err(error) => {
            // Where the client was late, the container may run on.
            let _ = docker::run(host, time(), &["rm", "-f", &name]);
            return Err(silent(&error));
        }
    };
    let lines = lines(&output);
    if lines.is_empty() { Err(nothing(&output)) } else { Ok(lines) }
}

/// Do the product's own containers get what lies there? What they do not have is no answer for them.
fn is_mounted(host: &dyn HostRead, home: &Path, inside: &str) -> bool {
    let mounts = |line: &str| !line.trim_start().starts_with('#') && line.contains(inside);
    Place::look(host, home).files(home).iter().any(|file| {
        let bytes = host.read(file).ok().flatten();
        bytes.is_some_and(|bytes| String::from_utf8_lossy(&bytes).lines().any(mounts))
    })
}

fn lines(output: &Output) -> Vec<Line> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn silent(error: &NoDocker) -> Text {
    match error {
        NoDocker::Late { millis } => text!("the container did not end within {} ms", own(millis)),
        other => other.why(),
    }
}

/// Why a container has said nothing: 127 and 126 are Docker's codes of a program that is not there or cannot be run.
fn nothing(output: &Output) -> Text {
    match output.code {
        Some(126 | 127) => "the image has no python3 that could ask".into(),
        code => {
            let code = code.map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
            text!("the container ended with {}: {}", own(code), Foreign::new(first_line(&output.stderr, 200)))
        }
    }
}

/// The way to the endpoint, through the proxy where `prod.env` has one.
fn through(lines: &[Line], question: &Question<'_>, network: &Text) -> Finding {
    let (endpoint, port) = question.endpoint;
    let asked = lines.iter().find(|line| line.step == "name" && line.ok);
    let is_proxy = asked.is_some_and(|line| line.proxy);
    let way = match asked {
        Some(line) if line.proxy => text!("the proxy {}", Foreign::new(host_port(&line.host, line.port))),
        _ => "no proxy".into(),
    };
    let to = own(host_port(endpoint, port));
    let expected = text!("{} with TLS from a container of the product, through {}", to, way);
    let make = |finding: Finding| finding.expected(&expected).evidence("endpoint", own(endpoint));
    let failed = lines.iter().find(|line| line.step != "metadata" && !line.ok);
    let Some(failed) = failed else {
        return match lines.iter().any(|line| line.step == "tls" && line.ok) {
            true => make(Finding::pass(
                ids::PROXY_FROM_CONTAINERS,
                text!("a container of the product reaches {} through {}", to, way),
            ))
            .observed(text!("name, connection, tunnel and TLS, from {}", network)),
            false => not_asked("the container ended before it had an answer".into()),
        };
    };
    let fail = |title: Text| make(Finding::fail(ids::PROXY_FROM_CONTAINERS, title));
    let observed = match failed.status {
        0 => text!("{}, from {}", Foreign::new(&failed.why), network),
        status => text!("it answers {}, from {}", status, network),
    };
    let finding = match failed.step.as_str() {
        "name" => fail(text!("containers do not find the address of the proxy or of {}", to))
            .cause("containers ask the name servers of this host's resolv.conf, or of \"dns\" in daemon.json; names of /etc/hosts are unknown to them")
            .advise(text!("look what they ask: {}", typed("docker run --rm --entrypoint cat <IMAGE> /etc/resolv.conf")))
            .advise("name servers that know it go into /etc/docker/daemon.json: \"dns\": [\"<ADDRESS>\"]; or give the proxy by its address"),
        "connect" => {
            let addresses = asked.map(|line| line.addresses.join(", ")).unwrap_or_default();
            fail(text!("containers cannot connect to {} ({})", way, Foreign::new(addresses)))
                .cause(if failed.kind == "refused" {
                    "it listens on this host's loopback alone, which is another one in a container, or on another port"
                } else {
                    "a firewall drops what containers send, this host does not forward, or a network of Docker has that address"
                })
                .look(text!("compare with this host: {}", ics_setup("check proxy")))
                .advise(text!("let the containers' network through the firewall: {} names it", typed("docker network inspect bridge")))
        }
        "tunnel" if failed.status == 407 => fail(text!("{} wants another login from containers", way))
            .cause("user or password of the proxy in prod.env is missing or wrong, or a character of it is not percent-encoded")
            .advise(text!("give both again: {}", typed("--proxy-user <USER> --proxy-password-file <FILE>"))),
        "tunnel" if failed.status != 0 => fail(text!("{} does not let containers through to {}", way, to))
            .cause("its policy denies the host, or the addresses that containers come from")
            .advise(text!("hand its owners the list of hosts: {}", ics_setup("network allowlist --format markdown"))),
        "proxy-tls" => fail(text!("{} does not speak TLS as its URL says", way))
            .cause("https:// in the proxy's URL means TLS to the proxy itself; an ordinary one speaks plain HTTP there")
            .advise(text!("write it with http://: {}", typed("--proxy http://<HOST>:<PORT>"))),
        _ if failed.kind == "untrusted" => fail(text!("containers do not trust the certificate that {} shows", to))
            .cause("the proxy opens TLS and signs with an authority of its own, which the image does not know")
            .advise("have the authority's certificate sent, then run the same with --proxy-ca <FILE>: host and containers are made to trust it"),
        _ => fail(text!("containers get no TLS connection to {} through {}", to, way))
            .cause(if is_proxy { "the proxy, or something behind it, cut the connection" } else { "nothing lets containers out without a proxy, and prod.env names none" })
            .advise(text!("name the proxy of this site: {}", typed("--proxy http://<HOST>:<PORT>"))),
    };
    finding.observed(observed)
}

/// The metadata service, which answers this host.
fn of_metadata(lines: &[Line], network: &Text) -> Finding {
    let id: FindingId = ids::METADATA_FROM_CONTAINERS;
    let expected = "a token of the metadata service for containers too: the product gets its AWS credentials there";
    match lines.iter().find(|line| line.step == "metadata") {
        Some(line) if line.ok => Finding::pass(id, "the metadata service answers containers")
            .expected(expected)
            .observed(text!("a token was given, from {}", network)),
        Some(line) => Finding::warn(id, "the metadata service answers this host, and not its containers")
            .expected(expected)
            .observed(match line.status {
                0 => text!("{}, from {}", Foreign::new(&line.why), network),
                status => text!("it answers {}, from {}", status, network),
            })
            .cause("its answers travel one hop unless the instance says otherwise, and the way into a container is a second one")
            .advise(text!("give them a second hop: {}", typed("aws ec2 modify-instance-metadata-options --instance-id <INSTANCE> --http-put-response-hop-limit 2 --http-tokens required")))
            .advise("or give the product credentials of its own, and ask nobody for metadata"),
        None => Finding::skip(id, "the metadata service was not asked from a container")
            .observed("the container ended before"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;
    use crate::docker::double::Double;
    use crate::finding::Status;

    const OPEN: &str = r#"{"step":"name","ok":true,"addresses":["10.0.0.9"],"host":"p.corp.example","port":3128,"proxy":true}
{"step":"connect","ok":true}
"#;

    fn asked(host: &Double) -> Vec<Finding> {
        let home = Path::new("/divvycloud");
        let endpoint = ("backoffice.divvycloud.com", 443);
        ask(host, &Question { home, labels: false, image: "ics:v1", network: None, endpoint }, false)
    }

    fn output(code: i32, stdout: &str, stderr: &str) -> Output {
        Output { code: Some(code), stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn each_step_that_fails_has_its_cause_and_its_way_out() {
        let lines = |more: &str| format!("{OPEN}{more}");
        for (stdout, status, words) in [
            (
                lines("{\"step\":\"tunnel\",\"ok\":true,\"status\":200}\n{\"step\":\"tls\",\"ok\":true}\n"),
                Status::Pass,
                "reaches",
            ),
            (lines("{\"step\":\"tunnel\",\"ok\":false,\"status\":407}\n"), Status::Fail, "another login"),
            (
                lines("{\"step\":\"tunnel\",\"ok\":false,\"status\":403}\n"),
                Status::Fail,
                "does not let containers through",
            ),
            (
                lines(
                    "{\"step\":\"tunnel\",\"ok\":true,\"status\":200}\n{\"step\":\"tls\",\"ok\":false,\"kind\":\"untrusted\",\"why\":\"x\"}\n",
                ),
                Status::Fail,
                "do not trust",
            ),
            (
                "{\"step\":\"name\",\"ok\":false,\"kind\":\"name\",\"why\":\"x\"}\n".to_owned(),
                Status::Fail,
                "do not find",
            ),
            (
                lines("").replace(
                    "{\"step\":\"connect\",\"ok\":true}",
                    "{\"step\":\"connect\",\"ok\":false,\"kind\":\"refused\",\"why\":\"x\"}",
                ),
                Status::Fail,
                "cannot connect",
            ),
            (
                lines("{\"step\":\"proxy-tls\",\"ok\":false,\"kind\":\"tls\",\"why\":\"x\"}\n"),
                Status::Fail,
                "does not speak TLS",
            ),
            (OPEN.to_owned(), Status::Skip, "nothing was asked"),
            ("garbage\n{\"step\":5}\n".to_owned(), Status::Skip, "nothing was asked"),
        ] {
            let host = Double::installed().prints("docker run", stdout.clone());
            let found = asked(&host);
            assert_eq!((found.len(), found[0].status), (1, status), "{stdout}: {found:?}");
            assert!(found[0].title.contains(words), "{words}: {found:?}");
            assert_eq!(found[0].fix.is_empty(), status != Status::Fail, "{found:?}");
        }
    }

    #[test]
    fn where_nothing_can_ask_it_is_said() {
        for (host, words) in [
            (
                Double::installed().answers("docker run", || Ok(output(127, "", "exec: \"python3\": not found"))),
                "no python3",
            ),
            (Double::installed().fails("docker run", "Unable to find image"), "Unable to find image"),
            (Double::installed(), "no docker command"),
            (Double::installed().refuses("docker run", ErrorKind::TimedOut), "did not end within"),
        ] {
            let found = asked(&host);
            assert_eq!(found[0].status, Status::Skip);
            assert!(found[0].observed.as_ref().unwrap().contains(words), "{words}: {found:?}");
        }
    }

    #[test]
    fn no_value_of_prod_env_is_in_the_command() {
        let host = Double::installed().prints("docker run", OPEN);
        asked(&host);
        let ran = host.ran.lock().unwrap();
        let line =
            ran.iter().map(|command| command.argv.join(" ")).find(|line| line.starts_with("docker run")).unwrap();
        assert!(line.contains("--env-file /divvycloud/prod.env") && !line.contains("db.corp.example"), "{line}");
        assert!(line.contains("--rm") && line.contains("ics:v1 -c"), "{line}");
    }

    #[test]
    fn a_second_hop_is_advised_where_containers_get_no_answer() {
        let line = |text: &str| vec![serde_json::from_str::<Line>(text).unwrap()];
        let silent = line(r#"{"step":"metadata","ok":false,"kind":"silent","why":"timed out"}"#);
        let found = of_metadata(&silent, &"x".into());
        assert_eq!(found.status, Status::Warn);
        assert!(found.fix.iter().any(|fix| fix.text().contains("--http-put-response-hop-limit 2")));
        assert_eq!(
            of_metadata(&line(r#"{"step":"metadata","ok":true,"status":200}"#), &"x".into()).status,
            Status::Pass
        );
        assert_eq!(of_metadata(&[], &"x".into()).status, Status::Skip);
    }
}
