//! What a service mounts, of `volumes:`.

use std::path::PathBuf;
use std::rc::Rc;

use super::At;
use super::interpolate::{Around, normal, text_of};
use super::yaml::{Kind, Node};
use crate::text::words::words;

words! {
    /// Whose the files are that are mounted, to SELinux (docs.docker.com/engine/storage/bind-mounts, "Configure the SELinux
    /// label", read 2026-11-29): the engine labels them when it makes the container.
    pub(crate) enum Relabel {
        /// Every container may use them.
        Shared = "z",
        /// One container alone.
        Private = "Z",
    }
}

/// A file or folder of the host, or a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// A file or folder of the host, or the name of a volume.
    pub(crate) source: PathBuf,
    /// Where containers have it.
    pub(crate) inside: String,
    /// Its options, in their order: `ro`, `z`.
    pub(crate) options: Vec<String>,
    /// It is of the host, and no volume.
    pub(crate) is_bind: bool,
    /// As it stands there, in the short form.
    pub(crate) item: Option<String>,
    /// The line.
    pub(crate) at: At,
}

impl Mount {
    /// How it is labelled when a container is made; of both letters the last one counts.
    pub(crate) fn relabel(&self) -> Option<Relabel> {
        self.options.iter().rev().find_map(|option| Relabel::parse(option))
    }

    /// May its containers not write to it?
    pub(crate) fn is_read_only(&self) -> bool {
        self.options.iter().any(|option| option == "ro")
    }

    /// Would containers be made alike? Where it stands aside.
    pub(super) fn makes_same(&self, other: &Self) -> bool {
        (&self.source, &self.inside, &self.options) == (&other.source, &other.inside, &other.options)
    }

    /// The item of the short form with that label, in place of the one that it has; `None`: it is of the long form, or references
    /// hide its parts.
    pub(crate) fn labelled(&self, relabel: Relabel) -> Option<String> {
        let item = self.item.as_ref()?;
        let parts = parts(item);
        let options = parts.get(2).copied().unwrap_or_default();
        if parts.len() < 2 || options.contains('$') || parts.iter().any(|part| part.is_empty()) {
            return None;
        }
        let kept = options.split(',').filter(|option| !option.is_empty() && Relabel::parse(option).is_none());
        let options: Vec<&str> = kept.chain([relabel.as_str()]).collect();
        Some(format!("{}:{}:{}", parts[0], parts[1], options.join(",")))
    }

    /// `SOURCE:TARGET[:OPTIONS]`, also of the long form; `None`: a volume without a name, or a file system in memory.
    ///
    /// # Errors
    /// The line, where it cannot be told what is mounted.
    pub(super) fn read(node: &Rc<Node>, around: &Around<'_>) -> Result<Option<Self>, At> {
        let at = At::new(around.path, node.line);
        let unknown = || Err(at.clone());
        let (item, source, inside, options) = match &node.kind {
            Kind::Scalar { .. } => {
                let Some(text) = text_of(node, around) else { return unknown() };
                let mut parts = text.splitn(3, ':').map(str::to_owned);
                let (Some(source), Some(inside)) = (parts.next(), parts.next()) else { return Ok(None) };
                let options = parts.next().unwrap_or_default();
                let options = options.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect();
                // Its references stay as they are.
                (node.text().map(str::to_owned), source, inside, options)
            }
            _ => {
                let of = |map: &Node, name: &str| text_of(map.get(name).ok()??, around);
                let has = |name: &str| !matches!(node.get(name), Ok(None));
                let read_only = of(node, "read_only").filter(|word| word == "true").map(|_| "ro".to_owned());
                let relabel = node.get("bind").ok().flatten().and_then(|bind| of(bind, "selinux"));
                let options: Vec<String> = read_only.into_iter().chain(relabel).collect();
                match (of(node, "source"), of(node, "target")) {
                    (Some(source), Some(inside)) => (None, source, inside, options),
                    (None, Some(_)) if !has("source") => return Ok(None),
                    _ => return unknown(),
                }
            }
        };
        let is_bind = source.starts_with(['.', '/']);
        if source.starts_with('~') {
            // Whose home that is decides who calls Compose.
            return unknown();
        }
        let source = if is_bind { normal(&around.folder.join(source)) } else { source.into() };
        Ok(Some(Self { source, inside, options, is_bind, item, at }))
    }
}

/// The parts of an item as it stands there: a colon in a reference ends none.
fn parts(item: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, c) in item.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && parts.len() < 2 => {
                parts.push(&item[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&item[begin..]);
    parts
}
