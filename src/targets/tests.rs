//! Plans of an installation on hosts whose programs answer what is written here.

use std::path::Path;

use super::*;
use crate::context::{HostContext, Inputs, Intent};
use crate::docker::double::Double;
use crate::finding::Ignored;
use crate::host::MemoryHost;
use crate::settings::{First, Layer, Origin};

const COMPOSE: &str = "/divvycloud/docker-compose.yml";
const LINE: &str = "@reboot docker-compose -f /divvycloud/docker-compose.yml up -d\n";

/// A running host with the vendor's files, on which systemd runs.
fn host() -> MemoryHost {
    let host = MemoryHost::new()
        .with("/etc/os-release", "ID=ubuntu\nVERSION_ID=22.04\n")
        .with("/usr/bin/docker-compose", "")
        .with("/divvycloud/prod.env", "DIVVY_DB_HOST=db\nDIVVY_DB_PASSWORD=x\nDIVVY_REDIS_HOST=r\n")
        .with(COMPOSE, crate::docker::double::COMPOSE);
    host.put_dir("/run/systemd/system");
    host
}

fn planned(files: &MemoryHost, flags: &[(Key, &str)], phase: Phase, project: Option<&str>) -> Plan {
    let mut layer = Layer::default();
    for (key, value) in flags {
        layer.insert(key.spec(), (*value).to_owned(), Origin::Flag(key.spec().shown())).unwrap();
    }
    let mut inputs = Inputs::alone(layer);
    let host = Double::with(files.clone());
    let first = First::Product;
    let mut known = HostContext::load(&host, &inputs, Intent::Change { first, dry_run: true }).unwrap();
    known.found.project = project.map(str::to_owned);
    let (settings, _) = known.settings(&mut inputs, &Ignored::default(), &mut |_| Ok(None)).unwrap();
    let platform = known.platform.as_ref().unwrap();
    plan(&Context { view: &known.view, platform, settings: &settings, found: &known.found, phase }).unwrap()
}

/// What a plan makes of a file; `None`: it leaves it.
fn made(plan: &Plan, path: &Path) -> Option<String> {
    let change = plan.changes.iter().find(|change| change.path == path)?;
    Some(String::from_utf8(change.new_bytes().to_vec()).unwrap())
}

fn install(files: &MemoryHost, project: Option<&str>) -> Plan {
    planned(files, &[], Phase::Install, project)
}

#[test]
fn the_unit_starts_the_product_as_runs_do() {
    let start = |plan: &Plan| {
        let unit = made(plan, &unit_path()).unwrap();
        let line = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        let (start, stop) = (line("ExecStart="), line("ExecStop="));
        assert_eq!(start.replace(" up -d", " stop"), stop);
        start
    };
    let files = host();
    let alone = "/usr/bin/docker-compose -f /divvycloud/docker-compose.yml";
    assert_eq!(start(&install(&files, None)), format!("{alone} up -d"));
    // The folder's own name is what Compose takes by itself.
    assert_eq!(start(&install(&files, Some("divvycloud"))), format!("{alone} up -d"));
    assert_eq!(start(&install(&files, Some("ics"))), format!("{alone} -p ics up -d"));
    files.put("/divvycloud/.env", b"COMPOSE_PROJECT_NAME=ics\n");
    assert_eq!(start(&install(&files, Some("ics"))), format!("{alone} up -d"));
    files.put("/divvycloud/docker-compose.override.yml", b"services:\n  worker:\n    scale: 3\n");
    let both = format!("{alone} -f /divvycloud/docker-compose.override.yml up -d");
    let plan = install(&files, Some("ics"));
    assert_eq!(start(&plan), both);
    files.put(&unit_path().to_string_lossy(), made(&plan, &unit_path()).unwrap().as_bytes());
    assert_eq!(made(&install(&files, Some("ics")), &unit_path()), None);
}

#[test]
fn the_line_of_a_crontab_goes_only_where_our_unit_takes_its_place() {
    let crontab = Path::new("/var/spool/cron/crontabs/root");
    let files = host();
    files.put(&crontab.to_string_lossy(), format!("# mine\n{LINE}").as_bytes());
    let plan = install(&files, None);
    assert_eq!(made(&plan, crontab).as_deref(), Some("# mine\n"));
    // Whether another unit is enabled is not known from its file.
    let other = "[Service]\nExecStart=/usr/bin/docker-compose -f /divvycloud/docker-compose.yml up -d\n";
    files.put("/etc/systemd/system/ics.service", other.as_bytes());
    let plan = install(&files, None);
    assert_eq!((made(&plan, crontab), made(&plan, &unit_path())), (None, None));
}
