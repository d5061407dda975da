//! The server of canned answers for worker processes over HTTP, as `canned.py` is one for everything.
//!
//! It shares the cores with the workers, so it does as little as it can: one thread polls all connections, a call is one
//! read and one write, the answers are rendered before the run, and the requests are verified after it, by
//! `fast_server.py`. It prints its port, and serves until its standard input ends. It is controlled by GET, but for
//! `/fill`, which has the answers as the body of a POST:
//!
//! - `/fill?count=20000` puts messages into its queue, and deletes all records; see `answers.rs`
//! - `/latency?ms=8` sets the latency of every call; `/cores?numbers=0,1` sets the cores to run on
//! - `/report` returns the requests since then
//! - `/drained?clients=2` is answered when all messages are deleted and this number of processes have started

mod answers;
mod poll;
mod request;
mod server;

fn main() -> std::io::Result<()> {
    server::Server::new()?.serve()
}
