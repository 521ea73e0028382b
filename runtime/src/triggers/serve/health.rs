//! Whether a daemon lives, and whether it takes invocations.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::admission::Admission;
use super::workers::Workers;

/// What a daemon is about to do.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub(super) enum Phase {
    /// Its self-test is not over, or has failed.
    Starting,
    /// It takes invocations.
    Serving,
    /// It was told to stop, and takes invocations for a while.
    Leaving,
    /// It finishes what runs.
    Draining,
}

/// What a daemon says of itself.
#[derive(Debug)]
pub(super) struct Health {
    phase: AtomicU8,
    /// Why the self-test failed.
    failure: OnceLock<String>,
    stall: Duration,
}

impl Health {
    /// Of a daemon in which a worker may be blocked for so long.
    pub(super) fn new(stall: Duration) -> Self {
        Self { phase: AtomicU8::new(Phase::Starting as u8), failure: OnceLock::new(), stall }
    }

    /// How long a worker may be blocked.
    pub(super) fn stall(&self) -> Duration {
        self.stall
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            2 => Phase::Leaving,
            _ => Phase::Draining,
        }
    }

    /// Goes on to a later phase; there is no way back.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
    }

    /// Says why the daemon will not be ready.
    pub(super) fn fail(&self, why: String) {
        // The first reason stays.
        let _ = self.failure.set(why);
    }

    /// Whether the workers run tasks, as an answer: its status and its body.
    pub(super) fn alive(&self, workers: &Workers) -> (u16, Value) {
        let silent = workers.silent_for();
        let blocked: Vec<Value> = self.blocked(workers).collect();
        if silent > self.stall + super::front::PROBE_EVERY {
            let reason = format!("no worker has run anything for {}", in_seconds(silent));
            return (503, json!({"alive": false, "reason": reason, "blocked": blocked}));
        }
        (200, json!({"alive": true, "blocked": blocked}))
    }

    /// Whether invocations are taken, as an answer: its status and its body.
    pub(super) fn ready(&self, workers: &Workers, admission: &Admission) -> (u16, Value) {
        let mut reasons = Vec::new();
        match (self.phase(), self.failure.get()) {
            (Phase::Starting, Some(why)) => reasons.push(format!("the self-test failed: {why}")),
            (Phase::Starting, None) => reasons.push("the self-test is not over".to_owned()),
            (Phase::Serving, _) => {}
            (Phase::Leaving | Phase::Draining, _) => reasons.push("draining".to_owned()),
        }
        if admission.is_saturated() {
            let (running, queued) = (admission.running(), admission.queued());
            reasons.push(format!("saturated: {running} invocations run, {queued} wait"));
        }
        reasons.extend(workers.blocked(self.stall).into_iter().map(|blocked| {
            let running = &blocked.running;
            let (skill, id) = (&running.skill, &running.activation_id);
            format!("skill `{skill}` has blocked a worker for {}, activation {id}", in_seconds(blocked.lasted))
        }));
        let silent = workers.silent_for();
        if silent > self.stall + super::front::PROBE_EVERY {
            reasons.push(format!("no worker has run anything for {}", in_seconds(silent)));
        }
        let is_ready = reasons.is_empty();
        (if is_ready { 200 } else { 503 }, json!({"ready": is_ready, "reasons": reasons}))
    }

    /// Whether invocations are taken.
    pub(super) fn is_ready(&self, workers: &Workers, admission: &Admission) -> bool {
        self.ready(workers, admission).0 == 200
    }

    fn blocked(&self, workers: &Workers) -> impl Iterator<Item = Value> {
        workers.blocked(self.stall).into_iter().map(|blocked| {
            let running = &blocked.running;
            let seconds = blocked.lasted.as_secs_f64();
            json!({"activationId": running.activation_id, "skill": running.skill, "seconds": seconds})
        })
    }
}

fn in_seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::super::clock::Clock;
    use super::*;
    use std::sync::Arc;

    #[test]
    fn readiness_has_a_reason() {
        let workers = Workers::new(Arc::new(Clock::start()));
        let admission = Admission::new(1, 0, Duration::ZERO);
        let health = Health::new(Duration::from_mins(1));
        let reasons = |(status, body): (u16, Value)| (status, body["reasons"].clone());
        assert_eq!(reasons(health.ready(&workers, &admission)), (503, json!(["the self-test is not over"])));
        health.enter(Phase::Serving);
        assert_eq!(reasons(health.ready(&workers, &admission)), (200, json!([])));
        let place = admission.enter().unwrap();
        let saturated = "saturated: 1 invocations run, 0 wait";
        assert_eq!(reasons(health.ready(&workers, &admission)), (503, json!([saturated])));
        drop(place);
        health.enter(Phase::Draining);
        health.enter(Phase::Leaving);
        assert_eq!(health.phase(), Phase::Draining);
        assert_eq!(reasons(health.ready(&workers, &admission)), (503, json!(["draining"])));
        assert_eq!(health.alive(&workers).0, 200);
    }

    #[test]
    fn a_failed_self_test_is_the_reason() {
        let workers = Workers::new(Arc::new(Clock::start()));
        let health = Health::new(Duration::from_mins(1));
        health.fail("skill `a`: no".into());
        let (_, body) = health.ready(&workers, &Admission::new(1, 1, Duration::ZERO));
        assert_eq!(body["reasons"], json!(["the self-test failed: skill `a`: no"]));
    }
}
