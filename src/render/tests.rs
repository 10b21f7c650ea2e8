//! What goes into the texts, and what does not get in.

use super::front::{Front, Server};
use super::*;

fn front(name: &str) -> Front {
    Front {
        name: ServerName::parse(name).unwrap(),
        certificate: PlainPath::parse("/etc/ssl/ics.pem").unwrap(),
        key: PlainPath::parse("/etc/ssl/private/ics.key").unwrap(),
        upstream: "127.0.0.1:8001".parse().unwrap(),
    }
}

#[test]
fn a_server_name_is_a_name_alone() {
    for (text, name) in [("ics.corp.example", "ics.corp.example"), ("ICS", "ics"), ("a-1.b", "a-1.b")] {
        assert_eq!(ServerName::parse(text).unwrap().as_str(), name);
    }
    for wrong in [
        "",
        "a b",
        "a;b",
        "a{",
        "*.corp.example",
        "a_b.c",
        "a.b.",
        "a:443",
        "10.0.0.1",
        "[fd00::1]",
        "u@a",
        "@a",
        "a/",
        "a\n",
        " a",
        "https://a",
        "a#",
        "$host",
        "\u{e4}.example",
        "a..b",
        "-a",
    ] {
        assert!(ServerName::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_path_has_nothing_that_ends_a_word() {
    for path in ["/etc/ssl/ics.pem", "/a/../b", "/x@1+2=3,4~5_6-7"] {
        assert_eq!(PlainPath::parse(path).unwrap().as_str(), path);
    }
    for wrong in [
        "", "ics.pem", "/a b", "/a;b", "/a\"b", "/a'b", "/a$b", "/a%b", "/a{b", "/a\\b", "/a\nb", "/a#b", "/a/",
        "/\u{e4}",
    ] {
        assert!(PlainPath::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn an_arn_names_a_secret_or_a_parameter() {
    for arn in [
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:proxy-AbCdEf",
        "arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/ics/proxy",
    ] {
        assert_eq!(SecretArn::parse(arn).unwrap().as_str(), arn);
    }
    for wrong in [
        "",
        "proxy",
        "arn:aws:s3:::bucket",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:",
        "arn:aws:secretsmanager:us-east-1:1:secret:x",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:x:key::",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:x\" }",
        "arn:aws:ssm:us-east-1:123456789012:parameter/${x}",
    ] {
        assert!(SecretArn::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_front_door_waits_longer_than_two_minutes_and_names_the_command_for_the_product() {
    let mut front = front("ics.corp.example");
    let nginx = front::text(Server::Nginx, &front);
    let apache = front::text(Server::Apache, &front);
    for text in [&nginx, &apache] {
        assert!(text.contains("\n#   sudo ics-setup reconfigure --reverse-proxy --bind 127.0.0.1\n"), "{text}");
        assert!(text.contains("read 2026-11-21"), "{text}");
    }
    let seconds = |text: &str, key: &str| -> u32 {
        let (_, rest) = text.split_once(key).unwrap_or_else(|| panic!("{key}: {text}"));
        rest.trim_start().split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    for (text, key) in [
        (&nginx, "proxy_read_timeout"),
        (&nginx, "proxy_send_timeout"),
        (&apache, "\n    Timeout"),
        (&apache, " timeout="),
    ] {
        assert!(seconds(text, key) >= 120, "{key}: {text}");
    }
    assert!(nginx.contains("proxy_pass http://127.0.0.1:8001;"), "a path there would be written anew: {nginx}");
    front.upstream = "[fd00::1]:8080".parse().unwrap();
    let nginx = front::text(Server::Nginx, &front);
    assert!(nginx.contains("reconfigure --reverse-proxy --bind fd00::1 --port 8080\n"), "{nginx}");
    assert!(nginx.contains("proxy_pass http://[fd00::1]:8080;"), "{nginx}");
}

#[test]
fn the_balancer_has_the_figures_of_the_vendor() {
    let text = alb::text(8001);
    for line in [
        "path                = \"/Status\"",
        "interval            = 20",
        "timeout             = 10",
        "healthy_threshold   = 3",
        "unhealthy_threshold = 3",
        "matcher             = \"200\"",
        "idle_timeout               = 600",
        "deregistration_delay = 300",
        "#   sudo ics-setup reconfigure --reverse-proxy\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(alb::text(8080).contains("reconfigure --reverse-proxy --port 8080\n"));
}
