//! What the services of the compose file mount from the host, and how SELinux sees it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::known::Known;
use super::place::Place;
use crate::docker::compose::{Mount, Relabel, Service};
use crate::host::{FileKind, HostRead};
use crate::text;
use crate::text::{Text, clean, own};

/// Types of files that containers may read and write: today's name, and that of container-selinux before 2.0 (CentOS 7), which
/// today's policy knows besides (`container_selinux(8)`).
pub(crate) const FOR_CONTAINERS: [&str; 2] = ["container_file_t", "svirt_sandbox_file_t"];

/// Types of files of network file systems, with the switch that lets containers use them (`container_selinux(8)`).
const REMOTE: [(&str, &str); 2] = [("nfs_t", "virt_use_nfs"), ("cifs_t", "virt_use_samba")];

/// Where the kernel tells its switches: as they are, and as they are going to be.
const SWITCHES: &str = "/sys/fs/selinux/booleans";

/// Folders with all that is in them that the system has for itself: labelled for containers, they are lost to its services
/// (docs.docker.com/engine/storage/bind-mounts, "Configure the SELinux label").
const OF_SYSTEM: [&str; 12] =
    ["/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr", "/var/run"];

/// Such folders of which a part may be anybody's.
const SHARED_BY_SYSTEM: [&str; 11] =
    ["/", "/home", "/mnt", "/opt", "/root", "/srv", "/tmp", "/var", "/var/lib", "/var/log", "/var/tmp"];

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MountsFacts {
    /// Is there a compose file?
    pub(crate) has_file: bool,
    /// Why not all that is mounted can be told.
    pub(crate) unknown: Option<Text>,
    /// Each file or folder of the host.
    pub(crate) mounted: Vec<Mounted>,
}

/// A file or folder of the host that services mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mounted {
    /// Which.
    pub(crate) source: PathBuf,
    /// The same without links.
    pub(crate) real: PathBuf,
    /// Is it a file or folder? What is not there may come to be one.
    pub(crate) is_plain: bool,
    /// Does it lie in the product's folder?
    pub(crate) is_own: bool,
    /// Is it there?
    pub(crate) is_there: bool,
    /// Its label, or why it could not be read.
    pub(crate) label: Result<Option<String>, Text>,
    /// It lies on a network file system, whose files have no labels of their own: the switch of SELinux's policy that lets
    /// containers use it, and whether that is on, where that is known.
    pub(crate) remote: Option<(String, Option<bool>)>,
    /// Can only one container come to have it, or a part of it, or what it is a part of?
    pub(crate) is_of_one: bool,
    /// Who mounts it.
    pub(crate) uses: Vec<Use>,
}

/// A service that mounts it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Use {
    /// The service.
    pub(crate) service: String,
    /// The file.
    pub(crate) file: PathBuf,
    /// Its line.
    pub(crate) line: usize,
    /// How it is labelled when a container is made.
    pub(crate) relabel: Option<Relabel>,
    /// Containers cannot write to it.
    pub(crate) is_read_only: bool,
    /// The item with the label that it should have, where it can be written.
    pub(crate) wanted: Option<String>,
}

impl Mounted {
    /// The label that fits.
    pub(crate) fn fitting(&self) -> Relabel {
        if self.is_of_one { Relabel::Private } else { Relabel::Shared }
    }

    /// Is it the system's own?
    pub(crate) fn is_of_system(&self) -> bool {
        OF_SYSTEM.iter().any(|folder| [&self.source, &self.real].iter().any(|path| path.starts_with(folder)))
            || SHARED_BY_SYSTEM.iter().any(|folder| self.source == Path::new(folder))
    }

    /// Is it labelled when its containers are made, as it has to be?
    pub(crate) fn is_relabelled(&self) -> bool {
        let fits = |relabel| relabel == Relabel::Shared || self.is_of_one;
        self.uses.iter().any(|own| own.relabel.is_some_and(fits))
    }

    /// The services that take from the others what they share.
    pub(crate) fn takers(&self) -> impl Iterator<Item = &Use> {
        self.uses.iter().filter(|own| own.relabel == Some(Relabel::Private) && !self.is_of_one)
    }

    /// Has it a label that every container may use?
    pub(crate) fn is_labelled(&self) -> bool {
        matches!(&self.label, Ok(Some(label)) if is_for_containers(label))
    }
}

/// Is it a label that every container may use: of such a type, and without the categories that `:Z` gives?
/// `system_u:object_r:container_file_t:s0`, with categories `…:s0:c1,c2`.
pub(crate) fn is_for_containers(label: &str) -> bool {
    let mut parts = label.splitn(4, ':').skip(2);
    let of_type = parts.next().is_some_and(|own| FOR_CONTAINERS.contains(&own));
    of_type && parts.next().is_none_or(|level| !level.contains(':'))
}

/// Looks at the compose file of the product's folder, and at what its services mount.
pub(crate) fn observe(host: &dyn HostRead, home: &Path) -> MountsFacts {
    let place = Place::look(host, home);
    if let Some(why) = &place.unreadable {
        let unknown = Some(text!("{} could not be listed: {}", host.shown(home), why));
        return MountsFacts { has_file: true, unknown, ..MountsFacts::default() };
    }
    if place.compose.is_empty() {
        return MountsFacts::default();
    }
    let services = match place.read_services(host, home) {
        Ok(services) => services,
        Err(stop) => {
            let (path, line) = (host.shown(&stop.at.path), own(stop.at.line));
            let unknown = Some(text!("{}:{}: {}", path, line, stop.why));
            return MountsFacts { has_file: true, unknown, ..MountsFacts::default() };
        }
    };
    let odd = services.iter().flat_map(|service| &service.odd_mounts).next();
    let unknown =
        odd.map(|at| text!("what {}:{} mounts cannot be told from the files", host.shown(&at.path), own(at.line)));
    let mut mounted: Vec<Mounted> = Vec::new();
    for mount in services.iter().flat_map(|service| &service.mounts).filter(|mount| mount.is_bind) {
        if !mounted.iter().any(|known| known.source == mount.source) {
            mounted.push(looked_at(host, home, &mount.source, &services));
        }
    }
    mounted.retain(|mounted| !mounted.uses.is_empty());
    MountsFacts { has_file: true, unknown, mounted }
}

fn looked_at(host: &dyn HostRead, home: &Path, source: &Path, services: &[Service]) -> Mounted {
    let real = host.resolve(source).unwrap_or_else(|_| source.to_path_buf());
    // What cannot be looked at may be there; then its label cannot be read either.
    let stat = host.lstat(&real);
    let is_there = !matches!(stat, Ok(None));
    let is_plain = match &stat {
        Ok(Some(stat)) => stat.kind != FileKind::Other,
        _ => source.extension().is_none_or(|extension| extension != "sock"),
    };
    let label = match is_there.then(|| host.label(source)) {
        None => Ok(None),
        Some(Ok(label)) => Ok(label.map(|label| clean(&label, 200))),
        Some(Err(error)) => Err(text!("{}", error)),
    };
    let remote = label.as_ref().ok().and_then(|label| remote(host, label.as_deref()?));
    let is_of_one = is_of_one(source, services);
    let mut found = Mounted {
        source: source.to_path_buf(),
        real,
        is_plain,
        is_own: source.starts_with(home),
        is_there,
        label,
        remote,
        is_of_one,
        uses: Vec::new(),
    };
    let fitting = found.fitting();
    for service in services {
        // What nobody confines may use everything; labelled it is all the same.
        let is_confined = |mount: &&Mount| !service.is_unconfined() || mount.relabel().is_some();
        let mounts = service.mounts.iter().filter(|mount| mount.source == source).filter(is_confined);
        found.uses.extend(mounts.map(|mount| Use {
            service: service.name.clone(),
            file: host.shown(&mount.at.path),
            line: mount.at.line,
            relabel: mount.relabel(),
            is_read_only: mount.is_read_only(),
            wanted: mount.labelled(fitting),
        }));
    }
    found
}

/// The switch for the network file system that a file of this label lies on.
fn remote(host: &dyn HostRead, label: &str) -> Option<(String, Option<bool>)> {
    let of_type = label.split(':').nth(2)?;
    let (_, switch) = REMOTE.iter().find(|(own, _)| *own == of_type)?;
    let said = if host.is_this_machine() { host.read(&Path::new(SWITCHES).join(switch)).ok().flatten() } else { None };
    let is_on = said.and_then(|said| match said.first() {
        Some(b'1') => Some(true),
        Some(b'0') => Some(false),
        _ => None,
    });
    Some(((*switch).to_owned(), is_on))
}

/// Can one container alone come to have it? The product's own services may have several at any time.
fn is_of_one(source: &Path, services: &[Service]) -> bool {
    let touches = |service: &&Service| {
        let meets = |own: &Path| own.starts_with(source) || source.starts_with(own);
        service.mounts.iter().any(|mount| mount.is_bind && meets(&mount.source))
    };
    let is_of_product = |service: &Service| {
        Known::get().service_of(&service.name, service.command()).is_some_and(|known| known.product)
    };
    let mut all = services.iter().filter(touches);
    match (all.next(), all.next()) {
        (Some(only), None) => only.scale() <= 1 && !is_of_product(only),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::double::Double;
    use crate::product::templates;

    fn of(compose: &str) -> MountsFacts {
        let host = Double::installed();
        host.files.put("/divvycloud/docker-compose.yml", compose.as_bytes());
        observe(&host, Path::new("/divvycloud"))
    }

    #[test]
    fn what_services_share_is_never_given_to_one() {
        let facts =
            of("services:\n  interfaceserver: {image: a, volumes: [\"./plugins:/plugins\", \"./one:/one\"]}\n  \
             scheduler: {image: a, volumes: [\"./plugins:/plugins:Z\"]}\n  \
             mysql:\n    image: m\n    volumes:\n    - ./data/db:/var/lib/mysql\n    - named:/x\n    - /anonymous\n  \
             backup: {image: b, volumes: [\"./dumps/new:/d\"]}\n  other: {image: b, volumes: [\"./dumps:/d:ro,Z\"]}\n  \
             cache: {image: c, scale: 2, volumes: [\"./cache:/c\"]}\n");
        let wanted = |source: &str| {
            let one = facts.mounted.iter().find(|own| own.source == Path::new("/divvycloud").join(source)).unwrap();
            (one.uses[0].wanted.clone().unwrap(), one.takers().count(), one.is_relabelled())
        };
        assert_eq!(wanted("plugins"), ("./plugins:/plugins:z".to_owned(), 1, false));
        assert_eq!(wanted("one"), ("./one:/one:z".to_owned(), 0, false), "the product's services may have several");
        assert_eq!(wanted("data/db"), ("./data/db:/var/lib/mysql:Z".to_owned(), 0, false));
        assert_eq!(wanted("dumps"), ("./dumps:/d:ro,z".to_owned(), 1, false), "a part of it is another's");
        assert_eq!(wanted("dumps/new"), ("./dumps/new:/d:z".to_owned(), 0, false));
        assert_eq!(wanted("cache"), ("./cache:/c:z".to_owned(), 0, false));
        assert_eq!((facts.mounted.len(), facts.unknown), (6, None));
    }

    #[test]
    fn a_file_that_is_laid_over_says_what_is_mounted_in_the_same_place() {
        let host = Double::installed();
        let file =
            |options: &str| format!("services:\n  a: {{image: a, volumes: [\"./plugins:/plugins{options}\"]}}\n");
        host.files.put("/divvycloud/docker-compose.yml", file("").as_bytes());
        host.files.put("/divvycloud/docker-compose.override.yml", file(":z").as_bytes());
        let facts = observe(&host, Path::new("/divvycloud"));
        assert!(facts.mounted.len() == 1 && facts.mounted[0].uses.len() == 1 && facts.mounted[0].is_relabelled());
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        for odd in [
            "services:\n  a: {volumes: [\"~/x:/x\"]}\n",
            "services:\n  a: {volumes: [\"${HOME}/x:/x\"]}\n",
            "a: [\n",
            "services:\n  a: {secrets: [x]}\nsecrets: {x: {file: ./x}}\n",
            "services:\n  a: {configs: [{source: x}]}\n",
            "services:\n  a: {volumes: [\"d:/d\"]}\nvolumes: {d: {driver_opts: {type: none, o: bind, device: /d}}}\n",
        ] {
            let facts = of(odd);
            assert!(facts.has_file && facts.unknown.is_some(), "{odd}");
        }
        let long = "services:\n  a:\n    volumes:\n    - {type: bind, source: ./x, target: /x, read_only: true, bind: {selinux: z}}\n    - {type: tmpfs, target: /t}\n";
        let facts = of(long);
        assert_eq!((facts.unknown, facts.mounted.len()), (None, 1));
        assert!(facts.mounted[0].is_relabelled() && facts.mounted[0].uses[0].is_read_only);
        assert_eq!(facts.mounted[0].uses[0].wanted, None);
        let of =
            |item: &str| of(&format!("services:\n  interfaceserver: {{volumes: [\"{item}\"]}}\n")).mounted.remove(0);
        for (item, wanted) in [
            ("${DATA:-/data}/plugins:/plugins:ro", Some("${DATA:-/data}/plugins:/plugins:ro,z")),
            ("/a:/plugins:Z,ro", Some("/a:/plugins:ro,z")),
            ("/a:/plugins:${MODE:-ro}", None),
        ] {
            assert_eq!(of(item).uses[0].wanted.as_deref(), wanted, "{item}");
        }
        for (item, is_of_system) in
            [("/etc/pki", true), ("/", true), ("/home", true), ("/home/x", false), ("/data", false)]
        {
            assert_eq!(of(&format!("{item}:/x")).is_of_system(), is_of_system, "{item}");
        }
    }

    #[test]
    fn what_nobody_confines_needs_no_label_and_links_are_followed() {
        let host = Double::installed();
        host.files.put_link("/divvycloud/plugins", "/data/plugins", 0);
        host.files.put("/data/plugins/x", b"");
        let compose = |more: &str, label: &str| {
            let text =
                format!("services:\n  a: {{{more}volumes: [\"./plugins:/p{label}\", \"/run/docker.sock:/s\"]}}\n");
            host.files.put("/divvycloud/docker-compose.yml", text.as_bytes());
            observe(&host, Path::new("/divvycloud")).mounted
        };
        let found = compose("", "");
        assert_eq!((found[0].real.as_path(), found[0].is_plain), (Path::new("/data/plugins"), true));
        assert_eq!((found.len(), found[1].is_plain), (2, false));
        for more in ["privileged: true, ", "security_opt: [\"label=disable\"], ", "security_opt: [\"label:disable\"], "]
        {
            assert_eq!(compose(more, "").len(), 0, "{more}");
            assert_eq!(compose(more, ":z").len(), 1, "{more}");
        }
        assert_eq!(compose("security_opt: [\"no-new-privileges:true\"], ", "").len(), 2);
        let nfs = remote(&host, "system_u:object_r:nfs_t:s0");
        assert_eq!(nfs, Some(("virt_use_nfs".to_owned(), None)));
        host.files.put("/sys/fs/selinux/booleans/virt_use_nfs", b"1 1");
        assert_eq!(remote(&host, "system_u:object_r:nfs_t:s0"), Some(("virt_use_nfs".to_owned(), Some(true))));
        assert_eq!(remote(&host, "system_u:object_r:etc_t:s0"), None);
    }

    #[test]
    fn labels_with_categories_are_of_one_container() {
        for (label, is_for_all) in [
            ("system_u:object_r:container_file_t:s0", true),
            ("system_u:object_r:svirt_sandbox_file_t:s0", true),
            ("system_u:object_r:container_file_t:s0:c12,c34", false),
            ("unconfined_u:object_r:default_t:s0", false),
            ("container_file_t", false),
        ] {
            assert_eq!(is_for_containers(label), is_for_all, "{label}");
        }
    }

    #[test]
    fn templates_for_hosts_that_confine_containers_label_all_that_they_mount() {
        for test_drive in [false, true] {
            let plain = templates::mounting(templates::compose_file(test_drive).as_bytes());
            let labelled = templates::labelled(&plain);
            let facts = of(std::str::from_utf8(&labelled).unwrap());
            assert_eq!(facts.mounted.len(), if test_drive { 3 } else { 2 });
            for own in &facts.mounted {
                let all_fit = own.uses.iter().all(|one| one.relabel == Some(own.fitting()));
                assert!(own.is_relabelled() && own.takers().count() == 0 && all_fit, "{own:#?}");
            }
            assert_eq!(templates::labelled(&labelled), labelled);
        }
    }
}
