use super::*;
use crate::authorize::clock::{now, pass};
use skill_sdk::Code;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::oneshot;

type Outcome = Result<Until<u32>, Error>;

/// What is asked, with somebody to answer it when a test says so.
#[derive(Clone)]
struct Desk {
    remembered: Arc<Remembered<u32>>,
    /// Questions that have no answer yet.
    open: Arc<Mutex<Vec<oneshot::Sender<Outcome>>>>,
}

impl Desk {
    fn new() -> Self {
        Self { remembered: Arc::new(Remembered::new(100, now)), open: Arc::default() }
    }

    fn ask(&self, key: u8) -> Pin<Box<dyn Future<Output = Answer<u32>> + Send>> {
        let desk = self.clone();
        Box::pin(async move {
            let ask = || {
                let (answer, receiver) = oneshot::channel();
                desk.open.lock().unwrap().push(answer);
                async move { receiver.await.unwrap_or_else(|_| Err(Error::new(Code::Internal, "nobody answered"))) }
            };
            desk.remembered.get_or([key; 32], ask).await
        })
    }

    /// Answers the oldest question.
    fn answer(&self, answer: Outcome) {
        let answered = self.open.lock().unwrap().remove(0).send(answer);
        assert!(answered.is_ok(), "somebody waits");
    }

    fn open(&self) -> usize {
        self.open.lock().unwrap().len()
    }
}

/// Good for a minute.
fn good(value: u32) -> Until<u32> {
    Until(value, now() + Duration::from_mins(1))
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn value(answer: Poll<Answer<u32>>) -> Option<Result<u32, Code>> {
    match answer {
        Poll::Ready(answer) => Some(answer.map(|value| *value).map_err(|error| error.code())),
        Poll::Pending => None,
    }
}

#[test]
fn an_answer_is_remembered_until_its_end() {
    let desk = Desk::new();
    let mut first = desk.ask(1);
    assert_eq!(value(poll(&mut first)), None);
    desk.answer(Ok(good(7)));
    assert_eq!(value(poll(&mut first)), Some(Ok(7)));
    pass(Duration::from_secs(59));
    assert_eq!(value(poll(&mut desk.ask(1))), Some(Ok(7)));
    // Another question is another.
    assert_eq!(value(poll(&mut desk.ask(2))), None);

    pass(Duration::from_secs(1));
    desk.open.lock().unwrap().clear();
    let mut later = desk.ask(1);
    assert_eq!(value(poll(&mut later)), None);
    desk.answer(Ok(good(8)));
    assert_eq!(value(poll(&mut later)), Some(Ok(8)));
    assert_eq!(value(poll(&mut desk.ask(1))), Some(Ok(8)));
    assert_eq!(desk.open(), 0);
}

#[test]
fn those_who_come_at_once_wait_for_one_answer() {
    let desk = Desk::new();
    let mut asking: Vec<_> = (0..20).map(|_| desk.ask(1)).collect();
    assert!(asking.iter_mut().all(|asking| poll(asking).is_pending()));
    assert_eq!(desk.open(), 1);
    // They get it even when it is of no use to whoever comes next.
    desk.answer(Ok(Until(7, now())));
    for asking in &mut asking {
        assert_eq!(value(poll(asking)), Some(Ok(7)));
    }
    assert_eq!(value(poll(&mut desk.ask(1))), None);
    assert_eq!(desk.open(), 1);
}

#[test]
fn a_failure_is_for_those_who_wait_and_for_nobody_after_them() {
    let desk = Desk::new();
    let mut asking: Vec<_> = (0..3).map(|_| desk.ask(1)).collect();
    assert!(asking.iter_mut().all(|asking| poll(asking).is_pending()));
    desk.answer(Err(Error::new(Code::PlatformUnavailable, "not now")));
    assert_eq!(value(poll(&mut asking[0])), Some(Err(Code::PlatformUnavailable)));
    let mut later = desk.ask(1);
    assert_eq!(value(poll(&mut later)), None);
    assert_eq!(value(poll(&mut asking[1])), Some(Err(Code::PlatformUnavailable)));
    assert_eq!(value(poll(&mut asking[2])), Some(Err(Code::PlatformUnavailable)));
    desk.answer(Ok(good(7)));
    assert_eq!(value(poll(&mut later)), Some(Ok(7)));
    assert_eq!(value(poll(&mut desk.ask(1))), Some(Ok(7)));
}

#[test]
fn whoever_leaves_takes_nothing_from_the_others() {
    let desk = Desk::new();
    let (mut first, mut second) = (desk.ask(1), desk.ask(1));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    drop(first);
    assert!(poll(&mut second).is_pending());
    desk.answer(Ok(good(7)));
    assert_eq!(value(poll(&mut second)), Some(Ok(7)));
    assert_eq!(value(poll(&mut desk.ask(1))), Some(Ok(7)));
}

#[tokio::test]
async fn the_others_are_woken_when_the_first_has_left() {
    let desk = Desk::new();
    let first = tokio::spawn(desk.ask(1));
    while desk.open() == 0 {
        tokio::task::yield_now().await;
    }
    let second = tokio::spawn(desk.ask(1));
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    desk.answer(Ok(good(7)));
    assert_eq!(*second.await.unwrap().unwrap(), 7);
    assert_eq!(desk.open(), 0);
}

#[test]
fn a_question_that_all_have_left_is_asked_anew() {
    let desk = Desk::new();
    let mut first = desk.ask(1);
    assert!(poll(&mut first).is_pending());
    drop(first);
    assert!(desk.open.lock().unwrap().remove(0).is_closed(), "the old one has ended");
    let mut second = desk.ask(1);
    assert!(poll(&mut second).is_pending());
    desk.answer(Ok(good(7)));
    assert_eq!(value(poll(&mut second)), Some(Ok(7)));
}

#[test]
fn there_is_a_limit_to_what_is_remembered() {
    let desk = Desk { remembered: Arc::new(Remembered::new(10, now)), ..Desk::new() };
    for key in 0..=255 {
        let mut asking = desk.ask(key);
        assert!(poll(&mut asking).is_pending());
        desk.answer(Ok(good(key.into())));
        assert_eq!(value(poll(&mut asking)), Some(Ok(key.into())));
    }
    assert!(desk.remembered.answers.len() <= 10, "{}", desk.remembered.answers.len());
}
