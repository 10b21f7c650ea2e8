//! Size, free space and inodes where the product and its images are.

use std::path::Path;

use super::argument;
use super::data::Data;
use super::hardware::within_tolerance;
use crate::check::prelude::*;
use crate::check::requirements::Hardware as Needs;
use crate::consumers;
use crate::envfile::unit::Release;
use crate::host::Space;
use crate::platform::Platform;
use crate::system::disk::{self, DiskFacts, Place};

pub(super) struct Disk;

impl Check for Disk {
    type Facts = DiskFacts;

    const META: Meta = Meta::new("disk", Group::Host, &[ids::DISK_FREE, ids::DISK_SIZE, ids::DISK_INODES]);

    fn collect(&self, look: &Look<'_>, _time: Time, _earlier: Option<&DiskFacts>) -> DiskFacts {
        let release = look.platform.map_or(Release::UNKNOWN, Platform::systemd);
        disk::observe(look.host, &look.spec.home, consumers::data_root(look.host, release))
    }

    fn judge(&self, facts: &DiskFacts, spec: &CheckSpec) -> Vec<Finding> {
        let needs = Needs::of(spec.deployment);
        let mut findings = Vec::new();
        let mut systems: Vec<FileSystem<'_>> = Vec::new();
        for place in &facts.places {
            let what = text!("the file system of {}", place.path);
            match place.space.or_skip(ids::DISK_FREE, what) {
                Ok(sizes) => match systems.iter_mut().find(|system| system.sizes.device == sizes.device) {
                    Some(system) => system.places.push(place),
                    None => systems.push(FileSystem { sizes, places: vec![place] }),
                },
                Err(skipped) => findings.push(*skipped),
            }
        }
        let size = (!systems.is_empty()).then(|| judge_size(&systems, needs));
        match &facts.docker_unknown {
            None => findings.extend(size),
            Some(why) => {
                // What is enough without it is enough.
                let is_enough = |size: &Finding| size.status == Status::Pass;
                let title = "whether there is disk enough is not known, as where Docker keeps images is not";
                findings.push(size.filter(is_enough).unwrap_or_else(|| unknown(ids::DISK_SIZE, title, why)));
                let title = "where Docker keeps images is not known, nor how much is free there";
                findings.push(unknown(ids::DISK_FREE, title, why));
            }
        }
        for system in &systems {
            findings.push(judge_free(system, facts, needs));
            findings.extend(judge_inodes(system));
        }
        findings
    }
}

/// What the file system that images go to would tell.
fn unknown(id: FindingId, title: &'static str, why: &Text) -> Finding {
    Finding::skip(id, title)
        .observed(why.clone())
        .advise(text!("mend that file, then ask again: {}", ics_setup("check host")))
}

/// A file system and what of ours lies on it.
struct FileSystem<'a> {
    sizes: &'a Space,
    places: Vec<&'a Place>,
}

impl FileSystem<'_> {
    fn shown(&self) -> Text {
        Text::join(self.places.iter().map(|place| text!("{}", place.path)), ", ")
    }

    /// A path to give to df and du.
    fn at(&self) -> &Path {
        self.places.first().map_or(Path::new("/"), |place| &place.looked_at)
    }
}

/// Volumes of their own for `/var` or the product count together: what matters is what there is.
fn judge_size(systems: &[FileSystem<'_>], needs: &Needs) -> Finding {
    let total = systems.iter().fold(0_u64, |sum, system| sum.saturating_add(system.sizes.total));
    let asked = needs.disk_gb * 1_000_000_000;
    let enough = total >= within_tolerance(asked);
    let each = systems.iter().map(|system| text!("{} ({})", gb(system.sizes.total), system.shown()));
    let status = if enough { Status::Pass } else { Status::Fail };
    let title = match enough {
        true => text!("{} of disk", gb(total)),
        false => text!("{} of disk where {} needs {} GB", gb(total), own(needs.name), needs.disk_gb),
    };
    let finding = Finding::new(ids::DISK_SIZE, status, title)
        .expected(text!(
            "{} GB or more; from {} on it passes, because file systems keep some for themselves",
            needs.disk_gb,
            gb(within_tolerance(asked))
        ))
        .observed(Text::join(each, " + "))
        .evidence("bytes", total)
        .evidence("source", own(&needs.source));
    if enough {
        return finding;
    }
    finding
        .cause("images, logs and, in a Test Drive, the database grow on it; a full disk stops the product at once")
        .advise(text!(
            "make the volume larger, then the file system: {} (ext4) or {} (xfs)",
            typed("growpart <DISK> <PARTITION> && resize2fs <DEVICE>"),
            typed("xfs_growfs /")
        ))
        .advise(text!("see which device it is: {}", typed("df -hT / && lsblk")))
}

fn judge_free(system: &FileSystem<'_>, facts: &DiskFacts, needs: &Needs) -> Finding {
    let installed = facts.installed;
    let data = &Data::get().disk;
    // Images are unpacked where Docker is; on other file systems only the product's own files are.
    let holds_images = system.places.iter().any(|place| place.path == facts.docker);
    let wanted = if installed || !holds_images { data.running_kib } else { needs.free_kib } << 10;
    let free = system.sizes.free;
    let status = match free {
        _ if free < data.full_kib << 10 => Status::Fail,
        _ if free < wanted => Status::Warn,
        _ => Status::Pass,
    };
    let shown = system.shown();
    let title = match status {
        Status::Pass => text!("{} free on {}", gb(free), shown),
        _ => text!("only {} free on {}", gb(free), shown),
    };
    let at = system.at();
    let when = if installed { "while the product runs" } else { "before it is installed" };
    let finding = Finding::new(ids::DISK_FREE, status, title)
        .expected(text!("{} or more {}", gb(wanted), own(when)))
        .observed(text!("{} of {} free at {}", gb(free), gb(system.sizes.total), at))
        .evidence("free", free)
        .evidence("total", system.sizes.total);
    match status {
        Status::Pass => finding,
        _ => finding
            .cause("pulling an image stops half-way when the disk is full, and recovering from that takes long")
            .advise(text!(
                "see what takes the space: {}",
                typed(text!("du -xh --max-depth=2 {} | sort -h | tail -20", argument(at)))
            ))
            .advise(text!("remove images that no container uses: {}", typed("docker image prune -a"))),
    }
}

/// File systems without a fixed number of inodes (btrfs, some network file systems) have nothing to judge.
fn judge_inodes(system: &FileSystem<'_>) -> Option<Finding> {
    let Space { inodes, inodes_free, .. } = *system.sizes;
    if inodes == 0 {
        return None;
    }
    let left = u128::from(inodes_free) * 100 / u128::from(inodes);
    let status = match left {
        0 => Status::Fail,
        1..=4 => Status::Warn,
        _ => Status::Pass,
    };
    let shown = system.shown();
    let title = match status {
        Status::Pass => text!("{} % of the inodes free on {}", left, shown),
        _ => text!("only {} % of the inodes free on {}: no new file soon, whatever df says of space", left, shown),
    };
    let finding = Finding::new(ids::DISK_INODES, status, title)
        .expected("5 % or more of the inodes free")
        .observed(text!("{} of {} free", inodes_free, inodes))
        .evidence("inodes", inodes)
        .evidence("inodes_free", inodes_free);
    Some(match status {
        Status::Pass => finding,
        _ => finding
            .advise(text!(
                "see where they are: {}",
                typed(text!("du -x --inodes --max-depth=3 {} | sort -n | tail -20", argument(system.at())))
            ))
            .advise(text!("remove images that no container uses: {}", typed("docker image prune -a"))),
    })
}

fn gb(bytes: u64) -> Text {
    let tenths = bytes / 100_000_000;
    text!("{}.{} GB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::testing::{checked, production, spec};
    use super::*;
    use crate::host::MemoryHost;
    use crate::settings::Deployment;
    use crate::system::Seen;

    const GB: u64 = 1_000_000_000;
    const DOCKER: &str = "/var/lib/docker";

    fn facts(installed: bool, places: &[(&str, u64, u64, u64)]) -> DiskFacts {
        let place = |(path, device, total, free): &(&str, u64, u64, u64)| Place {
            path: PathBuf::from(path),
            looked_at: PathBuf::from(path),
            space: Seen::Is(Space { device: *device, total: *total, free: *free, inodes: 1000, inodes_free: 500 }),
        };
        DiskFacts { installed, places: places.iter().map(place).collect(), docker: DOCKER.into(), docker_unknown: None }
    }

    fn status(findings: &[Finding], id: &str) -> Vec<Status> {
        findings.iter().filter(|found| found.id == id).map(|found| found.status).collect()
    }

    #[test]
    fn sizes_at_the_boundaries_and_volumes_together() {
        for (deployment, total, expected) in [
            (Deployment::Production, 27 * GB - 1, Status::Fail),
            (Deployment::Production, 27 * GB, Status::Pass),
            (Deployment::TestDrive, 36 * GB - 1, Status::Fail),
            (Deployment::TestDrive, 36 * GB, Status::Pass),
        ] {
            let facts = facts(false, &[("/", 1, total, 25 * GB), ("/divvycloud", 1, total, 25 * GB)]);
            assert_eq!(status(&Disk.judge(&facts, &spec(deployment)), "disk-size"), [expected], "{total}");
        }
        let split = facts(false, &[("/", 1, 10 * GB, 5 * GB), (DOCKER, 2, 50 * GB, 40 * GB)]);
        let findings = Disk.judge(&split, &production());
        crate::check::law::each_has_a_way_out(&findings);
        assert_eq!(status(&findings, "disk-size"), [Status::Pass]);
        assert_eq!(status(&findings, "disk-free"), [Status::Pass, Status::Pass], "images go to the larger one");
    }

    #[test]
    fn free_space_at_the_boundaries() {
        let (td, production) = (Deployment::TestDrive, Deployment::Production);
        for (deployment, installed, free_kib, expected) in [
            (td, false, 17_000_000, Status::Pass),
            (td, false, 16_999_999, Status::Warn),
            (production, false, 8_000_000, Status::Pass),
            (production, false, 7_999_999, Status::Warn),
            (td, true, 2_000_000, Status::Pass),
            (td, true, 1_999_999, Status::Warn),
            (td, true, 199_999, Status::Fail),
            (production, false, 0, Status::Fail),
        ] {
            let facts = facts(installed, &[("/", 1, 100 * GB, free_kib << 10), (DOCKER, 1, 100 * GB, free_kib << 10)]);
            let findings = Disk.judge(&facts, &spec(deployment));
            crate::check::law::each_has_a_way_out(&findings);
            assert_eq!(status(&findings, "disk-free"), [expected], "{deployment:?} {installed} {free_kib}");
        }
    }

    #[test]
    fn where_images_go_is_not_guessed() {
        for content in [None, Some("{ broken")] {
            let host = MemoryHost::new();
            match content {
                None => host.put_dir("/etc/docker/daemon.json"),
                Some(content) => host.put("/etc/docker/daemon.json", content.as_bytes()),
            }
            let findings = checked(&Disk, &host, &production());
            let unknown = findings.iter().find(|own| own.title.contains("where Docker keeps images is not known"));
            assert!(unknown.is_some_and(|own| own.status == Status::Skip), "{findings:?}");
        }
        let facts = DiskFacts { docker_unknown: Some("x".into()), ..facts(false, &[("/", 1, 10 * GB, 9 * GB)]) };
        let findings = Disk.judge(&facts, &production());
        assert_eq!(
            status(&findings, "disk-size"),
            [Status::Skip],
            "the volume of images may be another one: {findings:?}"
        );
    }

    #[test]
    fn inodes_at_the_boundaries() {
        for (inodes, inodes_free, expected) in [
            (0, 0, None),
            (1000, 9, Some(Status::Fail)),
            (1000, 10, Some(Status::Warn)),
            (1000, 49, Some(Status::Warn)),
            (1000, 50, Some(Status::Pass)),
            (u64::MAX, u64::MAX, Some(Status::Pass)),
        ] {
            let sizes = Space { device: 1, total: 1, free: 1, inodes, inodes_free };
            let system = FileSystem { sizes: &sizes, places: Vec::new() };
            assert_eq!(judge_inodes(&system).map(|found| found.status), expected, "{inodes} {inodes_free}");
        }
    }

    #[test]
    fn a_host_that_cannot_tell_is_skipped_by_name() {
        let findings = checked(&Disk, &MemoryHost::new(), &production());
        assert!(findings.iter().all(|found| found.status == Status::Skip), "{findings:?}");
        assert_eq!(findings.len(), 3);
    }
}
