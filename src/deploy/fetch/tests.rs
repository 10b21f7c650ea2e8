use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::docker::double::Double;

fn source<'s>(roots: &'s Roots, bundle: Option<&'s Path>) -> Source<'s> {
    Source {
        bundle,
        proven: false,
        proxy: None,
        roots,
        folder: "/var/lib/docker",
        architecture: "amd64",
        platform: None,
    }
}

fn fetched(host: &Double, images: &[&str], bundle: Option<&Path>) -> Result<Fetched, Problem> {
    let roots = Roots::of(host, &[]);
    let images: Vec<String> = images.iter().map(|&image| image.to_owned()).collect();
    let mut task = Task { host, tell: &mut |_| {}, stop: &|| false };
    fetch(&mut task, &images, &source(&roots, bundle))
}

fn ended(code: i32, stdout: &str, stderr: &str) -> Output {
    Output { code: Some(code), stdout: stdout.as_bytes().to_vec(), stderr: stderr.as_bytes().to_vec() }
}

const ABSENT: &str = "Error response from daemon: No such image: x:1\n";
const INSPECT: &str = "docker image inspect --format {{.Architecture}}";

/// Has no image until `verb` has run `times` times; that says this before.
fn host(verb: &str, times: usize, words: &'static str) -> Double {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    Double::installed()
        .answers(verb, move || {
            let fails = count.fetch_add(1, Ordering::SeqCst) + 1 < times;
            Ok(if fails { ended(1, "", words) } else { ended(0, "Status: Downloaded newer image\n", "") })
        })
        .answers(INSPECT, move || {
            Ok(if seen.load(Ordering::SeqCst) < times { ended(1, "\n", ABSENT) } else { ended(0, "amd64\n", "") })
        })
}

fn pulls(host: &Double) -> usize {
    host.ran.lock().unwrap().iter().filter(|command| command.argv[1] == "pull").count()
}

#[test]
fn each_image_is_pulled_once_and_none_that_is_here() {
    let one = host("docker pull", 1, "");
    assert_eq!(fetched(&one, &["x:1", "x:1"], None).unwrap().images, ["x:1"]);
    assert_eq!(pulls(&one), 1);
    let here = Double::installed().prints(INSPECT, "amd64\n");
    assert_eq!((fetched(&here, &["x:1"], None).unwrap().images.len(), pulls(&here)), (0, 0));
    assert_eq!(fetched(&here, &["--help"], None).unwrap_err().id, "setting-invalid");
    let other = Double::installed().prints(INSPECT, "arm64\n");
    assert_eq!(fetched(&other, &["x:1"], None).unwrap_err().id, "image-architecture");
    let silent = Double::installed().fails(INSPECT, "Cannot connect to the Docker daemon\n");
    assert_eq!(fetched(&silent, &["x:1"], None).unwrap_err().id, "docker-silent");
}

#[test]
fn a_time_out_is_tried_again_and_nothing_else() {
    let late = "Error response from daemon: Get \"https://r.test/v2/\": net/http: TLS handshake timeout\n";
    let again = host("docker pull", 2, late);
    assert_eq!((fetched(&again, &["x:1"], None).unwrap().images.len(), pulls(&again)), (1, 2));
    let refused = host(
        "docker pull",
        2,
        "Error response from daemon: manifest for x:1 not found: manifest unknown: manifest unknown\n",
    );
    assert_eq!((fetched(&refused, &["x:1"], None).unwrap_err().id.as_str(), pulls(&refused)), ("pull-no-such-tag", 1));
    let stalled = Double::installed().fails(INSPECT, ABSENT).refuses("docker pull", ErrorKind::TimedOut);
    assert_eq!((fetched(&stalled, &["x:1"], None).unwrap_err().id.as_str(), pulls(&stalled)), ("pull-failed", 1));
    let stopped = Double::installed().fails(INSPECT, ABSENT).refuses("docker pull", ErrorKind::Interrupted);
    assert_eq!(fetched(&stopped, &["x:1"], None).unwrap_err().id, "cancelled");
}

/// Printed by 20.10.24 and 26.1.5 behind squid, but for those that a public registry says.
#[test]
fn what_the_daemon_says_finds_its_cause_and_a_way_out() {
    for (said, id) in [
        ("Get \"https://public.ecr.aws/v2/\": Proxy Authentication Required", "pull-proxy-login"),
        (
            "Get \"https://public.ecr.aws/v2/\": proxyconnect tcp: tls: first record does not look like a TLS handshake",
            "pull-proxy-scheme",
        ),
        (
            "Get \"https://public.ecr.aws/v2/\": proxyconnect tcp: dial tcp 10.9.0.2:3999: connect: connection refused",
            "pull-proxy-unreachable",
        ),
        (
            "Get \"https://public.ecr.aws/v2/\": dial tcp: lookup public.ecr.aws on 10.9.0.2:53: no such host",
            "pull-name-unknown",
        ),
        (
            "Get \"https://nosuch.test/v2/\": dial tcp: lookup nosuch.test on [::1]:53: read udp [::1]:60462->[::1]:53: read: connection refused",
            "pull-name-unknown",
        ),
        ("Get \"https://public.ecr.aws/v2/\": x509: certificate signed by unknown authority", "pull-unknown-authority"),
        (
            "Get \"https://public.ecr.aws/v2/\": tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
            "pull-certificate",
        ),
        ("Get \"https://denied.lab.test/v2/\": Forbidden", "pull-forbidden"),
        ("Get \"https://absent.test/v2/\": Internal Server Error", "pull-gateway"),
        (
            "manifest for public.ecr.aws/divvycloud/divvycloud:v99.9.9 not found: manifest unknown: manifest unknown",
            "pull-no-such-tag",
        ),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "pull-no-platform"),
        (
            "failed to register layer: Error processing tar file(exit status 1): write /x: no space left on device",
            "pull-disk-full",
        ),
        ("toomanyrequests: You have reached your pull rate limit.", "pull-rate-limit"),
        ("toomanyrequests: Rate exceeded", "pull-rate-limit"),
        ("Get \"https://r.test/v2/x/manifests/1\": no basic auth credentials", "pull-denied"),
        (
            "pull access denied for x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
            "pull-denied",
        ),
        ("Get \"https://r.test:5000/v2/\": http: server gave HTTP response to HTTPS client", "pull-http-for-https"),
        (
            "Get \"https://r.test/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
            "pull-gateway-timeout",
        ),
        ("Get \"https://r.test/v2/\": dial tcp 192.0.2.1:443: connect: network is unreachable", "pull-unreachable"),
        ("something else", "pull-failed"),
    ] {
        let failure = known(&Facts::get().failure, said);
        let places = [("registry", text!("r.test"))];
        let problem = problem(failure, id::PULL_FAILED, "x".into(), said, &places);
        assert_eq!(problem.id, id, "{said}");
        assert_eq!(problem.hints.is_empty(), id == "pull-failed", "{said}");
    }
}

#[test]
fn hosts_are_those_that_are_named() {
    for (image, host) in
        [("redis", HUB), ("divvycloud/x:1", HUB), ("r.test:5000/x", "r.test:5000"), ("localhost/x", "localhost")]
    {
        assert_eq!(registry(image), host);
    }
    assert_eq!(named("Get \"https://d5l0.cloudfront.net/x?y\": x509").as_deref(), Some("d5l0.cloudfront.net"));
    assert_eq!(named("Get \"https://$(x)/\": x509"), None);
    assert_eq!(named("none"), None);
    let words = "x509: certificate signed by unknown authority (possibly because of \"x\" while trying to verify candidate authority certificate \"Corp CA\")";
    assert_eq!(in_words(words).unwrap(), "Corp CA");
}

#[test]
fn a_bundle_is_proven_before_it_is_loaded_and_has_what_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path();
    std::fs::write(bundle.join("images.tar"), b"abc").unwrap();
    let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let id = |host: &Double| {
        fetched(host, &["x:1"], Some(bundle)).map(|done| done.images.len()).map_err(|problem| problem.id.as_str())
    };
    let load = || host("docker load -i", 1, "");
    let loads = |host: &Double| host.ran.lock().unwrap().iter().filter(|command| command.argv[1] == "load").count();
    let without = load();
    assert_eq!((id(&without), loads(&without)), (Err("images-unproven"), 0));
    for list in ["", "00  other\n", &format!("{}  images.tar\n", "0".repeat(64))] {
        std::fs::write(bundle.join("SHA256SUMS"), list).unwrap();
        let wrong = load();
        assert_eq!((id(&wrong), loads(&wrong)), (Err("images-unproven"), 0), "{list}");
    }
    std::fs::write(bundle.join("SHA256SUMS"), format!("{sum}  images.tar\n")).unwrap();
    let right = load();
    assert_eq!((id(&right), loads(&right), pulls(&right)), (Ok(1), 1, 0));
    assert_eq!(size(bundle).unwrap(), 3);
    let other = Double::installed().prints("docker load", "Loaded image: y:2\n").fails(INSPECT, ABSENT);
    let problem = fetched(&other, &["x:1"], Some(bundle)).unwrap_err();
    assert!(problem.id == "load-failed" && problem.sentence().contains("it has y:2"), "{problem}");
    let full = Double::installed()
        .fails("docker load", "Error processing tar file(exit status 1): write /x: no space left on device\n")
        .fails(INSPECT, ABSENT);
    let problem = fetched(&full, &["x:1"], Some(bundle)).unwrap_err();
    assert!(problem.id == "pull-disk-full" && problem.sentence().contains("/var/lib/docker"), "{problem}");
    let broken = Double::installed().fails("docker load", "archive/tar: invalid tar header\n").fails(INSPECT, ABSENT);
    assert_eq!(id(&broken), Err("pull-no-archive"));
    std::fs::remove_file(bundle.join("images.tar")).unwrap();
    assert_eq!(id(&load()), Err("images-unproven"));
    std::fs::write(bundle.join("SHA256SUMS"), "").unwrap();
    assert_eq!(id(&load()), Err("load-failed"));
}
