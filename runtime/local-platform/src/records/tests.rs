use std::sync::Arc;

use tokio::task::JoinSet;

use super::*;

const TEXTS: Collection<String> = Collection::new("texts");

/// Why a write was refused.
#[derive(Debug, PartialEq)]
enum Why {
    Refused,
    Storage(String),
}

impl From<StorageError> for Why {
    fn from(error: StorageError) -> Self {
        Self::Storage(std::error::Error::source(&error).unwrap().to_string())
    }
}

fn in_memory() -> Records {
    let folder = Arc::new(Folder::temporary().unwrap());
    Records::open(&folder, true, &TaskTracker::new()).unwrap()
}

async fn put(records: &Records, project: &'static str, name: &str, text: &str) {
    let (name, text) = (name.to_owned(), text.to_owned());
    records
        .write(move |changes| changes.put(TEXTS, project, &name, &text))
        .await
        .unwrap_or_else(|error: StorageError| panic!("{error}"));
}

async fn all(records: &Records, project: &'static str, prefix: &'static str) -> Vec<(String, String)> {
    records.read(move |records| Ok::<_, Why>(records.list_prefix(TEXTS, project, prefix)?)).await.unwrap()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[tokio::test]
async fn records_are_apart_by_collection_project_and_name() {
    const OTHERS: Collection<String> = Collection::new("texts of others");
    let records = in_memory();
    assert!(all(&records, "p", "").await.is_empty());
    for (project, name) in [("p", "b"), ("p", "a"), ("p", "ab"), ("p/a", ""), ("q", "a"), ("", "a"), ("p\u{1}", "a")] {
        put(&records, project, name, project).await;
    }
    records
        .write(|changes| changes.put(OTHERS, "p", "a", &"other".to_owned()))
        .await
        .unwrap_or_else(|_: StorageError| panic!());
    assert_eq!(all(&records, "p", "").await, pairs(&[("a", "p"), ("ab", "p"), ("b", "p")]));
    assert_eq!(all(&records, "p", "a").await, pairs(&[("a", "p"), ("ab", "p")]));
    assert_eq!(all(&records, "p/a", "").await, pairs(&[("", "p/a")]));
    let everywhere = records.read(|records| Ok::<_, Why>(records.everywhere(TEXTS)?.len())).await.unwrap();
    assert_eq!(everywhere, 7);
}

#[tokio::test]
async fn a_write_sees_what_it_has_changed() {
    let records = in_memory();
    put(&records, "p", "kept", "1").await;
    put(&records, "p", "removed", "1").await;
    let seen = records.write(|changes| {
        changes.put(TEXTS, "p", "new", &"2".to_owned())?;
        changes.put(TEXTS, "p", "kept", &"2".to_owned())?;
        changes.remove(TEXTS, "p", "removed");
        changes.put(TEXTS, "q", "new", &"2".to_owned())?;
        assert_eq!(changes.get(TEXTS, "p", "removed")?, None);
        assert_eq!(changes.get(TEXTS, "p", "new")?.as_deref(), Some("2"));
        Ok::<_, Why>(changes.list(TEXTS, "p")?)
    });
    assert_eq!(seen.await.unwrap(), pairs(&[("kept", "2"), ("new", "2")]));
    assert_eq!(all(&records, "p", "").await, pairs(&[("kept", "2"), ("new", "2")]));
}

#[tokio::test]
async fn a_write_that_fails_or_panics_leaves_nothing_and_harms_no_other() {
    let records = in_memory();
    let mut writes = JoinSet::new();
    for number in 0..60u32 {
        let records = records.clone();
        writes.spawn(async move {
            let name = format!("{number:02}");
            let written = records.write(move |changes| {
                changes.put(TEXTS, "p", &name, &name)?;
                match number % 3 {
                    0 => Ok(()),
                    1 => Err(Why::Refused),
                    _ => panic!("a bug"),
                }
            });
            (number, written.await)
        });
    }
    for (number, written) in writes.join_all().await {
        let expected = match number % 3 {
            0 => Ok(()),
            1 => Err(Why::Refused),
            _ => Err(Why::Storage("a write panicked".to_owned())),
        };
        assert_eq!(written, expected, "{number}");
    }
    let names: Vec<_> = all(&records, "p", "").await.into_iter().map(|(name, _)| name).collect();
    let expected: Vec<_> = (0..60).step_by(3).map(|number| format!("{number:02}")).collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_write_goes_on_when_nobody_waits_for_it() {
    let records = in_memory();
    let write = records.write(|changes| changes.put(TEXTS, "p", "a", &"1".to_owned()));
    let mut write = Box::pin(async { drop(write.await.map_err(|error: StorageError| error)) });
    // Once it is polled, it waits in the queue.
    std::future::poll_fn(|cx| {
        let _ = write.as_mut().poll(cx);
        std::task::Poll::Ready(())
    })
    .await;
    drop(write);
    put(&records, "p", "b", "2").await;
    assert_eq!(all(&records, "p", "").await, pairs(&[("a", "1"), ("b", "2")]));
}

#[tokio::test]
async fn numbers_are_given_once() {
    let folder = Arc::new(Folder::temporary().unwrap());
    let work = TaskTracker::new();
    let mut given = Vec::new();
    for _ in 0..2 {
        let records = Records::open(&folder, false, &work).unwrap();
        let mut writes = JoinSet::new();
        for _ in 0..20 {
            let records = records.clone();
            writes
                .spawn(async move { records.write(|changes| Ok::<_, Why>(changes.next_number("n")?)).await.unwrap() });
        }
        given.extend(writes.join_all().await);
        drop(records);
        work.close();
        work.wait().await;
        work.reopen();
    }
    given.sort_unstable();
    assert_eq!(given, (1..=40).collect::<Vec<u64>>());
}
