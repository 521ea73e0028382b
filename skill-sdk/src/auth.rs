//! Where credentials come from.
//!
//! - [`token`]: what a token says about itself
//! - [`personal_access`]: makes tokens from a personal access config
//! - [`profile`]: the command line's configuration file

pub mod personal_access;
pub mod profile;
pub mod token;

pub use personal_access::PersonalAccessConfig;
pub use token::{AccessToken, Claims};
