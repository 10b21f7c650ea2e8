//! Places that nothing may be started in, or written to.

use std::path::{Path, PathBuf};

use super::argument;
use super::data::Data;
use crate::check::prelude::*;
use crate::system::mounts::{self, Mount, MountsFacts};

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
    let (home, data) = (argument(&spec.home), &Data::get().temporary);
    let barred = mounts.iter().filter(|mount| mount.noexec && mount.place != Path::new("/"));
    let mut findings: Vec<Finding> = barred
        .map(|mount| {
            let title = text!("no program can be started in {}", mount.place);
            let finding = Finding::warn(ids::NOEXEC, title)
                .expected(expected)
                .observed(text!("{} ({}) is mounted with noexec", mount.point, own(&mount.kind)))
                .evidence("mount", own(mount.point.display()));
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
                    .advise(text!("give it another temporary folder: {}", typed(text!("mkdir -p {}/tmp && TMPDIR={}/tmp docker-compose version", home, home))));
                Finding { docs: Some(text!("{}", own(&data.source))), ..finding }
            };
            finding.fix(as_root(text!("mount -o remount,exec {}", argument(&mount.point)))).advise(text!(
                "take noexec off {} in /etc/fstab or tmp.mount, so that it lasts over the next boot",
                mount.point
            ))
        })
        .collect();
    if findings.is_empty() {
        let seen = Text::join(mounts.iter().map(|mount| text!("{}", mount.place)), ", ");
        findings.push(
            Finding::pass(ids::NOEXEC, "programs can be started in the temporary folders")
                .expected(expected)
                .observed(text!("no noexec on {}", seen)),
        );
    }
    findings
}

fn judge_read_only(mounts: &[Mount], spec: &CheckSpec) -> Finding {
    let expected = text!("/, {} and the temporary folders can be written to", spec.home);
    let shut: Vec<&Mount> = mounts.iter().filter(|mount| mount.read_only).collect();
    let Some(first) = shut.first() else {
        return Finding::pass(ids::READ_ONLY, "nothing that is needed is mounted read-only")
            .expected(expected)
            .observed("all of them are mounted for writing");
    };
    let places = Text::join(shut.iter().map(|mount| text!("{}", mount.place)), ", ");
    let mut points: Vec<&PathBuf> = shut.iter().map(|mount| &mount.point).collect();
    points.sort();
    points.dedup();
    let remount = points.into_iter().map(|point| text!("mount -o remount,rw {}", argument(point)));
    // Systems with a read-only / by design have the rest on mounts of their own.
    let root_only = shut.iter().all(|mount| mount.place == Path::new("/"));
    let status = if root_only { Status::Warn } else { Status::Fail };
    Finding::new(ids::READ_ONLY, status, text!("{} cannot be written to", places))
        .expected(expected)
        .observed(text!("{} ({}) is mounted read-only", first.point, own(&first.kind)))
        .cause("a file system with errors is made read-only by the kernel; some hardened images begin like that")
        .advise(text!(
            "see whether it was an error: {}",
            typed("dmesg -T | grep -iE 'remount|I/O error|ext4|xfs' | tail")
        ))
        .fix(as_root(Text::join(remount, " && ")))
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
