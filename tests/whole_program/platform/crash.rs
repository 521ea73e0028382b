//! What is left of a platform that is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use skill_sdk::Client;
use skill_sdk::auth::PersonalAccessConfig;
use skill_sdk::iam::{Limit, SecurityCategoryOptions, SecurityCategoryWrite};
use tokio::task::JoinSet;
use whole_program_tests::PlatformProcess;

const WRITERS: usize = 8;
/// Writes that are acknowledged before the platform is killed.
const ENOUGH: usize = 200;

fn client(platform: &PlatformProcess) -> Client {
    let config = PersonalAccessConfig::from_file(platform.pat()).unwrap();
    let client = Client::builder().without_environment().without_profile().config(config).build().unwrap();
    client.with_retries(0).with_timeout(Duration::from_secs(20))
}

/// Writes content, secrets, security categories and the state of a session until the platform is gone. Gives the session, and the
/// number of the last round that was acknowledged in full.
async fn write(
    client: Client,
    writer: usize,
    done: Arc<tokio::sync::Semaphore>,
    stop: Arc<AtomicBool>,
) -> (String, usize) {
    let session = client.sessions().start(None, None).await.unwrap();
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        let value = (round + 1).to_string();
        let written = async {
            client.content().upload(&format!("w{writer}/{value}"), value.clone(), "text/plain").await?;
            client.secrets().post(&format!("w{writer}-{value}"), value.as_str()).await?;
            let name = format!("w{writer} {value}");
            let category = SecurityCategoryWrite::new(name);
            client.iam().security_categories().create(category).await?;
            client.sessions().put(&session, &json!({value.clone(): true})).await
        };
        if written.await.is_err() {
            break;
        }
        round += 1;
        done.add_permits(4);
    }
    (session, round)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives() {
    let data = tempfile::tempdir().unwrap();
    let platform = PlatformProcess::start(data.path());
    let first = client(&platform);
    let (done, stop) = (Arc::new(tokio::sync::Semaphore::new(0)), Arc::new(AtomicBool::new(false)));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let write = write(first.clone(), writer, Arc::clone(&done), Arc::clone(&stop));
        writers.spawn(async move { (writer, write.await) });
    }
    let enough = done.acquire_many(u32::try_from(ENOUGH).unwrap());
    let _enough = tokio::time::timeout(Duration::from_secs(60), enough).await.unwrap().unwrap();
    platform.kill();
    stop.store(true, Ordering::Relaxed);
    let acknowledged = writers.join_all().await;

    let platform = PlatformProcess::start(data.path());
    let again = client(&platform);
    let everything = SecurityCategoryOptions::default().limit(Limit::Unlimited);
    let categories = again.iam().security_categories().list_with(&everything).await.unwrap();
    for (writer, (session, rounds)) in acknowledged {
        let state = again.sessions().get(&session).await.unwrap();
        for round in 1..=rounds {
            let value = round.to_string();
            let content = again.content().download(&format!("w{writer}/{value}")).await.unwrap();
            assert_eq!(content.bytes().await.unwrap(), value.as_bytes());
            let secret = again.secrets().get(&format!("w{writer}-{value}")).await.unwrap();
            assert_eq!(secret.expose_secret::<String>().unwrap(), value);
            assert_eq!(state[&value], true, "{writer} {round}");
            let name = format!("w{writer} {value}");
            assert!(categories.iter().any(|category| category.name == name), "{name}");
        }
    }
    // Nothing is left of what was under way.
    assert_eq!(std::fs::read_dir(data.path().join("content/.incoming")).unwrap().count(), 0);
    let files = std::fs::read_dir(data.path().join("content")).unwrap();
    let files = files.filter(|entry| entry.as_ref().unwrap().path().is_file()).count();
    assert_eq!(files, again.content().list("").await.unwrap().len());
    assert_eq!(platform.stop(), Some(0));
}
