//! What somebody has entered to be who they are in this process.

use std::sync::{Arc, Mutex, PoisonError};

use crate::auth::PersonalAccessConfig;

/// A login: it lives as long as the process, in memory only.
#[derive(Debug)]
pub struct Login {
    /// Where the platform is.
    pub api_endpoint: String,
    /// The project to work in, if one was named.
    pub project: Option<String>,
    /// What tokens are made with.
    pub config: Arc<PersonalAccessConfig>,
}

static CURRENT: Mutex<Option<Arc<Login>>> = Mutex::new(None);

/// The login of this process.
pub(crate) fn current() -> Option<Arc<Login>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Makes this the login of this process.
pub(crate) fn remember(login: Arc<Login>) {
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(login);
}
