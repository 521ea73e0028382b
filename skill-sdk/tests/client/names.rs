//! Names that are hard to carry in a path.

use skill_sdk::{Client, Code, Error};

use crate::server::Server;

/// Names, and how they stand in a path: whole, as one segment.
const ENCODED: [(&str, &str); 9] = [
    ("acme/greet", "acme%2Fgreet"),
    ("a b", "a%20b"),
    (" ", "%20"),
    ("100%", "100%25"),
    ("%2e%2e", "%252e%252e"),
    ("...", "..."),
    ("../up", "..%2Fup"),
    ("a?b#c\\d", "a%3Fb%23c%5Cd"),
    ("日本", "%E6%97%A5%E6%9C%AC"),
];

/// Names that no path can carry.
const REFUSED: [&str; 6] = ["", ".", "..", "a\nb", "a\tb", "\u{7f}"];

/// Makes a call with every such name, and checks where it goes: `before`, the name and `after`. Of those that are
/// refused nothing is sent.
pub(crate) async fn check<T>(
    answer: &'static str,
    (before, after): (&str, &str),
    call: impl AsyncFn(Client, &'static str) -> Result<T, Error>,
) {
    let server = Server::answering(move || answer).await;
    for (name, encoded) in ENCODED {
        call(server.client(), name).await.map(|_| ()).unwrap();
        assert_eq!(server.only().target, format!("{before}{encoded}{after}"), "{name}");
    }
    for name in REFUSED {
        let error = call(server.client(), name).await.err().unwrap();
        assert_eq!(error.code(), Code::SkillFailed, "{name:?}");
        assert!(error.detail().starts_with(&format!("{name:?} cannot be the name of ")), "{error}");
    }
    assert!(server.noted.lock().unwrap().is_empty());
}
