//! Forked children of tests.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A child of a fork.
pub struct Child(libc::pid_t);

/// What became of it.
#[derive(PartialEq, Eq, Debug)]
pub enum End {
    Exit(i32),
    Signal(i32),
}

/// A test that can't be run here.
pub const CANNOT: i32 = 77;

impl Child {
    /// Runs the closure in a child, which exits with what that returns; with 101 if it panics.
    pub fn fork(run: impl FnOnce() -> i32) -> Self {
        // SAFETY: the child is of one thread; it allocates, which glibc's allocator allows after fork(2).
        match unsafe { libc::fork() } {
            -1 => panic!("no child: {}", std::io::Error::last_os_error()),
            0 => {
                let code = catch_unwind(AssertUnwindSafe(run)).unwrap_or(101);
                // SAFETY: ends the child, and runs nothing of the parent's.
                unsafe { libc::_exit(code) }
            }
            pid => Self(pid),
        }
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: a child that was not waited for yet.
        assert_eq!(unsafe { libc::kill(self.0, signal) }, 0);
    }

    fn status(&self, flags: i32) -> Option<i32> {
        let mut status = 0;
        // SAFETY: a child that was not waited for yet, and a place for the answer.
        let pid = unsafe { libc::waitpid(self.0, &raw mut status, flags) };
        assert!(pid == 0 || pid == self.0, "{}", std::io::Error::last_os_error());
        (pid != 0).then_some(status)
    }

    pub fn wait(self) -> End {
        let status = self.status(0).expect("an end");
        if libc::WIFSIGNALED(status) {
            End::Signal(libc::WTERMSIG(status))
        } else {
            End::Exit(libc::WEXITSTATUS(status))
        }
    }

    pub fn wait_until_stopped(&self) {
        assert!(libc::WIFSTOPPED(self.status(libc::WUNTRACED).expect("a change")));
    }
}
