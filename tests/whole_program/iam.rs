//! `skill-runtime iam`: who may do what.

mod compare;
