//! What the system says of this process (proc(5)).

use std::fs;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// What metrics say of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    pub(super) resident_bytes: usize,
    pub(super) cpu_seconds: f64,
    pub(super) open_files: usize,
    /// When it began to serve, in seconds since 1970.
    pub(super) started: f64,
}

impl Process {
    /// `None` where the system does not say.
    pub(super) fn read() -> Option<Self> {
        let pages: usize = fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().nth(1)?.parse().ok()?;
        let resident_bytes = pages.checked_mul(rustix::param::page_size())?;
        let status = fs::read_to_string("/proc/self/stat").ok()?;
        // The second field is a name in parentheses, which may hold spaces; 14 and 15 are ticks.
        let fields: Vec<&str> = status.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<u32>().ok()).map(f64::from);
        #[expect(clippy::cast_precision_loss, reason = "some hundred a second")]
        let a_second = rustix::param::clock_ticks_per_second() as f64;
        let cpu_seconds = (ticks(14)? + ticks(15)?) / a_second;
        // One of them is that of the folder being read.
        let open_files = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
        Some(Self { resident_bytes, cpu_seconds, open_files, started: started() })
    }
}

/// When this was first asked, which is when the daemon began.
pub(super) fn started() -> f64 {
    static STARTED: OnceLock<f64> = OnceLock::new();
    *STARTED.get_or_init(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_files() {
        let process = Process::read().unwrap();
        assert!(process.resident_bytes > 100_000 && process.open_files > 2, "{process:?}");
        assert!(process.cpu_seconds >= 0.0 && process.started > 1.7e9, "{process:?}");
    }
}
