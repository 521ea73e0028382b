//! Who runs the skills that the platform is asked to invoke.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// What came of an invocation: the payload as JSON text, or a problem document (RFC 9457).
pub type Invoked = Result<String, Value>;

/// Runs skills for a platform. The skill runtime is one.
pub trait SkillHost: Debug + Send + Sync {
    /// The definitions of the skills (CAMEL 1.0.0, fabric-invocation section 9), which every project has from the start.
    fn definitions(&self) -> Vec<Value>;

    /// The names of the skills.
    fn names(&self) -> Vec<String>;

    /// Runs a skill with an invocation message (fabric-invocation section 1), until it answers
    /// or is cancelled. It bounds its own time.
    fn invoke(
        &self,
        skill: String,
        message: Vec<u8>,
        cancelled: CancellationToken,
    ) -> Pin<Box<dyn Future<Output = Invoked> + Send>>;
}
