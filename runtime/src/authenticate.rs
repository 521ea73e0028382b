//! Who asks: the step of the pipeline between a message and a client.

use skill_sdk::{Client, Error, Message};

/// Makes the client that acts for the caller.
///
/// # Errors
///
/// As for [`Client::from_message`].
pub(crate) fn authenticate(message: &Message) -> Result<Client, Error> {
    Client::from_message(message)
}
