use std::io::ErrorKind;

use super::{HostContext, Inputs, Intent};
use crate::finding::Ignored;
use crate::host::MemoryHost;
use crate::settings::{First, Key, Layer, Origin, STATE_FILE};

const CHANGE: Intent = Intent::Change { first: First::System, dry_run: false };
const INTENTS: [Intent; 4] = [CHANGE, Intent::Check, Intent::Show, Intent::Missing];

fn ubuntu() -> MemoryHost {
    MemoryHost::new()
        .with("/etc/os-release", "ID=ubuntu\nVERSION_ID=22.04\n")
        .with("/etc/environment", "http_proxy=http://u@system:1\n")
}

fn inputs() -> Inputs {
    Inputs::alone(Layer::default())
}

#[test]
fn an_unknown_system_stops_those_who_change_it_only() {
    let host = MemoryHost::new().with("/etc/os-release", "ID=alpine\nVERSION_ID=3.18\n");
    let known =
        INTENTS.map(|intent| HostContext::load(&host, &inputs(), intent).map(|context| context.platform.is_some()));
    assert_eq!(known.map(Result::ok), [None, Some(false), Some(false), None]);
}

#[test]
fn a_file_that_cannot_be_read_is_a_finding_to_a_check_and_an_error_to_others() {
    let host = ubuntu().with_error("/etc/environment", ErrorKind::Other);
    let unread =
        INTENTS.map(|intent| HostContext::load(&host, &inputs(), intent).map(|context| context.unread.is_some()));
    assert_eq!(unread.map(Result::ok), [None, Some(true), None, None]);
    // What only root may read is passed over by who writes nothing.
    let host = ubuntu().with_error("/etc/environment", ErrorKind::PermissionDenied);
    let dry_run = Intent::Change { first: First::System, dry_run: true };
    let root_only = [CHANGE, dry_run, Intent::Check, Intent::Show, Intent::Missing]
        .map(|intent| HostContext::load(&host, &inputs(), intent).map(|context| context.root_only().len()));
    assert_eq!(root_only.map(Result::ok), [None, Some(1), Some(1), Some(1), Some(1)]);
}

#[test]
fn what_the_last_run_was_told_is_missing_only_where_that_is_said() {
    let told = r#"{"version": 1, "settings": {"release": "22.3.9"}}"#;
    let attributes = crate::host::Attributes::new(0o600, 0, 0);
    let host = ubuntu();
    host.put_with(STATE_FILE, told.as_bytes(), attributes);
    let dry_run = Intent::Change { first: First::System, dry_run: true };
    let all = [CHANGE, dry_run, Intent::Check, Intent::Show, Intent::Missing];
    let origin = |context: HostContext<'_>| context.layers.get(Key::Release).map(|setting| setting.origin.to_string());
    for intent in all {
        assert_eq!(origin(HostContext::load(&host, &inputs(), intent).unwrap()).as_deref(), Some("last run"));
    }
    let host = host.with_error(STATE_FILE, ErrorKind::PermissionDenied);
    let unread = all.map(|intent| HostContext::load(&host, &inputs(), intent).map(|context| context.root_only()));
    let named = || Some(vec![STATE_FILE.into()]);
    assert_eq!(unread.map(Result::ok), [None, named(), named(), None, None]);
    assert!(inputs().layers(&host).is_err());
    let host = host.with_error(STATE_FILE, ErrorKind::Other);
    assert!(all.into_iter().all(|intent| HostContext::load(&host, &inputs(), intent).is_err()));
}

#[test]
fn the_product_counts_first_where_it_is_installed() {
    let host = ubuntu().with("/divvycloud/prod.env", "http_proxy=http://product:1\n");
    let proxy =
        |intent| HostContext::load(&host, &inputs(), intent).unwrap().found.get(Key::ProxyHttp).unwrap().value.clone();
    assert_eq!(INTENTS.map(proxy), ["http://u@system:1", "http://product:1", "http://product:1", "http://product:1"]);
}

#[test]
fn a_missing_password_is_asked_for_once() {
    let host = ubuntu();
    let mut flags = Layer::default();
    flags.insert(Key::ProxyUser.spec(), "svc".to_owned(), Origin::Flag("--proxy-user".to_owned())).unwrap();
    let mut inputs = Inputs::alone(flags);
    let ignored = Ignored::default();
    let mut context = HostContext::load(&host, &inputs, CHANGE).unwrap();
    let nobody = context.settings(&mut inputs, &ignored, &mut |_| Ok(None)).unwrap_err();
    assert_eq!(nobody.id, "settings-missing");
    let mut asked = Vec::new();
    for _ in 0..2 {
        let mut context = HostContext::load(&host, &inputs, CHANGE).unwrap();
        let answer = &mut |spec: &crate::settings::Spec| {
            asked.push(spec.key);
            Ok(Some("s3cret".to_owned()))
        };
        let (settings, _) = context.settings(&mut inputs, &ignored, answer).unwrap();
        assert_eq!(settings.proxies.http.unwrap().value.password().unwrap().expose(), b"s3cret");
    }
    assert_eq!(asked, [Key::ProxyPassword]);
}

#[test]
fn what_may_stand_in_a_file_that_this_user_may_not_read_is_not_absent() {
    let host = ubuntu()
        .with_error("/etc/environment", ErrorKind::PermissionDenied)
        .with("/divvycloud/prod.env", "http_proxy=http://u@product:1\n");
    let (mut inputs, ignored) = (inputs(), Ignored::default());
    let mut context = HostContext::load(&host, &inputs, Intent::Check).unwrap();
    let problem = context.settings(&mut inputs, &ignored, &mut |_| Ok(None)).unwrap_err();
    assert_eq!(problem.id, "needs-root");
    let sentence = problem.sentence().to_string();
    assert!(sentence.contains("proxy.password") && sentence.contains("/etc/environment"), "{sentence}");
    assert!(problem.hints.is_empty(), "the line with sudo is added where it is known");
}
