//! `mailward bench disk`: what the disk can do at all, and how near the store comes to it.
//!
//! Five ways to make messages durable, each for a time, in turn, over several rounds; the median counts. A sync is
//! `fdatasync`, but for one file a message, where the file and then its directory are synced, as Maildir asks.

use super::BenchError;
use super::store::Yard;
use super::timing::{count, ratio};
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes one way may write in one round; then it ends before its time.
const BYTES_MAX: u64 = 512 * 1024 * 1024;

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Where; a directory of its own is made in it, and removed.
    pub(crate) dir: PathBuf,
    /// Bytes of a message.
    pub(crate) size: usize,
    /// Messages a batch.
    pub(crate) batch: usize,
    /// How long each way is tried in each round.
    pub(crate) time: Duration,
    pub(crate) rounds: usize,
}

/// Messages a second, medians.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) batch_appended: f64,
    pub(crate) batch_preallocated: f64,
    pub(crate) one_appended: f64,
    pub(crate) one_preallocated: f64,
    pub(crate) file_each: f64,
    /// The store with a batch's worth of deliveries waiting at any time.
    pub(crate) store_batch: f64,
    /// The store with one delivery after the other.
    pub(crate) store_one: f64,
}

impl Report {
    /// For people.
    pub(crate) fn text(&self, options: &Options) -> String {
        let share = |ours, disk| ratio(ours, disk) * 100.0;
        format!(
            "{} bytes a message, {} a batch; messages a second, medians of {} rounds\n\
             a batch, one sync, appended         {:>9.0}\n\
             a batch, one sync, preallocated     {:>9.0}\n\
             one message, one sync, appended     {:>9.0}\n\
             one message, one sync, preallocated {:>9.0}\n\
             one file a message                  {:>9.0}\n\
             the store, {:>3} deliveries waiting   {:>9.0}  {:.0} % of a batch preallocated\n\
             the store, one delivery at a time   {:>9.0}  {:.0} % of one message preallocated",
            options.size,
            options.batch,
            options.rounds,
            self.batch_appended,
            self.batch_preallocated,
            self.one_appended,
            self.one_preallocated,
            self.file_each,
            options.batch,
            self.store_batch,
            share(self.store_batch, self.batch_preallocated),
            self.store_one,
            share(self.store_one, self.one_preallocated)
        )
    }
}

/// Measures.
///
/// # Errors
/// The directory can't be written, or the store refuses.
pub(crate) fn run(options: &Options) -> Result<Report, BenchError> {
    if options.size == 0 || options.batch == 0 || options.rounds == 0 || options.time.is_zero() {
        return Err(BenchError::Option("size, batch, rounds and seconds must be more than nothing".to_owned()));
    }
    let place = Place::new(&options.dir)?;
    let mut rounds: Vec<Report> = Vec::with_capacity(options.rounds);
    let yard = Yard::open(&place.0.join("store"), options.batch)?;
    for _ in 0..options.rounds {
        rounds.push(Report {
            batch_appended: place.one_file(options, options.batch, false)?,
            batch_preallocated: place.one_file(options, options.batch, true)?,
            one_appended: place.one_file(options, 1, false)?,
            one_preallocated: place.one_file(options, 1, true)?,
            file_each: place.file_each(options)?,
            store_batch: yard.rate(options.batch, options.size, options.time)?,
            store_one: yard.rate(1, options.size, options.time)?,
        });
    }
    yard.close()?;
    let median = |of: fn(&Report) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Ok(Report {
        batch_appended: median(|r| r.batch_appended),
        batch_preallocated: median(|r| r.batch_preallocated),
        one_appended: median(|r| r.one_appended),
        one_preallocated: median(|r| r.one_preallocated),
        file_each: median(|r| r.file_each),
        store_batch: median(|r| r.store_batch),
        store_one: median(|r| r.store_one),
    })
}

/// A directory of our own, gone when dropped.
pub(super) struct Place(pub(super) PathBuf);

impl Place {
    pub(super) fn new(dir: &Path) -> Result<Self, BenchError> {
        let path = dir.join(format!("mailward-bench-{}", std::process::id()));
        fs::create_dir(&path).map_err(|source| BenchError::Disk { path: path.clone(), source })?;
        Ok(Self(path))
    }

    /// Messages a second into one file, `batch` messages a sync.
    fn one_file(&self, options: &Options, batch: usize, preallocated: bool) -> Result<f64, BenchError> {
        let path = self.0.join("pack");
        let rate = in_one_file(&path, options, batch, preallocated)
            .map_err(|source| BenchError::Disk { path: path.clone(), source })?;
        fs::remove_file(&path).map_err(|source| BenchError::Disk { path, source })?;
        Ok(rate)
    }

    /// Messages a second at one file each: written to `tmp`, synced, moved to `new`, which is synced.
    fn file_each(&self, options: &Options) -> Result<f64, BenchError> {
        let path = self.0.join("maildir");
        let rate = in_a_file_each(&path, options).map_err(|source| BenchError::Disk { path: path.clone(), source })?;
        fs::remove_dir_all(&path).map_err(|source| BenchError::Disk { path, source })?;
        Ok(rate)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What can't be removed stays for its owner to see; there is nobody to tell here.
        let _left = fs::remove_dir_all(&self.0);
    }
}

fn in_one_file(path: &Path, options: &Options, batch: usize, preallocated: bool) -> std::io::Result<f64> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let chunk = vec![b'm'; options.size.saturating_mul(batch)];
    let step = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
    if preallocated {
        // Written, not only reserved: the first write into reserved blocks changes metadata too. Cut to what the
        // fastest disk we know fills in the time, as preparing takes time as well.
        let megabyte = vec![0_u8; 1024 * 1024];
        let mut written = 0_u64;
        while written < BYTES_MAX {
            file.write_all_at(&megabyte, written)?;
            written = written.saturating_add(1024 * 1024);
        }
        file.sync_all()?;
    }
    let begin = Instant::now();
    let mut at = 0_u64;
    let mut messages = 0_usize;
    while begin.elapsed() < options.time && at.saturating_add(step) <= BYTES_MAX {
        file.write_all_at(&chunk, at)?;
        file.sync_data()?;
        at = at.saturating_add(step);
        messages = messages.saturating_add(batch);
    }
    Ok(ratio(count(messages), begin.elapsed().as_secs_f64()))
}

fn in_a_file_each(path: &Path, options: &Options) -> std::io::Result<f64> {
    let (tmp, new) = (path.join("tmp"), path.join("new"));
    fs::create_dir_all(&tmp)?;
    fs::create_dir_all(&new)?;
    let directory = File::open(&new)?;
    let message = vec![b'm'; options.size];
    let begin = Instant::now();
    let mut messages = 0_usize;
    while begin.elapsed() < options.time {
        let name = messages.to_string();
        let from = tmp.join(&name);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&from)?;
        file.write_all(&message)?;
        file.sync_all()?;
        fs::rename(&from, new.join(&name))?;
        directory.sync_all()?;
        messages = messages.saturating_add(1);
    }
    Ok(ratio(count(messages), begin.elapsed().as_secs_f64()))
}
