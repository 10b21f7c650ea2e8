//! `bundle.json`: what a bundle has, for programs. `install` refuses by it what cannot fit, before anything is written.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Order;
use super::images::Image;
use crate::build::VERSION;
use crate::docker::repository_and_tag;
use crate::finding::{Finding, ids};
use crate::text;
use crate::text::{Foreign, own, typed};

/// Its name.
pub(super) const NAME: &str = "bundle.json";

const SCHEMA: &str = "ics-setup/bundle/v1";

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    schema: String,
    /// The release of this program that has made it.
    pub(super) made_by: String,
    pub(super) deployment: String,
    /// Go's word.
    pub(crate) architecture: String,
    /// The release of Compose, where it has one and that has told.
    pub(super) compose: Option<String>,
    pub(super) images: Vec<Entry>,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The file.
    pub(super) file: String,
    /// As the compose file names it.
    pub(super) name: String,
    /// The engine's id of it; empty: it is not here yet.
    pub(super) id: String,
    /// Of its registry, where it has come from one.
    pub(super) digest: Option<String>,
    /// Go's word.
    pub(super) architecture: String,
}

impl Manifest {
    pub(super) fn new(order: &Order<'_>) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            made_by: VERSION.to_owned(),
            deployment: order.settings.deployment.as_str().to_owned(),
            architecture: order.architecture.to_owned(),
            compose: None,
            images: Vec::new(),
        }
    }

    /// That of a folder; `None`: it has none that is understood, as a bundle that was made by hand.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        let bytes = crate::context::read(&folder.join(NAME)).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|own: &Self| own.schema == SCHEMA)
    }

    /// The name of an image's archive, which any file system takes and none of the others has.
    pub(super) fn file_for(&self, name: &str) -> String {
        let (repository, tag) = repository_and_tag(name);
        let last = repository.rsplit('/').next().unwrap_or(repository);
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        let stem: String = format!("{last}-{tag}").chars().map(plain).take(100).collect();
        let numbered = (2..).map(|number| format!("images-{stem}-{number}.tar"));
        let mut names = std::iter::once(format!("images-{stem}.tar")).chain(numbered);
        names.find(|file| self.image(file).is_none()).unwrap_or_default()
    }

    pub(super) fn add(&mut self, file: &str, name: &str, image: Option<&Image>) {
        let known = |of: fn(&Image) -> &str| image.map(of).unwrap_or_default().to_owned();
        self.images.push(Entry {
            file: file.to_owned(),
            name: name.to_owned(),
            id: known(|image| &image.id),
            digest: image.and_then(|image| image.digest.clone()),
            architecture: known(|image| &image.architecture),
        });
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        // Strings alone: it can be written.
        let json = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{json}\n").into_bytes()
    }

    /// The image of this file.
    pub(super) fn image(&self, file: &str) -> Option<&Entry> {
        self.images.iter().find(|own| own.file == file)
    }

    /// The architecture of an image, where it has that.
    pub(crate) fn architecture_of(&self, image: &str) -> Option<&str> {
        let own = self.images.iter().find(|own| own.name == image)?;
        Some(own.architecture.as_str()).filter(|word| !word.is_empty())
    }
}

/// Images that are to come from a bundle and are not in it.
pub(crate) fn lacking(bundle: &Manifest, wanted: &[String]) -> Option<Finding> {
    let has = |image: &&String| bundle.images.iter().any(|own| own.name == **image);
    let lacks: Vec<&str> = wanted.iter().filter(|image| !has(image)).map(String::as_str).collect();
    let has = bundle.images.iter().map(|own| own.name.as_str()).collect::<Vec<_>>().join(", ");
    (!lacks.is_empty()).then(|| {
        Finding::fail(ids::BUNDLE_IMAGES, text!("the bundle has not got {}", Foreign::new(lacks.join(", "))))
            .expected("every image of the compose file that is not on this host yet")
            .observed(text!("a bundle for {} with {}", own(&bundle.deployment), Foreign::new(has)))
            .cause("it was made for another release, another image or another deployment than this run names")
            .advise("leave --release and --image out: the bundle's own compose file names what it has")
            .advise(
                "a bundle for a Test Drive is installed with --deployment test-drive, one for production without it",
            )
            .advise(text!("or make it for what is wanted: {}", typed("ics-setup bundle create <DIR>")))
    })
}
