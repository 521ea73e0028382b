//! Identity and access management: who may do what.

pub use capability::Capability;

pub mod capability;
