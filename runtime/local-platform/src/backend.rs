//! What all requests are answered from.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::content::Store;
use crate::fabric::{LastSweep, Places, UnderWay};
use crate::options::Limits;
use crate::principals::Principals;
use crate::records::Records;
use crate::skills::SkillHost;
use crate::token::Tokens;

/// What all requests share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Backend {
    /// Where the platform listens.
    pub(crate) url: Arc<str>,
    pub(crate) records: Records,
    pub(crate) content: Store,
    pub(crate) principals: Principals,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) limits: Limits,
    pub(crate) skills: Option<Arc<dyn SkillHost>>,
    pub(crate) under_way: Arc<UnderWay>,
    pub(crate) places: Arc<Places>,
    /// When sessions of Fabric that had expired were removed.
    pub(crate) last_sweep: Arc<LastSweep>,
    /// Work that goes on after its request was answered; a shutdown waits for it.
    pub(crate) work: TaskTracker,
    /// Cancelled when the platform stops.
    pub(crate) stop: CancellationToken,
}
