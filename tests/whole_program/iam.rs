//! `skill-runtime iam`: who may do what.

mod compare;
mod lists;
mod verify;
