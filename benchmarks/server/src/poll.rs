//! Waits until file descriptors are readable, and system calls that the standard library does not have.

use std::io::{Error, Result};
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

const MOST_EVENTS: usize = 256;

/// The file descriptors that are polled.
pub struct Poll {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poll {
    pub fn new() -> Result<Self> {
        let descriptor = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        let epoll = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self { epoll, events: vec![libc::epoll_event { events: 0, u64: 0 }; MOST_EVENTS] })
    }

    /// Adds a descriptor; closing it removes it.
    pub fn add(&self, descriptor: RawFd) -> Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: descriptor as u64 };
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor, &mut event) })?;
        Ok(())
    }

    /// Waits, at most so long, until a descriptor is readable; returns how many are, which `readable` names.
    pub fn wait(&mut self, longest: Option<Duration>) -> Result<usize> {
        let limit = longest.map(|left| libc::timespec {
            tv_sec: left.as_secs() as libc::time_t,
            tv_nsec: left.subsec_nanos() as libc::c_long,
        });
        let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
        let (descriptor, events) = (self.epoll.as_raw_fd(), self.events.as_mut_ptr());
        match check(unsafe { libc::epoll_pwait2(descriptor, events, MOST_EVENTS as i32, limit, ptr::null()) }) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(0),
            count => count.map(|count| count as usize),
        }
    }

    pub fn readable(&self, place: usize) -> RawFd {
        self.events[place].u64 as RawFd
    }
}

/// Lets the connections of a listener send at once.
pub fn set_nodelay(listener: RawFd) -> Result<()> {
    let on: libc::c_int = 1;
    let (value, length) = (ptr::from_ref(&on).cast(), mem::size_of_val(&on) as libc::socklen_t);
    check(unsafe { libc::setsockopt(listener, libc::IPPROTO_TCP, libc::TCP_NODELAY, value, length) })?;
    Ok(())
}

/// Runs this process on some cores, by their numbers.
pub fn use_cores(numbers: impl Iterator<Item = usize>) -> Result<()> {
    let mut cores: libc::cpu_set_t = unsafe { mem::zeroed() };
    numbers.for_each(|number| unsafe { libc::CPU_SET(number, &mut cores) });
    check(unsafe { libc::sched_setaffinity(0, mem::size_of_val(&cores), &cores) })?;
    Ok(())
}

/// The processor seconds of this process.
pub fn processor_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn check(code: libc::c_int) -> Result<libc::c_int> {
    if code < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(code)
    }
}
