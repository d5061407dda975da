//! The answers of a run, which are given, and a record of its requests.
//!
//! Both are pairs of an operation, in lower case, and of its content, each with its length as four bytes, the least
//! significant first. Of the answers, each of `receivemessage` is given once, in order; those of other operations are
//! given to each of their calls. The report begins with a pair of `report` and JSON; then come the requests.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::poll::processor_seconds;
use crate::request::{named_number, strings};

const RECEIVE: &[u8] = b"receivemessage";
const DELETE: &[u8] = b"deletemessagebatch";
const VISIBILITY: &[u8] = b"changemessagevisibilitybatch";
const START: &[u8] = b"getqueueurl";
const KEPT: [&[u8]; 3] = [b"batchwriteitem", b"putitem", DELETE];

/// What is kept of a message, about: its item and its receipt handle.
const REQUEST_BYTES: usize = 800;

/// An answer: a part of those that were given, or one that was made.
pub enum Answer {
    Given(Range<usize>),
    Made(Vec<u8>),
}

struct Operation {
    name: Vec<u8>,
    calls: usize,
    answer: Option<Range<usize>>,
    kept: bool,
}

#[derive(Default)]
pub struct Answers {
    /// The latency of each call, besides that of a receive that waits.
    pub latency: Duration,
    given: Vec<u8>,
    received: Vec<Range<usize>>,
    receives: usize,
    operations: Vec<Operation>,
    kept: Vec<u8>,
    filled: usize,
    deleted: usize,
    drained_at: Option<Instant>,
    counts_from: usize,
    counted: Option<(Instant, usize)>,
    busy_from: f64,
}

impl Answers {
    /// Deletes all records, and puts messages into the queue.
    pub fn fill(&mut self, count: usize, given: Vec<u8>) {
        let mut kept = std::mem::take(&mut self.kept);
        // Memory takes time when it is written for the first time, which is none of the run's.
        kept.resize(count * REQUEST_BYTES, 1);
        kept.clear();
        *self = Self { latency: self.latency, given, filled: count, kept, ..Self::default() };
        for (name, answer) in pairs(&self.given) {
            match self.given[name.clone()] == *RECEIVE {
                true => self.received.push(answer),
                false => self.operations.push(Operation::new(&self.given[name], Some(answer))),
            }
        }
        self.busy_from = processor_seconds();
    }

    /// The answer to a call, and how long to delay it; None if there is none.
    pub fn answer(&mut self, operation: &[u8], content: &[u8]) -> Option<(Answer, Duration)> {
        let place = self.place(operation);
        let found = &mut self.operations[place];
        found.calls += 1;
        if found.kept {
            append(&mut self.kept, &found.name, content);
        }
        let (starts, deletes) = (found.name == START, found.name == DELETE);
        if let Some(answer) = &found.answer {
            let answer = Answer::Given(answer.clone());
            if starts {
                // Speed is measured from a quarter of the rest on: the batch size of workers has settled by then.
                self.counts_from = self.deleted + self.filled.saturating_sub(self.deleted) / 4;
                self.counted = None;
            }
            return Some((answer, self.latency));
        }
        if deletes || found.name == VISIBILITY {
            let (answer, count) = acknowledge(content);
            if deletes {
                self.delete(count);
            }
            return Some((answer, self.latency));
        }
        (found.name == RECEIVE).then(|| self.receive(content))
    }

    fn place(&mut self, operation: &[u8]) -> usize {
        let found = self.operations.iter().position(|each| each.name.eq_ignore_ascii_case(operation));
        found.unwrap_or_else(|| {
            self.operations.push(Operation::new(operation, None));
            self.operations.len() - 1
        })
    }

    fn receive(&mut self, content: &[u8]) -> (Answer, Duration) {
        if let Some(answer) = self.received.get(self.receives) {
            self.receives += 1;
            return (Answer::Given(answer.clone()), self.latency);
        }
        let wait = named_number(content, b"\"WaitTimeSeconds\":");
        (Answer::Made(render(b"{}")), self.latency + Duration::from_secs(wait as u64))
    }

    fn delete(&mut self, count: usize) {
        self.deleted += count;
        if self.counted.is_none() && self.deleted >= self.counts_from {
            self.counted = Some((Instant::now(), self.deleted));
        }
        if self.is_drained() {
            self.drained_at = Some(Instant::now());
        }
    }

    /// The bytes of an answer.
    pub fn bytes<'a>(&'a self, answer: &'a Answer) -> &'a [u8] {
        match answer {
            Answer::Given(range) => &self.given[range.clone()],
            Answer::Made(bytes) => bytes,
        }
    }

    /// Whether all messages were deleted.
    pub fn is_drained(&self) -> bool {
        self.deleted >= self.filled
    }

    /// How many processes have started; each requests the URL of the queue once.
    pub fn clients(&self) -> usize {
        self.operations.iter().filter(|each| each.name == START).map(|each| each.calls).sum()
    }

    /// Reports the requests since the last `fill`: the fields of `Answers.report` that need no verification, in JSON, and
    /// the requests that do.
    pub fn report(&self) -> Vec<u8> {
        let busy = processor_seconds() - self.busy_from;
        let called = self.operations.iter().filter(|each| each.calls > 0);
        let calls: Vec<_> =
            called.map(|each| format!("\"{}\":{}", String::from_utf8_lossy(&each.name), each.calls)).collect();
        let speed = self.speed().map_or("null".to_string(), |speed| speed.to_string());
        let (calls, received) = (calls.join(","), self.receives);
        let found = format!("{{\"calls\":{{{calls}}},\"received\":{received},\"speed\":{speed},\"busy\":{busy}}}");
        let mut report = Vec::new();
        append(&mut report, b"report", found.as_bytes());
        report.extend_from_slice(&self.kept);
        report
    }

    fn speed(&self) -> Option<f64> {
        let (moment, deleted) = self.counted?;
        let seconds = self.drained_at?.checked_duration_since(moment)?.as_secs_f64();
        (seconds > 0.0).then(|| (self.deleted - deleted) as f64 / seconds)
    }
}

impl Operation {
    fn new(name: &[u8], answer: Option<Range<usize>>) -> Self {
        let name = name.to_ascii_lowercase();
        Self { calls: 0, answer, kept: KEPT.contains(&name.as_slice()), name }
    }
}

/// How an answer begins, as it is given or made; then comes an id of this length, which stands for that of a request.
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: ";
const ID: &str = "canned-00000000";

/// An answer as it is sent: each request has an id of its own, as a client may refuse one that it had before.
pub fn with_id(answer: &[u8], number: usize) -> Vec<u8> {
    let mut sent = answer.to_vec();
    let place = HEAD.len()..HEAD.len() + ID.len();
    if answer.starts_with(HEAD.as_bytes()) {
        sent[place].copy_from_slice(format!("canned-{:08}", number % 100_000_000).as_bytes());
    }
    sent
}

/// A complete answer.
pub fn render(content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut answer = format!("{HEAD}{ID}\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    answer.extend_from_slice(content);
    answer
}

/// The answer for a batch of deletes or visibility timeouts, and the number of its entries.
fn acknowledge(content: &[u8]) -> (Answer, usize) {
    let (mut answer, mut count) = (b"{\"Successful\":[".to_vec(), 0);
    for id in strings(content, b"\"Id\":") {
        let before: &[u8] = if count > 0 { b",{\"Id\":\"" } else { b"{\"Id\":\"" };
        [before, id, b"\"}"].iter().for_each(|part| answer.extend_from_slice(part));
        count += 1;
    }
    answer.extend_from_slice(b"],\"Failed\":[]}");
    (Answer::Made(render(&answer)), count)
}

fn append(pairs: &mut Vec<u8>, name: &[u8], content: &[u8]) {
    for part in [name, content] {
        pairs.extend_from_slice(&(part.len() as u32).to_le_bytes());
        pairs.extend_from_slice(part);
    }
}

/// Where the names and contents of pairs are.
fn pairs(given: &[u8]) -> Vec<(Range<usize>, Range<usize>)> {
    let (mut found, mut place) = (Vec::new(), 0);
    while place < given.len() {
        let name = part(given, place);
        let content = part(given, name.end);
        place = content.end;
        found.push((name, content));
    }
    found
}

fn part(given: &[u8], place: usize) -> Range<usize> {
    let length = given[place..place + 4].try_into().map(u32::from_le_bytes).expect("it has four bytes");
    place + 4..place + 4 + length as usize
}
