//! A throw-away image for `--root`, with a path of a known length so that screens are the same everywhere.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

pub const PROD_ENV: &str = "\
# Uncomment and adjust if behind a proxy.
#http_proxy=http://proxy.acmecorp.com
#https_proxy=http://proxy.acmecorp.com
#no_proxy=mysql,redis,169.254.169.254
DIVVY_DB_HOST=mysql
DIVVY_DB_PASSWORD=divvy
DIVVY_SECRET_DB_HOST=mysql
DIVVY_REDIS_HOST=redis
";

pub struct Image {
    folder: TempDir,
}

/// Content, mode and time of change by path.
pub type Picture = BTreeMap<PathBuf, (Vec<u8>, u32, i64)>;

impl Image {
    fn empty() -> Self {
        Self { folder: tempfile::Builder::new().prefix("image-").rand_bytes(6).tempdir_in("/tmp").unwrap() }
    }

    pub fn ubuntu() -> Self {
        let image = Self::empty();
        image.put("etc/os-release", "ID=ubuntu\nVERSION_ID=\"22.04\"\nPRETTY_NAME=\"Ubuntu 22.04 LTS\"\n");
        image.put("etc/environment", "PATH=\"/usr/bin:/bin\"\n");
        image
    }

    pub fn centos() -> Self {
        let image = Self::empty();
        image.put("etc/os-release", "ID=\"centos\"\nVERSION_ID=\"7\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"\n");
        image.put("etc/yum.conf", "[main]\ngpgcheck=1\n");
        image
    }

    pub fn with_product(self) -> Self {
        self.put("divvycloud/prod.env", PROD_ENV);
        self
    }

    /// The same again, to the byte.
    pub fn copy(&self) -> Self {
        let copy = Self::empty();
        let from = format!("{}/.", self.path());
        assert!(Command::new("cp").args(["-a", &from, copy.path()]).status().unwrap().success());
        copy
    }

    pub fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn put(&self, path: &str, content: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    pub fn get(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn has(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// Everything, our own state included.
    pub fn picture(&self) -> Picture {
        let mut picture = BTreeMap::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let meta = path.symlink_metadata().unwrap();
                let name = path.strip_prefix(self.folder.path()).unwrap().to_path_buf();
                let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                let time = if meta.is_file() { meta.mtime_nsec() } else { 0 };
                picture.insert(name, (content, meta.mode(), time));
                if meta.is_dir() {
                    folders.push(path);
                }
            }
        }
        picture
    }

    /// What the last run was told, whatever its name.
    pub fn told(&self) -> serde_json::Value {
        let state: serde_json::Value = serde_json::from_str(&self.get("var/lib/ics-setup/state.json")).unwrap();
        state["settings"].clone()
    }

    /// Content and mode of everything but our own state.
    pub fn files(&self) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
        let all = self.picture().into_iter().filter(|(path, _)| !path.starts_with(Path::new("var")));
        all.map(|(path, (content, mode, _))| (path, (content, mode))).collect()
    }
}
