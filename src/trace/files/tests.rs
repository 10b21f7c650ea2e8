use super::*;
use crate::host::MemoryHost;
use crate::settings::ProxyUrl;

const UNIT: &str = "/etc/systemd/system/caller.service";

/// What the files of a host say, where one proxy is wanted.
pub(in super::super) fn files(host: &MemoryHost) -> Files<'_> {
    let spec = ProxySpec::new(&ProxyUrl::parse("http://h.example:3128").unwrap(), "--proxy".to_owned());
    Files {
        host,
        platform: None,
        home: Path::new("/divvycloud"),
        facts: ConsumersFacts::default(),
        wanted: Wanted { http: Some(spec.clone()), https: Some(spec), ..Wanted::default() },
        containers: Vec::new(),
        product: Found::default(),
    }
}

/// What the files of a service say, with these further lines of its unit.
fn of_unit(host: MemoryHost, lines: &str) -> String {
    let host = host.with(UNIT, format!("[Service]\nExecStart=/bin/true\n{lines}"));
    let files = files(&host);
    match files.of_unit("caller.service", true, &Names::new(&host, &[], Vec::new())) {
        Today::Wanted { file, .. } => format!("wanted in {}", file.display()),
        Today::Else(finding) => finding.title.to_string(),
        Today::Other { file, last } => format!("other in {}, {}", file.display(), last.unwrap_or_default()),
        Today::Nothing { last, .. } => format!("nothing, {}", last.unwrap_or_default()),
        Today::Unknown => "unknown".to_owned(),
    }
}

#[test]
fn what_the_files_of_a_service_do_not_tell_is_unknown() {
    let host = MemoryHost::new;
    assert_eq!(of_unit(host(), ""), "nothing, ");
    assert_eq!(of_unit(host(), "Environment=https_proxy=http://h.example:3128\n"), format!("wanted in {UNIT}"));
    assert_eq!(of_unit(host(), "Environment=https_proxy=h.example:3128\n"), format!("wanted in {UNIT}"));
    assert_eq!(of_unit(host(), "Environment=https_proxy=http://old:1\n"), format!("other in {UNIT}, "));
    assert_eq!(of_unit(host(), "PassEnvironment=https_proxy\n"), "unknown");
    let by_address = "Environment=https_proxy=http://203.0.113.9:3128\n";
    assert_eq!(of_unit(host(), by_address), format!("other in {UNIT}, "));
    let known = host().with("/etc/hosts", "203.0.113.9 h.example\n");
    assert_eq!(of_unit(known, by_address), format!("wanted in {UNIT}"));
}

#[test]
fn what_a_file_of_variables_says_comes_last() {
    let host = || MemoryHost::new().with("/etc/default/caller", "A=1\nHTTPS_PROXY=http://old:1\n");
    let file = "EnvironmentFile=/etc/default/caller\n";
    let last = "other in /etc/default/caller, /etc/default/caller:2";
    assert_eq!(of_unit(host(), file), last);
    assert_eq!(of_unit(host(), &format!("{file}Environment=HTTPS_PROXY=http://h.example:3128\n")), last);
    let host = MemoryHost::new().with("/etc/default/caller", "no_proxy=x\n");
    assert_eq!(of_unit(host, file), "nothing, /etc/default/caller:1");
}
