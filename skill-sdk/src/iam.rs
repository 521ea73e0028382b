//! Identity and access management: who may do what.
//!
//! - [`acl`], [`action`], [`scope`]: the tables of what there is leave for
//! - [`capability`]: leave for something, as JSON and back; [`project_capability`]: the same in some projects
//! - [`compare`]: what somebody lacks; [`comparable`]: of what that can be asked

pub use acl::Acl;
pub use action::Action;
pub use capability::{Capability, Loading};
pub use comparable::Comparable;
pub use compare::{CompareOptions, Comparison, Warning, compare_capabilities};
pub use project_capability::{ProjectCapability, ProjectScope};
pub use scope::{Scope, ScopeKind};

pub mod acl;
pub mod action;
pub mod capability;
pub mod comparable;
pub mod compare;
mod load;
pub mod project_capability;
pub mod scope;
mod snake_case;
mod suggest;
mod tree;
