//! What can be counted of invocations, in the text form of `OpenMetrics`, which Prometheus reads.
//!
//! | metric | labels | meaning |
//! |---|---|---|
//! | `skill_invocations_total` | `skill`, `code` | invocations that are over; `code` is `ok`, that of the error table, or `cancelled` when whoever asked went away |
//! | `skill_invocation_duration_seconds` | `skill` | how long they took, from the whole message to the answer |
//! | `skill_platform_requests_total` | `status` | requests to platforms; `none` where no answer came |
//!
//! A host adds what is there to be read at any time.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use skill_sdk::client::{PlatformRequest, observe_requests};

/// What the text is, for a header `Content-Type`.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper ends of the classes of durations, in seconds: from an echo to the longest that platforms wait.
const DURATIONS: [f64; 14] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 30.0];

/// The code of invocations that were answered.
pub(crate) const OK: &str = "ok";
/// The code of those whose answer nobody waited for.
pub(crate) const CANCELLED: &str = "cancelled";

/// Of invocations whose skill is not here.
const UNKNOWN: &str = "";

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OfSkill {
    skill: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Ended {
    skill: String,
    code: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Answered {
    status: String,
}

/// Requests of the whole process, whichever library makes them.
static PLATFORM_REQUESTS: LazyLock<Family<Answered, Counter>> = LazyLock::new(Family::default);

/// Counts a request to a platform.
pub(crate) fn request_made(request: PlatformRequest) {
    let status = request.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
    PLATFORM_REQUESTS.get_or_create(&Answered { status }).inc();
}

/// The metrics of a host.
pub(crate) struct Metrics {
    registry: Registry,
    /// Of each skill in the host's order, and last of those that are not here.
    skills: Vec<SkillMetrics>,
}

/// What is counted of a skill. Its counters are looked up once.
struct SkillMetrics {
    name: String,
    ok: Counter,
    failed: Family<Ended, Counter>,
    durations: Histogram,
}

impl Metrics {
    /// Metrics of these skills, and what is there to be read at any time.
    pub(crate) fn new<'a>(skills: impl IntoIterator<Item = &'a str>, gauges: impl Collector) -> Self {
        observe_requests(request_made);
        let mut registry = Registry::default();
        let ended = Family::<Ended, Counter>::default();
        let durations =
            Family::<OfSkill, Histogram, _>::new_with_constructor((|| Histogram::new(DURATIONS)) as fn() -> Histogram);
        let of = |name: &str| SkillMetrics {
            name: name.to_owned(),
            ok: ended.get_or_create_owned(&Ended { skill: name.to_owned(), code: OK }),
            failed: ended.clone(),
            durations: durations.get_or_create_owned(&OfSkill { skill: name.to_owned() }),
        };
        let skills = skills.into_iter().chain([UNKNOWN]).map(of).collect();
        registry.register("skill_invocations", "Invocations that are over, by skill and code", ended);
        registry.register("skill_invocation_duration_seconds", "How long invocations took", durations);
        registry.register(
            "skill_platform_requests",
            "Requests to platforms, by the status of the answer",
            PLATFORM_REQUESTS.clone(),
        );
        registry.register_collector(Box::new(gauges));
        Self { registry, skills }
    }

    /// Counts an invocation of a skill, by its place among the host's, that ended so after this time: [`OK`], a code of the error
    /// table, or [`CANCELLED`].
    pub(crate) fn ended(&self, skill: Option<usize>, code: &'static str, took: Duration) {
        // The last is there always, for those that are not here.
        let Some(metrics) = skill.and_then(|place| self.skills.get(place)).or(self.skills.last()) else { return };
        metrics.durations.observe(took.as_secs_f64());
        if code == OK {
            metrics.ok.inc();
        } else {
            metrics.failed.get_or_create(&Ended { skill: metrics.name.clone(), code }).inc();
        }
    }

    /// Everything as text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _: fmt::Result = text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::DescriptorEncoder;

    #[derive(Debug)]
    struct Nothing;

    impl Collector for Nothing {
        fn encode(&self, _: DescriptorEncoder<'_>) -> fmt::Result {
            Ok(())
        }
    }

    #[test]
    fn invocations_are_counted_by_skill_and_code() {
        let metrics = Metrics::new(["a", "b\"\n"], Nothing);
        metrics.ended(Some(0), OK, Duration::from_millis(3));
        metrics.ended(Some(0), OK, Duration::from_mins(1));
        metrics.ended(Some(1), "skill_failed", Duration::ZERO);
        metrics.ended(None, "invalid_message", Duration::ZERO);
        let text = metrics.text();
        for line in [
            r#"skill_invocations_total{skill="a",code="ok"} 2"#,
            r#"skill_invocations_total{skill="b\"\n",code="ok"} 0"#,
            r#"skill_invocations_total{skill="b\"\n",code="skill_failed"} 1"#,
            r#"skill_invocations_total{skill="",code="invalid_message"} 1"#,
            r#"skill_invocation_duration_seconds_bucket{le="0.005",skill="a"} 1"#,
            r#"skill_invocation_duration_seconds_bucket{le="+Inf",skill="a"} 2"#,
            r#"skill_invocation_duration_seconds_count{skill="a"} 2"#,
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
