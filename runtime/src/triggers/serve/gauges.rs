//! What of a daemon can be read at any time, for its metrics.
//!
//! | metric | labels | meaning |
//! |---|---|---|
//! | `skill_invocations_in_flight` | | invocations that run |
//! | `skill_invocations_queued` | | invocations that wait for their turn |
//! | `skill_connections` | | connections |
//! | `skill_workers_blocked` | | workers that a skill has blocked for longer than `--stall` |
//! | `skill_ready` | | 1 while the daemon is ready |
//! | `skill_token_cache_total` | `result` | tokens that were checked and had been remembered (`hit`) or not (`miss`); with `--jwks` |
//! | `skill_log_lines_lost_total` | | log lines that nobody took in time |
//! | `process_resident_memory_bytes`, `process_cpu_seconds_total`, `process_open_fds`, `process_start_time_seconds` | | the process |

use std::fmt;
use std::sync::Weak;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::daemon::Daemon;
use super::process::Process;

/// Reads them of a daemon that is there.
pub(super) struct Gauges(Weak<Daemon>);

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Lookup {
    result: &'static str,
}

impl Gauges {
    pub(super) fn of(daemon: Weak<Daemon>) -> Self {
        Self(daemon)
    }
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauges").finish_non_exhaustive()
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(daemon) = self.0.upgrade() else { return Ok(()) };
        let mut gauge = |name: &str, help: &str, value: f64| {
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
        };
        gauge("skill_invocations_in_flight", "Invocations that run", count(daemon.admission.running()))?;
        gauge("skill_invocations_queued", "Invocations that wait for their turn", count(daemon.admission.queued()))?;
        gauge("skill_connections", "Connections", count(daemon.connections.load(Ordering::Relaxed)))?;
        let blocked = daemon.workers.blocked(daemon.health.stall()).len();
        gauge("skill_workers_blocked", "Workers that a skill has blocked for too long", count(blocked))?;
        let is_ready = daemon.health.is_ready(&daemon.workers, &daemon.admission);
        gauge("skill_ready", "1 while invocations are taken", f64::from(u8::from(is_ready)))?;
        if let Some(process) = Process::read() {
            let bytes = count(process.resident_bytes);
            gauge("process_resident_memory_bytes", "Resident memory of the process", bytes)?;
            gauge("process_open_fds", "Open file descriptors of the process", count(process.open_files))?;
            gauge("process_start_time_seconds", "When the process began, in seconds since 1970", process.started)?;
            let cpu = ConstCounter::new(process.cpu_seconds);
            let help = "Processor time of the process";
            cpu.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?)?;
        }
        let lost = ConstCounter::new(crate::telemetry::lost_lines());
        let help = "Log lines that nobody took in time";
        lost.encode(encoder.encode_descriptor("skill_log_lines_lost", help, None, MetricType::Counter)?)?;
        if let Some((hits, misses)) = daemon.host.tokens_remembered() {
            let help = "Tokens that were checked, by whether they were remembered";
            let mut tokens = encoder.encode_descriptor("skill_token_cache", help, None, MetricType::Counter)?;
            for (result, number) in [("hit", hits), ("miss", misses)] {
                ConstCounter::new(number).encode(tokens.encode_family(&Lookup { result })?)?;
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}
