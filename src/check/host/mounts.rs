//! Places that nothing may be started in, or written to.

use std::path::{Path, PathBuf};

use super::data::Data;
use crate::check::{Check, CheckSpec, Group, Look, Meta};
use crate::finding::ids;
use crate::finding::{Finding, Status};
use crate::net::Time;
use crate::system::mounts::{self, Mount, MountsFacts};
use crate::text;
use crate::text::own;

pub(super) struct Mounts;

impl Check for Mounts {
    type Facts = MountsFacts;

    const META: Meta = Meta::new("mounts", Group::Host, &[ids::NOEXEC, ids::READ_ONLY]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&MountsFacts>) -> MountsFacts {
        let temporary = Data::get().temporary.folders.iter().map(PathBuf::from);
        let places: Vec<PathBuf> = [PathBuf::from("/"), look.spec.home.clone()].into_iter().chain(temporary).collect();
        mounts::observe(look.host, &places)
    }

    fn judge(&self, facts: &MountsFacts, spec: &CheckSpec) -> Vec<Finding> {
        match facts.mounts.or_skip(ids::NOEXEC, "mounts") {
            Err(skipped) => vec![*skipped],
            Ok(mounts) => {
                let mut findings = judge_noexec(mounts, spec);
                findings.push(judge_read_only(mounts, spec));
                findings
            }
        }
    }
}

fn judge_noexec(mounts: &[Mount], spec: &CheckSpec) -> Vec<Finding> {
    let expected = "programs can be started in /tmp, /var/tmp and the product's folder";
    let (home, data) = (spec.home.display(), &Data::get().temporary);
    let barred = mounts.iter().filter(|mount| mount.noexec && mount.place != Path::new("/"));
    let mut findings: Vec<Finding> = barred
        .map(|mount| {
            let (place, point) = (mount.place.display(), mount.point.display());
            let finding = Finding::new(ids::NOEXEC, Status::Warn, format!("no program can be started in {place}"))
                .expected(expected)
                .observed(format!("{point} ({}) is mounted with noexec", mount.kind))
                .evidence("mount", point.to_string());
            let finding = if mount.place == spec.home {
                finding.cause(
                    "folders that containers mount from there are noexec in them too, and so are scripts beside the product",
                )
            } else {
                let finding = finding
                    .cause(
                        "docker-compose 1.x unpacks itself into the temporary folder at every start and ends with \
                         \"failed to map segment from shared object\"; installers unpacked there fail alike",
                    )
                    .fix(format!(
                        "another temporary folder for it: mkdir -p {home}/tmp && TMPDIR={home}/tmp docker-compose version"
                    ));
                Finding { docs: Some(text!("{}", own(&data.source))), ..finding }
            };
            finding.fix(format!("until the next boot: mount -o remount,exec {point}; for good: take noexec off {point} in /etc/fstab or tmp.mount"))
        })
        .collect();
    if findings.is_empty() {
        let seen: Vec<String> = mounts.iter().map(|mount| mount.place.display().to_string()).collect();
        findings.push(
            Finding::new(ids::NOEXEC, Status::Pass, "programs can be started in the temporary folders")
                .expected(expected)
                .observed(format!("no noexec on {}", seen.join(", "))),
        );
    }
    findings
}

fn judge_read_only(mounts: &[Mount], spec: &CheckSpec) -> Finding {
    let expected = format!("/, {} and the temporary folders can be written to", spec.home.display());
    let shut: Vec<&Mount> = mounts.iter().filter(|mount| mount.read_only).collect();
    let Some(first) = shut.first() else {
        return Finding::new(ids::READ_ONLY, Status::Pass, "nothing that is needed is mounted read-only")
            .expected(expected)
            .observed("all of them are mounted for writing");
    };
    let places: Vec<String> = shut.iter().map(|mount| mount.place.display().to_string()).collect();
    let point = first.point.display();
    // Systems with a read-only / by design have the rest on mounts of their own.
    let root_only = shut.iter().all(|mount| mount.place == Path::new("/"));
    let status = if root_only { Status::Warn } else { Status::Fail };
    Finding::new(ids::READ_ONLY, status, format!("{} cannot be written to", places.join(", ")))
        .expected(expected)
        .observed(format!("{point} ({}) is mounted read-only", first.kind))
        .cause("a file system with errors is made read-only by the kernel; some hardened images begin like that")
        .fix("was it an error? dmesg -T | grep -iE 'remount|I/O error|ext4|xfs' | tail")
        .fix(format!("mount -o remount,rw {point}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Live, checked, production};
    use super::*;
    use crate::host::MemoryHost;
    use crate::system::mounts::MOUNTS;

    fn look(table: &str) -> Vec<(&'static str, Status, String)> {
        let host = MemoryHost::new();
        host.put(MOUNTS, table.as_bytes());
        host.put_dir("/tmp");
        let findings = checked(&Mounts, &Live(host), &production());
        findings
            .into_iter()
            .map(|found| (found.id.as_str(), found.status, found.observed.unwrap_or_default().to_string()))
            .collect()
    }

    #[test]
    fn the_longest_and_the_latest_mount_counts() {
        let root = "/dev/vda1 / ext4 rw,relatime 0 0\n";
        let fine = look(root);
        assert_eq!((fine[0].1, fine[1].1, fine.len()), (Status::Pass, Status::Pass, 2), "{fine:?}");
        let tmp = look(&format!("{root}tmpfs /tmp tmpfs rw,nosuid,noexec 0 0\n"));
        assert_eq!((tmp[0].0, tmp[0].1, tmp.len()), ("noexec", Status::Warn, 2), "{tmp:?}");
        assert!(tmp[0].2.contains("/tmp (tmpfs)"), "{tmp:?}");
        let covered = look(&format!("{root}tmpfs /tmp tmpfs rw,noexec 0 0\ntmpfs /tmp tmpfs rw 0 0\n"));
        assert_eq!(covered[0].1, Status::Pass, "{covered:?}");
        let beside = look(&format!("{root}tmpfs /tmpx tmpfs rw,noexec 0 0\n"));
        assert_eq!(beside[0].1, Status::Pass, "{beside:?}");
    }

    #[test]
    fn read_only_places_fail_and_a_read_only_root_alone_warns() {
        let all = look("/dev/vda1 / ext4 ro 0 0\n");
        assert_eq!(all[1].1, Status::Fail, "{all:?}");
        let root = look("a / ext4 ro 0 0\nb /tmp x rw 0 0\nb /var x rw 0 0\nb /divvycloud x rw 0 0\n");
        assert_eq!(root[1].1, Status::Warn, "{root:?}");
    }

    proptest! {
        #[test]
        fn no_table_breaks_it(table in ".{0,200}") {
            look(&table);
        }
    }
}
