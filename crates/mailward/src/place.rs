//! Which server is meant: `--config FILE` or `--data DIR`, or the usual places.

use crate::failure::Failure;
use clap::Args;
use mailward_core::config::{Config, Loaded};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where a package puts the configuration.
pub(crate) const USUAL_CONFIG: &str = "/etc/mailward/mailward.toml";
/// Where a package puts the data.
pub(crate) const USUAL_DATA: &str = "/var/lib/mailward";
/// Name of the file.
pub(crate) const CONFIG_NAME: &str = "mailward.toml";

/// Options that every command takes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Where {
    /// Configuration file [usual: /etc/mailward/mailward.toml]
    #[arg(long, value_name = "FILE", global = true, display_order = 900)]
    pub(crate) config: Option<PathBuf>,
    /// Data directory, with a mailward.toml in it or not [usual: /var/lib/mailward]
    #[arg(long, value_name = "DIR", global = true, display_order = 901)]
    pub(crate) data: Option<PathBuf>,
}

/// A configuration, and the file it came from if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) loaded: Loaded,
    pub(crate) file: Option<PathBuf>,
    given_data: Option<PathBuf>,
}

impl Where {
    /// Reads the configuration that is meant.
    pub(crate) fn find(&self) -> Result<Place, Failure> {
        let file = match (&self.config, &self.data) {
            (Some(file), _) => Some(file.clone()),
            (None, Some(data)) => Some(data.join(CONFIG_NAME)).filter(|f| f.exists()),
            (None, None) => Some(self.usual()?),
        };
        let given_data = self.data.clone();
        let loaded = match (&file, &given_data) {
            (Some(file), data) => Config::load(file, data.as_deref())?,
            (None, data) => {
                let mut config = Config::default();
                if let Some(data) = data {
                    config.data = std::path::absolute(data).map_err(|e| Failure::io(data.display(), e))?;
                }
                config.resolve(Path::new("/"));
                Loaded::built(config, "built-in defaults")
            }
        };
        Ok(Place { loaded, file, given_data })
    }

    /// The file of the usual places that exists.
    fn usual(&self) -> Result<PathBuf, Failure> {
        let usual = [PathBuf::from(USUAL_CONFIG), Path::new(USUAL_DATA).join(CONFIG_NAME)];
        usual.into_iter().find(|f| f.exists()).ok_or_else(|| {
            Failure::Usage(format!(
                "there is no {USUAL_CONFIG}: give --config FILE or --data DIR, or make a new server with `mailward setup DOMAIN`"
            ))
        })
    }
}

impl Place {
    /// The configuration.
    pub(crate) const fn config(&self) -> &Config {
        &self.loaded.config
    }
    /// The data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.loaded.config.data
    }
    /// The control socket.
    pub(crate) fn socket(&self) -> PathBuf {
        socket_in(self.data())
    }
    /// Refuses a data directory that isn't there.
    pub(crate) fn must_exist(&self) -> Result<(), Failure> {
        if self.data().is_dir() {
            return Ok(());
        }
        Err(self
            .loaded
            .fault("data", "there is no such directory; `mailward setup DOMAIN` makes it with all that belongs in it")
            .into())
    }
    /// The words that name this place to a process of ours, wherever that runs.
    pub(crate) fn words(&self) -> std::io::Result<Vec<OsString>> {
        let mut words = Vec::new();
        for (option, path) in [("--config", &self.file), ("--data", &self.given_data)] {
            if let Some(path) = path {
                words.extend([OsString::from(option), std::path::absolute(path)?.into_os_string()]);
            }
        }
        Ok(words)
    }
    /// Reads the file again as it was read first.
    pub(crate) fn again(&self) -> Result<Loaded, Failure> {
        let file = self
            .file
            .as_ref()
            .ok_or_else(|| Failure::Refused("this server was started without a configuration file".to_owned()))?;
        Ok(Config::load(file, self.given_data.as_deref())?)
    }
}

/// The control socket of a data directory.
pub(crate) fn socket_in(data: &Path) -> PathBuf {
    data.join("control.sock")
}
