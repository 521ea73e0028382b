//! The stop: in order, and of everything that was accepted an answer.

use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use super::daemon::Daemon;
use super::front::{Front, after};
use super::health::Phase;
use crate::cli::serve::StoppingOptions;
use crate::telemetry;
use crate::triggers::signal::{Signal, Signals};

/// How long connections stay open on which nothing comes, once no invocation is taken: a request may be on its way, and is to have
/// an answer.
const LINGER: Duration = Duration::from_millis(250);

/// How often is looked whether all connections have ended.
const GLANCE: Duration = Duration::from_millis(5);

/// How long invocations that were cancelled may take to say so.
const GRACE: Duration = Duration::from_secs(1);

/// How long the log may take when the process is to end at once.
const FLUSH: Duration = Duration::from_millis(500);

/// Serves until a signal comes, and then stops. Gives the exit code: that of the signal if an invocation was cancelled for it.
pub(super) async fn serve_until_told(
    mut front: Front,
    listener: TcpListener,
    mut signals: Signals,
    daemon: &Arc<Daemon>,
    options: &StoppingOptions,
) -> u8 {
    let signal = front.serve(Some(&listener), signals.next()).await;
    let began = daemon.clock.elapsed();
    daemon.health.enter(Phase::Leaving);
    let running = daemon.admission.running();
    tracing::info!(running, queued = daemon.admission.queued(), "told to stop");
    // From here on a signal ends the process at once.
    let drained = drain(&mut front, listener, daemon, options);
    tokio::select! {
        biased;
        again = signals.next() => exit(again),
        () = drained => {}
    }
    let totals = daemon.counts.totals();
    let elapsed = daemon.clock.elapsed().saturating_sub(began);
    tracing::info!(
        accepted = totals.accepted,
        finished = totals.finished,
        failed = totals.failed,
        cancelled = totals.cancelled,
        dropped = totals.dropped(),
        elapsedMs = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        "stopped"
    );
    if totals.cancelled_by_drain + totals.dropped() > 0 { signal.exit_code() } else { 0 }
}

async fn drain(front: &mut Front, listener: TcpListener, daemon: &Arc<Daemon>, options: &StoppingOptions) {
    if !options.drain_delay.is_zero() {
        front.serve(Some(&listener), after(options.drain_delay)).await;
    }
    // What the system has accepted is ours.
    front.accept_rest(listener);
    daemon.health.enter(Phase::Draining);
    let deadline = after(options.drain);
    let mut deadline = std::pin::pin!(deadline);
    let in_time = tokio::select! {
        biased;
        () = settle(front, daemon) => true,
        () = deadline.as_mut() => false,
    };
    if !in_time {
        tracing::warn!(running = daemon.admission.running(), "what still runs is cancelled");
        daemon.shutdown.cancel();
        daemon.admission.close();
        front.end_connections();
        let gone = async { settle(front, daemon).await };
        let _ = tokio::time::timeout(GRACE, gone).await;
    }
    daemon.counts.leave_behind(front.answer_left_behind());
    let unwritten = front.abort_connections().await;
    if unwritten > 0 {
        tracing::warn!(connections = unwritten, "connections were ended whose answers nobody had taken");
    }
}

/// Lets all connections come to their end.
async fn settle(front: &mut Front, daemon: &Arc<Daemon>) {
    let lingered = Instant::now() + LINGER;
    while !front.is_empty() {
        front.serve(None, after(GLANCE)).await;
        let now = Instant::now();
        if now >= lingered {
            front.end_connections();
        }
        if now >= lingered + LINGER {
            front.abort_idle_connections();
        }
    }
    if let Some(repeats) = &daemon.repeats {
        repeats.idle().await;
    }
}

/// Ends the process at once.
#[expect(clippy::exit, reason = "whoever asks twice does not want to wait")]
fn exit(signal: Signal) -> ! {
    tracing::warn!("told to stop again");
    telemetry::shut_down(FLUSH);
    process::exit(signal.exit_code().into())
}
