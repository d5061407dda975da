//! Accepts requests on all connections, and sends each answer when it is due.

use std::cell::Cell;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::mem;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::process::exit;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::answers::{render, with_id, Answer, Answers};
use crate::poll::{set_nodelay, use_cores, Poll};
use crate::request::{number, read_head};

const READ_BYTES: usize = 1 << 20;
/// While calls take time, the requests of so long are read together, about as many as the server in Python reads: a
/// server that is faster than that wakes for one or two of them, and takes the core from a worker each time.
const PAUSE: Duration = Duration::from_micros(200);
const INPUT: RawFd = 0;
const NO_ANSWER: &[u8] = b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n";

/// A connection, and the received part of its next request, with the bytes that it will have.
struct Connection {
    stream: TcpStream,
    number: usize,
    begun: Vec<u8>,
    whole: usize,
}

/// An answer, when it is due, and to which connection; numbers tell those of one descriptor apart.
struct Due {
    at: Instant,
    call: usize,
    descriptor: RawFd,
    number: usize,
    answer: Answer,
}

pub struct Server {
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    accepted: usize,
    answers: Answers,
    due: BinaryHeap<Reverse<Due>>,
    calls: usize,
    sent: Cell<usize>,
    waiting: Option<(RawFd, usize)>,
    awaited: usize,
    buffer: Vec<u8>,
}

impl Server {
    /// Listens on a port, which it prints.
    pub fn new() -> Result<Self> {
        let (poll, listener) = (Poll::new()?, TcpListener::bind(("127.0.0.1", 0))?);
        set_nodelay(listener.as_raw_fd())?;
        poll.add(listener.as_raw_fd())?;
        poll.add(INPUT)?;
        println!("{}", listener.local_addr()?.port());
        Ok(Self {
            poll,
            listener,
            connections: Vec::new(),
            accepted: 0,
            answers: Answers::default(),
            due: BinaryHeap::new(),
            calls: 0,
            sent: Cell::new(0),
            waiting: None,
            awaited: 0,
            buffer: vec![0; READ_BYTES],
        })
    }

    /// Serves until standard input ends.
    pub fn serve(mut self) -> Result<()> {
        loop {
            let longest = self.send_due();
            let count = self.poll.wait(longest)?;
            for place in 0..count {
                let descriptor = self.poll.readable(place);
                if descriptor == INPUT {
                    exit(0);
                } else if descriptor == self.listener.as_raw_fd() {
                    self.accept()?;
                } else if self.read(descriptor).is_err() {
                    self.connections[descriptor as usize] = None;
                }
            }
            if count > 0 && !self.answers.latency.is_zero() {
                self.send_due();
                sleep(PAUSE);
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        let (stream, _) = self.listener.accept()?;
        let descriptor = stream.as_raw_fd();
        self.poll.add(descriptor)?;
        self.accepted += 1;
        let place = descriptor as usize;
        self.connections.resize_with(self.connections.len().max(place + 1), || None);
        self.connections[place] = Some(Connection { stream, number: self.accepted, begun: Vec::new(), whole: 0 });
        Ok(())
    }

    fn read(&mut self, descriptor: RawFd) -> Result<()> {
        let mut buffer = mem::take(&mut self.buffer);
        let done = self.read_into(&mut buffer, descriptor);
        self.buffer = buffer;
        done
    }

    /// Reads what there is of a request, and takes the request if it is complete.
    fn read_into(&mut self, buffer: &mut [u8], descriptor: RawFd) -> Result<()> {
        let Some(connection) = &mut self.connections[descriptor as usize] else { return Ok(()) };
        let data = match connection.stream.read(buffer) {
            Ok(0) => return Err(Error::from(ErrorKind::UnexpectedEof)),
            count => &buffer[..count?],
        };
        if connection.begun.is_empty() {
            if let Some(head) = read_head(data).filter(|head| data.len() >= head.whole) {
                return self.take(descriptor, head.target, &data[head.length..]);
            }
        }
        connection.begun.extend_from_slice(data);
        if connection.begun.len() < connection.whole {
            return Ok(());
        }
        let begun = mem::take(&mut connection.begun);
        let found = read_head(&begun);
        let whole = found.as_ref().map_or(0, |head| head.whole);
        connection.whole = if begun.len() < whole { whole } else { 0 };
        match found {
            Some(head) if begun.len() >= whole => self.take(descriptor, head.target, &begun[head.length..]),
            _ => {
                connection.begun = begun;
                Ok(())
            }
        }
    }

    fn take(&mut self, descriptor: RawFd, target: &[u8], content: &[u8]) -> Result<()> {
        if target.starts_with(b"/") {
            return self.control(descriptor, target, content);
        }
        match self.answers.answer(target, content) {
            Some((answer, delay)) if delay.is_zero() => self.send(descriptor, self.answers.bytes(&answer))?,
            Some((answer, delay)) => {
                self.calls += 1;
                let (at, number) = (Instant::now() + delay, self.number(descriptor));
                self.due.push(Reverse(Due { at, call: self.calls, descriptor, number, answer }));
            }
            None => self.send(descriptor, NO_ANSWER)?,
        }
        if self.is_over() {
            if let Some((descriptor, number)) = self.waiting.take() {
                if self.number(descriptor) == number {
                    // The client may have closed it, to retry.
                    self.send(descriptor, &render(b"{}")).ok();
                }
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.answers.is_drained() && self.answers.clients() >= self.awaited
    }

    /// Sends the answers that are due; returns how long it is until the next one.
    fn send_due(&mut self) -> Option<Duration> {
        while let Some(Reverse(next)) = self.due.peek() {
            let left = next.at.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Some(left);
            }
            let Reverse(due) = self.due.pop()?;
            if self.number(due.descriptor) == due.number {
                // If the client has closed it, that is read later.
                self.send(due.descriptor, self.answers.bytes(&due.answer)).ok();
            }
        }
        None
    }

    /// The number of the connection that has a descriptor; 0 if it is closed.
    fn number(&self, descriptor: RawFd) -> usize {
        self.connections[descriptor as usize].as_ref().map_or(0, |connection| connection.number)
    }

    fn send(&self, descriptor: RawFd, bytes: &[u8]) -> Result<()> {
        let Some(connection) = &self.connections[descriptor as usize] else { return Ok(()) };
        self.sent.set(self.sent.get() + 1);
        (&connection.stream).write_all(&with_id(bytes, self.sent.get()))
    }

    fn control(&mut self, descriptor: RawFd, target: &[u8], content: &[u8]) -> Result<()> {
        let end = target.iter().position(|byte| *byte == b'=').map_or(target.len(), |place| place + 1);
        let (name, value) = target.split_at(end);
        match name {
            b"/fill?count=" => self.answers.fill(number(value), content.to_vec()),
            b"/latency?ms=" => self.answers.latency = Duration::from_millis(number(value) as u64),
            b"/cores?numbers=" => use_cores(value.split(|byte| *byte == b',').map(number))?,
            b"/report" => return self.send(descriptor, &render(&self.answers.report())),
            b"/drained?clients=" => {
                self.awaited = number(value);
                if !self.is_over() {
                    self.waiting = Some((descriptor, self.number(descriptor)));
                    return Ok(());
                }
            }
            _ => return self.send(descriptor, NO_ANSWER),
        }
        self.send(descriptor, &render(b"{}"))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.call).cmp(&(other.at, other.call))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}
