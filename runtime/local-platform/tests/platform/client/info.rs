//! What the platform says of itself, through the client.

use jiff::{SignedDuration, Timestamp};

use crate::support::Local;

#[tokio::test]
async fn the_platform_tells_its_time_and_version() {
    let local = Local::start().await;
    let before = Timestamp::now();
    let info = local.client().info().await.unwrap();
    // Its clock is ours, in whole milliseconds.
    let time = info.server_time().unwrap();
    assert!(before - SignedDuration::from_millis(1) <= time && time <= Timestamp::now(), "{time}");
    assert!(info.version.is_some_and(|version| !version.is_empty()));
    assert_eq!(info.other["success"], true);
}
